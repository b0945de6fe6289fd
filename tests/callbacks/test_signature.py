"""Two models that are made alike are of one training, whatever Keras has named and numbered."""

import keras
import numpy as np
import pytest

import tfvae
from tests.support import zoo
from tfvae.callbacks import Checkpoint
from tfvae.callbacks.signature import without_address
from tfvae.errors import InputError
from tfvae.objectives import ELBO

X = (np.random.default_rng(0).random((32, 4)) < 0.5).astype(np.float32)


def warm_up(steps):
    return ELBO(beta=keras.optimizers.schedules.PolynomialDecay(0.1, steps, 1.0))


class Own(keras.optimizers.schedules.LearningRateSchedule):
    """A user's own schedule, which cannot be saved."""

    def __call__(self, step):
        return 0.5


def dense(inputs, outputs):
    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs)])


PIECES = {
    "a warm-up": lambda: {"objective": warm_up(7)},
    "a user's own schedule": lambda: {"objective": ELBO(beta=Own())},
    "a network of y": lambda: {"prior": tfvae.priors.Conditional(dense(3, 4)), "condition": (3,)},
    "a penalty": lambda: {"objective": warm_up(3) + 2.0 * tfvae.regularizers.MMD()},
}


def model(pieces):
    vae = tfvae.mlp_vae((4,), 2, (5,), seed=0, **pieces)
    vae.compile("sgd", jit_compile=False)
    return vae


def given(vae):
    conditions = np.ones([len(X), 3], np.float32)
    return {"x": X, "verbose": 0} | ({"y": conditions} if vae.condition_shape else {})


@pytest.mark.parametrize("name", PIECES)
def test_a_training_goes_on_with_a_model_made_alike(tmp_path, name):
    first = model(PIECES[name]())
    first.fit(**given(first), epochs=1, callbacks=[Checkpoint(tmp_path)])
    second = model(PIECES[name]())
    second.fit(**given(second), epochs=2, callbacks=[Checkpoint(tmp_path)])
    assert int(second.optimizer.iterations) == 2
    assert second.history.epoch == [0, 1]


def test_a_learning_rate_that_cannot_be_saved_is_kept_all_the_same(tmp_path):
    for epochs in (1, 2):
        vae = model({})
        vae.compile(keras.optimizers.SGD(Own()), jit_compile=False)
        vae.fit(X, epochs=epochs, verbose=0, callbacks=[Checkpoint(tmp_path)])
    assert int(vae.optimizer.iterations) == 2


def test_another_warm_up_is_another_training(tmp_path):
    first, second = model({"objective": warm_up(7)}), model({"objective": warm_up(8)})
    first.fit(X, verbose=0, callbacks=[Checkpoint(tmp_path)])
    with pytest.raises(InputError, match="other pieces"):
        second.fit(X, verbose=0, callbacks=[Checkpoint(tmp_path)])


@pytest.mark.nightly
def test_every_model_of_the_zoo_is_told_alike_twice():
    for name, build in zoo.BUILDERS.items():
        one, other = (without_address(build()[0].loop_hooks.description()) for _ in range(2))
        assert one == other, name


def test_a_schedule_is_written_as_it_would_be_in_code():
    expected = (
        "ELBO(num_samples=1, beta=PolynomialDecay(initial_learning_rate=0.1, decay_steps=7, "
        "end_learning_rate=1.0, power=1.0, cycle=False), free_bits=0.0, capacity=None, "
        "analytic_rate=True)"
    )
    assert repr(warm_up(7)) == expected
    assert repr(ELBO(beta=Own())).startswith("ELBO(num_samples=1, beta=Own(),")
