"""A loss or gradient that is not finite is noticed in its step, which leaves the weights alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import matches
from tests.support.nightly import nightly
from tfvae.training.alarm import NonFiniteLoss

BAD = 5  # the batch of an epoch in which a value is too large to be squared in float32
X = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
X_BAD = X.copy()
X_BAD[4 * BAD] = 1e30


def model(jit_compile=False, optimizer=None, on_nonfinite="raise", steps="auto", **how):
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
        **how,
    )
    return vae


def state_after(vae, x):
    if not vae.optimizer.use_ema:
        vae.fit(x, batch_size=4, shuffle=False, verbose=0)
        return state_of(vae)
    # `fit` ends by putting the averages in the place of the weights, but not if it is stopped.
    for first in range(0, len(x), 4):
        vae.train_on_batch(x[first : first + 4])
    return state_of(vae)


def state_of(vae):
    weights = [*vae.trainable_variables, *vae.encoder.non_trainable_weights]
    return [v.numpy() for v in (*weights, *vae.optimizer.variables)]


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(1e-2),
    "momentum": lambda: keras.optimizers.SGD(1e-2, momentum=0.9),
    "weight_decay": lambda: keras.optimizers.AdamW(1e-2, weight_decay=0.1, clipnorm=1.0),
    "accumulating": lambda: keras.optimizers.Lion(1e-2, gradient_accumulation_steps=2),
    "averaging": lambda: keras.optimizers.SGD(
        1e-2, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2
    ),
    "scaling": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1e-2)),
    "several": lambda: keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(keras.optimizers.Adam(1e-2))
    ),
    "raw_variables": lambda: keras.optimizers.Ftrl(1e-2),
    "muon": lambda: keras.optimizers.Muon(1e-2, weight_decay=0.1),
    "of_the_user": lambda: Plain(1e-2),
}


class Plain(keras.optimizers.SGD):
    """An optimizer of the user's own, which assigns to the weights itself."""

    def update_step(self, gradient, variable, learning_rate):
        variable.assign(variable - learning_rate * gradient)


@pytest.mark.parametrize(
    ("optimizer", "steps", "jit_compile"),
    [
        ("adam", 1, False),
        ("weight_decay", "auto", True),
        ("accumulating", "auto", True),
        ("averaging", "auto", False),
        ("scaling", 4, False),
        ("several", "auto", False),
        ("of_the_user", "auto", False),
        *(
            nightly(*case)
            for case in (
                ("adam", "auto", True),
                ("momentum", 3, False),
                ("muon", "auto", False),
                ("momentum", 3, True),
                ("weight_decay", "auto", False),
                ("accumulating", "auto", False),
                ("averaging", "auto", True),
                ("scaling", "auto", True),
                ("several", "auto", True),
                ("muon", "auto", True),
                ("of_the_user", "auto", True),
            )
        ),
    ],
)
def test_a_run_stops_with_the_weights_of_the_last_finite_step(steps, jit_compile, optimizer):
    if optimizer == "several" and not hasattr(keras.optimizers, "MultiOptimizer"):
        pytest.skip("this Keras has no MultiOptimizer")
    optimizer = OPTIMIZERS[optimizer]
    vae = model(jit_compile, optimizer(), steps=steps)
    words = matches(f"step {BAD}", "distortion inf", "learning rate", "skip")
    # What runs after the bad step in its call is good, and must change nothing either.
    with pytest.raises(NonFiniteLoss, match=words):
        vae.fit(X_BAD, batch_size=4, shuffle=False, verbose=0)

    expected = state_after(model(jit_compile, optimizer(), steps=steps), X[: 4 * BAD])
    for found, right in zip(state_of(vae), expected):
        np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-7)


def test_a_keras_without_an_optimizer_of_several_trains(monkeypatch):
    """Such as Keras 3.12."""
    monkeypatch.delattr(keras.optimizers, "MultiOptimizer", raising=False)
    vae = model()
    vae.train_on_batch(X)
    assert int(vae.optimizer.iterations) == 1


