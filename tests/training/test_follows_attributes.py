"""What is changed between two runs takes effect in the next one, whichever loop runs it."""

import keras
import numpy as np
import pytest

import tfvae
from tests.support.nightly import nightly

X = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
Y = np.arange(20) % 3


def model(optimizer="adam", **how):
    keras.utils.set_random_seed(0)
    normal = tfvae.likelihoods.Normal(1.0)
    vae = tfvae.mlp_vae(6, 2, (4,), likelihood=normal, condition=3, seed=1)
    vae.compile(optimizer, **{"jit_compile": False, **how})
    return vae


def batches():
    return ((X[i : i + 5], Y[i : i + 5]) for i in range(0, 20, 5))


TRAININGS = {
    "arrays": lambda vae: vae.fit(X, Y, batch_size=5, shuffle=False, verbose=0),
    "generator": lambda vae: vae.fit(batches(), verbose=0),
    "class weights": lambda vae: vae.fit(
        X, Y, batch_size=5, shuffle=False, verbose=0, class_weight={0: 1.0, 1: 2.0, 2: 0.5}
    ),
    "train_on_batch": lambda vae: vae.train_on_batch(X, Y),
}
EVALUATIONS = {
    "arrays": lambda vae: vae.evaluate(X, Y, batch_size=5, verbose=0)[0],
    "generator": lambda vae: vae.evaluate(batches(), verbose=0)[0],
    "test_on_batch": lambda vae: vae.test_on_batch(X, Y)[0],
}


def replace_optimizer(vae):
    vae.optimizer = keras.optimizers.SGD(0.5)
    vae.optimizer.build(vae.trainable_variables)


CHANGES = {
    "frozen encoder": lambda vae: setattr(vae.encoder, "trainable", False),
    "beta": lambda vae: setattr(vae.objective, "beta", 9.0),
    "objective": lambda vae: setattr(vae, "objective", tfvae.objectives.IWAE(3)),
    "optimizer": replace_optimizer,
    "clipping": lambda vae: setattr(vae.optimizer, "clipvalue", 1e-3),
    "schedule": lambda vae: setattr(
        vae.optimizer, "learning_rate", keras.optimizers.schedules.ExponentialDecay(0.3, 2, 0.5)
    ),
}


@pytest.mark.parametrize(
    "training", ["generator", *(nightly(name) for name in TRAININGS if name != "generator")]
)
@pytest.mark.parametrize("change", CHANGES)
def test_a_training_follows_what_was_changed_before_it(change, training):
    weights = []
    for eagerly in (False, True):
        vae = model(keras.optimizers.SGD(0.05, 0.9), run_eagerly=eagerly)
        TRAININGS[training](vae)
        CHANGES[change](vae)
        TRAININGS[training](vae)
        weights.append(vae.get_weights())

    for found, expected in zip(*weights):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.xla
def test_an_update_that_programs_share_follows_the_optimizer():
    """One that XLA compiles beside a graph of convolutions."""
    x = np.random.default_rng(1).random((8, 8, 8, 1)).astype(np.float32)
    found = []
    for eagerly in (False, True):
        keras.utils.set_random_seed(0)
        normal = tfvae.likelihoods.Normal(1.0)
        vae = tfvae.conv_vae((8, 8, 1), 2, filters=(3,), likelihood=normal, seed=1)
        vae.compile(keras.optimizers.SGD(1e-3), run_eagerly=eagerly)
        vae.fit(x, batch_size=4, shuffle=False, verbose=0)
        vae.optimizer.clipvalue = 1e-3
        vae.fit(x, batch_size=4, shuffle=False, verbose=0)
        found.append(vae.get_weights())

    for one, expected in zip(*found):
        np.testing.assert_allclose(one, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("evaluation", [nightly("arrays"), "generator", "test_on_batch"])
def test_an_evaluation_follows_what_was_changed_before_it(evaluation):
    found = []
    for eagerly in (False, True):
        vae = model(run_eagerly=eagerly)
        EVALUATIONS[evaluation](vae)
        vae.objective.beta = 9.0
        found.append(EVALUATIONS[evaluation](vae))
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_a_prediction_follows_what_was_changed_before_it():
    class Scaled(tfvae.VAE):
        factor = 1.0

        def call(self, inputs):
            return self.factor * super().call(inputs)

    parts = model()
    vae = Scaled(parts.encoder, parts.decoder, likelihood=parts.likelihood, seed=0)
    vae.compile(jit_compile=False)
    once = vae.predict([X, Y], verbose=0)
    vae.factor = 2.0
    np.testing.assert_allclose(vae.predict([X, Y], verbose=0), 2.0 * once, rtol=1e-6)
