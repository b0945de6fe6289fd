"""A loss or gradient that is not finite: noticed in its step, with the weights of the step before."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import matches
from tfvae.training.alarm import NonFiniteLoss

BAD = 5  # the batch of an epoch in which a value is too large to be squared in float32
X = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
X_BAD = X.copy()
X_BAD[4 * BAD] = 1e30


def model(jit_compile=False, optimizer=None, on_nonfinite="raise", steps="auto"):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(4)(inputs))
    encoder = keras.Model(inputs, keras.layers.Dense(4)(hidden))
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    vae = tfvae.VAE(encoder, decoder, likelihood=tfvae.likelihoods.Normal(1.0), seed=0)
    vae.compile(
        optimizer or keras.optimizers.Adam(1e-2),
        jit_compile=jit_compile,
        on_nonfinite=on_nonfinite,
        steps_per_execution=steps,
    )
    return vae


def state_after(vae, x):
    vae.fit(x, batch_size=4, shuffle=False, verbose=0)
    return state_of(vae)


def state_of(vae):
    weights = [*vae.trainable_variables, *vae.encoder.non_trainable_weights, *vae.optimizer.variables]
    return [v.numpy() for v in weights]


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(1e-2),
    "momentum": lambda: keras.optimizers.SGD(1e-2, momentum=0.9),
    "weight_decay": lambda: keras.optimizers.AdamW(1e-2, weight_decay=0.1, clipnorm=1.0),
    "accumulating": lambda: keras.optimizers.Lion(1e-2, gradient_accumulation_steps=2),
}


@pytest.mark.parametrize(
    ("optimizer", "steps", "jit_compile"),
    [
        ("adam", "auto", True),
        ("adam", 1, False),
        ("momentum", 3, True),
        ("momentum", "auto", False),
        ("weight_decay", "auto", True),
        ("weight_decay", "auto", False),
        ("accumulating", "auto", True),
    ],
)
def test_a_run_stops_with_the_weights_of_the_last_finite_step(steps, jit_compile, optimizer):
    optimizer = OPTIMIZERS[optimizer]
    vae = model(jit_compile, optimizer(), steps=steps)
    with pytest.raises(NonFiniteLoss, match=matches(f"step {BAD}", "distortion inf", "learning rate", "skip")):
        vae.fit(X_BAD, batch_size=4, shuffle=False, verbose=0)

    expected = state_after(model(jit_compile, optimizer(), steps=steps), X[: 4 * BAD])
    for found, right in zip(state_of(vae), expected):
        np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_steps_that_are_not_finite_can_be_left_out_and_are_counted(jit_compile):
    vae = model(jit_compile, on_nonfinite="skip")
    history = vae.fit(X_BAD, batch_size=4, shuffle=False, verbose=0, epochs=2).history
    assert vae.alarm.skipped() == 2
    assert np.isfinite(history["loss"]).all()
    assert int(vae.optimizer.iterations) == 2 * (len(X) // 4 - 1)
    assert all(np.isfinite(value).all() for value in state_of(vae))


def test_the_logs_leave_out_what_was_skipped():
    vae = model(optimizer=keras.optimizers.SGD(0.0), on_nonfinite="skip")
    found = vae.fit(X_BAD, batch_size=4, shuffle=False, verbose=0).history["distortion"][0]
    vae = model(optimizer=keras.optimizers.SGD(0.0))
    losses = [vae.train_on_batch(X[i : i + 4], return_dict=True)["distortion"] for i in range(0, 32, 4)]
    expected = np.mean([loss for number, loss in enumerate(losses) if number != BAD])
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_gradient_that_is_not_finite_is_noticed_at_a_finite_loss(jit_compile):
    @tf.custom_gradient
    def broken(x):
        return x, lambda upstream: upstream * np.float32(np.nan)

    class Broken(keras.layers.Layer):
        def call(self, x):
            return broken(x)

    vae = model(jit_compile)
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4), Broken(), keras.layers.Dense(3)])
    vae = tfvae.VAE(vae.encoder, decoder, likelihood=vae.likelihood.__class__(1.0), seed=0)
    vae.compile(jit_compile=jit_compile)
    before = [v.numpy() for v in vae.trainable_variables]
    with pytest.raises(NonFiniteLoss, match=matches("gradient", "step 0")):
        vae.fit(X, batch_size=4, verbose=0)
    for found, right in zip(vae.trainable_variables, before):
        assert np.array_equal(found.numpy(), right)


def test_keras_own_loop_and_single_batches_are_watched_too():
    def batches():
        for first in range(0, 32, 4):
            yield (X_BAD[first : first + 4],)

    with pytest.raises(NonFiniteLoss, match=matches(f"step {BAD}")):
        model().fit(batches(), steps_per_epoch=8, verbose=0)
    with pytest.raises(NonFiniteLoss):
        model().train_on_batch(X_BAD[4 * BAD : 4 * BAD + 4])


def test_a_callback_for_nan_stops_a_run_as_it_does_in_keras():
    vae = model()
    history = vae.fit(X_BAD, batch_size=4, shuffle=False, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()])
    assert len(history.history["loss"]) == 1
    assert all(np.isfinite(value).all() for value in state_of(vae))


@pytest.mark.parametrize("value", ["ignore", None, 1])
def test_another_way_to_meet_what_is_not_finite_is_refused(value):
    with pytest.raises(tfvae.errors.InputError, match=matches("on_nonfinite")):
        model(on_nonfinite=value)