@pytest.mark.parametrize("jit_compile", [False, nightly(True)])
def test_steps_that_are_not_finite_can_be_left_out_and_are_counted(jit_compile):
    vae = model(jit_compile, on_nonfinite="skip")
    history = vae.fit(X_BAD, batch_size=4, shuffle=False, verbose=0, epochs=2).history
    assert vae.alarm.skipped() == 2
    assert np.isfinite(history["loss"]).all()
    assert int(vae.optimizer.iterations) == 2 * (len(X) // 4 - 1)
    assert all(np.isfinite(value).all() for value in state_of(vae))
    vae.fit(X, batch_size=4, verbose=0)
    assert vae.alarm.skipped() == 0  # each fit counts its own


@pytest.mark.parametrize("jit_compile", [False, nightly(True)])
def test_weights_kept_in_bounds_by_a_constraint_are_not_those_of_a_bad_step(jit_compile):
    def constrained():
        vae = model()
        decoder = keras.layers.Dense(3, kernel_constraint=keras.constraints.MaxNorm(0.5))
        decoder = keras.Sequential([keras.Input((2,)), decoder])
        vae = tfvae.VAE(vae.encoder, decoder, likelihood=tfvae.likelihoods.Normal(1.0), seed=0)
        vae.compile(keras.optimizers.SGD(1e-2), jit_compile=jit_compile)
        return vae

    vae = constrained()
    with pytest.raises(NonFiniteLoss):
        vae.fit(X_BAD, batch_size=4, shuffle=False, verbose=0)
    for found, right in zip(state_of(vae), state_after(constrained(), X[: 4 * BAD])):
        np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", ["dense", "large", "float64", "transposed", "depthwise", "heads"])
def test_a_gradient_that_is_not_finite_in_one_place_is_noticed(kind):
    """Only in the last number of a weight, and at a finite loss."""

    @keras.saving.register_keras_serializable("tests")
    class BadAtTheEnd(keras.regularizers.Regularizer):
        def __call__(self, weight):
            @tf.custom_gradient
            def zero(w):
                bad = tf.one_hot(tf.size(w) - 1, tf.size(w), on_value=np.nan)
                bad = tf.cast(tf.reshape(bad, tf.shape(w)), w.dtype)
                return tf.constant(0.0), lambda upstream: bad

            return zero(tf.convert_to_tensor(weight))

    layers = {
        "dense": lambda: [keras.layers.Dense(4, kernel_regularizer=BadAtTheEnd())],
        "large": lambda: [keras.layers.Dense(2100, kernel_regularizer=BadAtTheEnd())],
        "float64": lambda: [
            keras.layers.Dense(4, dtype="float64", kernel_regularizer=BadAtTheEnd())
        ],
        "transposed": lambda: [
            keras.layers.Reshape((1, 1, 2)),
            keras.layers.Conv2DTranspose(3, 2, kernel_regularizer=BadAtTheEnd()),
            keras.layers.Flatten(),
        ],
        "depthwise": lambda: [
            keras.layers.Reshape((1, 1, 2)),
            keras.layers.DepthwiseConv2D(1, depthwise_regularizer=BadAtTheEnd()),
            keras.layers.Flatten(),
        ],
        "heads": lambda: [
            keras.layers.EinsumDense("bd,dhk->bhk", (3, 2), kernel_regularizer=BadAtTheEnd()),
            keras.layers.Flatten(),
        ],
    }
    decoder = keras.Sequential([keras.Input((2,)), *layers[kind](), keras.layers.Dense(3)])
    vae = tfvae.VAE(model().encoder, decoder, likelihood=tfvae.likelihoods.Normal(1.0), seed=0)
    vae.compile(run_eagerly=True)
    with pytest.raises(NonFiniteLoss, match=matches("gradient", "step 0")):
        vae.fit(X[:4], batch_size=4, verbose=0)


def test_the_logs_leave_out_what_was_skipped():
    vae = model(optimizer=keras.optimizers.SGD(0.0), on_nonfinite="skip")
    found = vae.fit(X_BAD, batch_size=4, shuffle=False, verbose=0).history["distortion"][0]
    vae = model(optimizer=keras.optimizers.SGD(0.0), run_eagerly=True)
    losses = []
    for i in range(0, 32, 4):
        vae.reset_metrics()  # which Keras 3.12 leaves to its user
        losses.append(vae.train_on_batch(X[i : i + 4], return_dict=True)["distortion"])
    expected = np.mean([loss for number, loss in enumerate(losses) if number != BAD])
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("jit_compile", [False, nightly(True)])
def test_a_gradient_that_is_not_finite_is_noticed_at_a_finite_loss(jit_compile):
    @tf.custom_gradient
    def broken(x):
        return x, lambda upstream: upstream * np.float32(np.nan)

    class Broken(keras.layers.Layer):
        def call(self, x):
            return broken(x)

    vae = model(jit_compile)
    dense = keras.layers.Dense
    decoder = keras.Sequential([keras.Input((2,)), dense(4), Broken(), dense(3)])
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


@pytest.mark.parametrize(
    "callbacks",
    [
        lambda model: [keras.callbacks.TerminateOnNaN()],
        lambda model: keras.callbacks.CallbackList(
            [keras.callbacks.TerminateOnNaN()], add_history=True, model=model
        ),
    ],
)
def test_a_callback_for_nan_stops_a_run_as_it_does_in_keras(callbacks):
    vae = model()
    history = vae.fit(X_BAD, batch_size=4, shuffle=False, verbose=0, callbacks=callbacks(vae))
    assert len(history.history["loss"]) == 1
    assert all(np.isfinite(value).all() for value in state_of(vae))


def test_what_a_callback_was_told_is_not_raised_by_the_next_call():
    vae = model()
    callbacks = [keras.callbacks.TerminateOnNaN()]
    vae.fit(X_BAD, batch_size=4, shuffle=False, verbose=0, callbacks=callbacks)
    assert np.isfinite(vae.evaluate(X, verbose=0, return_dict=True)["loss"])
    assert np.isfinite(vae.train_on_batch(X[:4], return_dict=True)["loss"])


@pytest.mark.parametrize("value", ["ignore", None, 1])
def test_another_way_to_meet_what_is_not_finite_is_refused(value):
    with pytest.raises(tfvae.errors.InputError, match=matches("on_nonfinite")):
        model(on_nonfinite=value)


def test_a_second_compile_has_an_alarm_of_its_own_and_may_keep_the_optimizer():
    vae = model()
    vae.fit(X, batch_size=4, verbose=0)
    vae.compile(vae.optimizer, jit_compile=False, on_nonfinite="skip")
    vae.fit(X_BAD, batch_size=4, shuffle=False, verbose=0)
    assert vae.alarm.skipped() == 1
    assert all(np.isfinite(value).all() for value in state_of(vae))
