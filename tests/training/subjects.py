"""What the differential test runs: two models, and what can be seen of a call from outside."""

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tfvae.ops import xla
from tfvae.training.compiled_fit import CompiledFit

SIZE = 6  # numbers of an example
ON_A_CPU = pytest.mark.skipif(xla.device() == "GPU", reason="a GPU's steps are all XLA's")
HOOKS = (
    "on_train_begin",
    "on_train_end",
    "on_epoch_begin",
    "on_epoch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_begin",
    "on_test_end",
    "on_test_batch_begin",
    "on_test_batch_end",
    "on_predict_begin",
    "on_predict_end",
    "on_predict_batch_begin",
    "on_predict_batch_end",
)


class CompiledFitModel(CompiledFit, keras.Model):
    """An ordinary Keras model with the loop mixed in."""


class Counting:
    """Metrics of a model's own, by Keras' guide: how many rows there were, and which."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.rows = keras.metrics.Sum(name="rows")
        self.numbers = keras.metrics.Sum(name="numbers")

    @property
    def metrics(self):
        return [*super().metrics, self.rows, self.numbers]

    def train_step(self, data):
        self._count(data)
        return super().train_step(data)

    def test_step(self, data):
        self._count(data)
        return super().test_step(data)

    def _count(self, data):
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        self.rows.update_state(tf.ones([tf.shape(x)[0]]))
        self.numbers.update_state(tf.cast(x[:, 0], tf.float32))


class CountingVAE(Counting, tfvae.VAE):
    """A VAE with these metrics."""


class CountingAutoencoder(Counting, CompiledFitModel):
    """A model of one input, whose step is quick to trace: two layers, and no noise."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, **kwargs):
        """Returns the mean square of what is lost of x."""
        of_each = tf.reduce_mean((tf.cast(x, y_pred.dtype) - y_pred) ** 2, axis=-1)
        return tf.reduce_mean(of_each if sample_weight is None else of_each * sample_weight)


def vae(run_eagerly):
    """Returns a compiled VAE of real vectors whose first number tells which example it is."""
    keras.utils.set_random_seed(3)
    plain = tfvae.mlp_vae(SIZE, 2, (4,), likelihood=tfvae.likelihoods.Normal(1.0))
    model = CountingVAE(plain.encoder, plain.decoder, likelihood=plain.likelihood, seed=1)
    model.compile(keras.optimizers.SGD(1e-3), run_eagerly=run_eagerly, jit_compile=False)
    return model


def autoencoder(run_eagerly):
    """Returns a compiled model of the same vectors that is no VAE."""
    keras.utils.set_random_seed(3)
    x = keras.Input((SIZE,))
    model = CountingAutoencoder(x, keras.layers.Dense(SIZE)(keras.layers.Dense(2)(x)))
    model.compile(keras.optimizers.SGD(1e-3), run_eagerly=run_eagerly, jit_compile=False)
    return model


def regression(run_eagerly):
    """Returns a compiled model of two inputs by name, with a loss and a metric, which is no VAE."""
    keras.utils.set_random_seed(3)
    a, b = keras.Input((SIZE,), name="a"), keras.Input((2,), name="b")
    hidden = keras.layers.concatenate([keras.layers.Dense(3)(a), b])
    output = keras.layers.Dense(1, kernel_regularizer="l2")(hidden)
    model = CompiledFitModel({"a": a, "b": b}, output)
    optimizer = keras.optimizers.SGD(1e-3)
    model.compile(
        optimizer,
        loss="mse",
        metrics=["mae"],
        weighted_metrics=["mse"],
        run_eagerly=run_eagerly,
        jit_compile=False,
    )
    return model


class Recorder(keras.callbacks.Callback):
    """Writes down each call of the hooks it watches, with its number and its logs."""

    def __init__(self):
        super().__init__()
        self.calls: list = []

    def watch(self, hooks=HOOKS):
        """Watches some hooks from now on, and returns itself."""
        for hook in hooks:
            setattr(self, hook, self._writer(hook))
        return self

    def _writer(self, hook):
        def write(*arguments, logs=None):
            *number, last = arguments if logs is None else (*arguments, logs)
            if not isinstance(last, dict) and last is not None:
                number, last = [*number, last], None
            self.calls.append((hook, tuple(number), _numbers(last)))

        return write


class StopAt(keras.callbacks.Callback):
    """Stops a run at a batch or at the end of an epoch."""

    def __init__(self, batch=None, epoch=None, evaluating=False):
        super().__init__()
        self._batch, self._epoch, self._evaluating = batch, epoch, evaluating

    def on_train_batch_end(self, batch, logs=None):
        if batch == self._batch and not self._evaluating:
            self.model.stop_training = True

    def on_test_batch_end(self, batch, logs=None):
        if batch == self._batch and self._evaluating:
            self.model.stop_evaluating = True

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self._epoch:
            self.model.stop_training = True


@dataclasses.dataclass
class Seen:
    """What a user can see of a call.

    Attributes:
        result: what it returned; of a `History` its epochs and logs.
        calls: of the hooks of a `Recorder`.
        reads: which examples were read from a generator, where there is one.
        weights: of the model and its optimizer afterwards.
        attributes: of the model that the call may not leave changed.
        error: what it raised, or None.
    """

    result: Any
    calls: list
    reads: list
    weights: list
    attributes: dict
    error: Any = None


class Subject:
    """A model that is brought back to the same state before each call.

    Args:
        make: a function of `run_eagerly` that returns it compiled.
        run_eagerly: whether Keras' own loop runs it, one step after the other.
    """

    def __init__(self, make, run_eagerly):
        self.model = make(run_eagerly)
        self.model.optimizer.build(self.model.trainable_variables)
        self._state = [(v, v.numpy()) for v in self._variables()]

    def run(self, call):
        """Returns what is `Seen` of `call(model, recorder, reads)`, from the first state."""
        for variable, value in self._state:
            variable.assign(value)
        self.model.reset_metrics()
        self.model.stop_training = False
        np.random.seed(0)
        tf.random.set_seed(0)
        recorder, reads = Recorder(), []
        try:
            result, error = call(self.model, recorder, reads), None
        except Exception as raised:
            result, error = None, raised
        if isinstance(result, keras.callbacks.History):
            result = {"epoch": result.epoch, **result.history}
        weights = [v.numpy() for v in self._variables()]
        return Seen(result, recorder.calls, reads, weights, self._attributes(), error)

    def _variables(self):
        return [*self.model.variables, *self.model.optimizer.variables]

    def _attributes(self):
        names = ("steps_per_execution", "jit_compile", "stop_training")
        return {name: getattr(self.model, name) for name in names}


def assert_alike(a, b, what):
    """Asserts that two structures of numbers and names are the same within float error."""
    assert type(a) is type(b) or np.isscalar(a) and np.isscalar(b), f"{what}: {a} and {b}"
    if isinstance(a, dict):
        assert a.keys() == b.keys(), what
        for key in a:
            assert_alike(a[key], b[key], f"{what}[{key}]")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), f"{what}: {a} and {b}"
        for number, (one, other) in enumerate(zip(a, b)):
            assert_alike(one, other, f"{what}[{number}]")
    elif isinstance(a, str) or a is None:
        assert a == b, what
    else:
        assert np.shape(a) == np.shape(b), what
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5, err_msg=what)


def assert_seen_alike(found, expected):
    """Asserts that two `Seen` are of calls that did the same, whatever was read for them."""
    assert found.error is expected.error is None
    assert_alike(found.result, expected.result, "result")
    assert_alike(found.calls, expected.calls, "calls of hooks")
    assert_alike(found.weights, expected.weights, "weights")
    assert found.attributes == expected.attributes


def _numbers(logs):
    return None if logs is None else {k: np.asarray(v).tolist() for k, v in logs.items()}
