"""The loop in a Keras model that is no VAE: two inputs by name, a loss, metrics and a penalty."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.backend.tensorflow import trainer

from tests.training import subjects

pytestmark = pytest.mark.xdist_group("any model")  # one process makes what they share

COUNT = 11
_RANDOM = np.random.default_rng(0)
X = {
    "a": _RANDOM.normal(size=(COUNT, subjects.SIZE)).astype(np.float32),
    "b": _RANDOM.normal(size=(COUNT, 2)).astype(np.float32),
}
Y = _RANDOM.normal(size=(COUNT, 1)).astype(np.float32)
WEIGHT = np.linspace(0.0, 2.0, COUNT).astype(np.float32)


def batches(*parts):
    return tf.data.Dataset.from_tensor_slices(parts).batch(4)


def fit(*data, **options):
    def run(model, recorder, reads):
        given = {"epochs": 2, "shuffle": False, "verbose": 0, **options}
        return model.fit(*data, callbacks=[recorder.watch()], **given)

    return run


def evaluate(*data, **options):
    def run(model, recorder, reads):
        return model.evaluate(*data, verbose=0, callbacks=[recorder.watch()], **options)

    return run


def fit_then_predict(model, recorder, reads):
    model.fit(X, Y, batch_size=4, verbose=0, shuffle=False)
    return model.predict(X, batch_size=3, verbose=0)


CALLS = {
    "fit": fit(X, Y, batch_size=4),
    "fit_with_weights": fit(X, Y, batch_size=4, sample_weight=WEIGHT),
    "fit_with_validation": fit(
        X, Y, batch_size=4, validation_data=(X, Y, WEIGHT), validation_steps=2
    ),
    "fit_with_split": fit(X, Y, batch_size=4, validation_split=0.3),
    "fit_a_dataset": fit(batches(X, Y)),
    "fit_a_weighted_dataset": fit(batches(X, Y, WEIGHT), validation_data=batches(X, Y)),
    "fit_steps_of_an_endless_dataset": fit(batches(X, Y).repeat(), steps_per_epoch=3),
    "evaluate": evaluate(X, Y, batch_size=4),
    "evaluate_with_weights": evaluate(X, Y, batch_size=4, sample_weight=WEIGHT, return_dict=True),
    "evaluate_a_dataset": evaluate(batches(X, Y), return_dict=True),
    "train_on_batch": lambda model, recorder, reads: model.train_on_batch(X, Y, return_dict=True),
    "predict_after_fit": fit_then_predict,
}


@pytest.fixture(scope="module")
def ours():
    return subjects.Subject(subjects.regression, run_eagerly=False)


@pytest.fixture(scope="module")
def keras_own():
    return subjects.Subject(subjects.regression, run_eagerly=True)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_seen_to_do_what_it_does_in_keras_own_loop(name, ours, keras_own):
    found, expected = ours.run(CALLS[name]), keras_own.run(CALLS[name])
    for seen in (found, expected):  # hooks of batches tell the last one of each compiled call
        seen.calls = [call for call in seen.calls if "batch" not in call[0]]
    subjects.assert_seen_alike(found, expected)


def test_a_model_made_of_inputs_and_outputs_leaves_other_models_as_they_are():
    """Keras changes the bases of a class that it makes a functional model of."""
    subjects.regression(run_eagerly=False)
    model = subjects.vae(run_eagerly=False)
    sequential = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    assert not isinstance(model, type(sequential._functional))


class Nesting(subjects.CompiledFitModel):
    """A model whose own steps return dictionaries within their logs."""

    def train_step(self, data):
        return {"of": {"z": tf.constant(1.0), "a": super().train_step(data)["loss"]}}

    def test_step(self, data):
        return {"of": {"z": tf.constant(2), "b": {"c": super().test_step(data)["loss"]}}, "k": 3.0}


def seen_of_nested_logs(run_eagerly):
    """What `evaluate`, history and callbacks have of them."""
    keras.utils.set_random_seed(0)
    x = keras.Input((1,))
    model = Nesting(x, keras.layers.Dense(1)(x))
    model.compile(keras.optimizers.SGD(1e-3), "mse", run_eagerly=run_eagerly, jit_compile=False)
    seen: list = []

    def keep(*given, logs=None):
        seen.append(sorted((logs or given[-1]).items()))  # their order differs between versions

    watch = keras.callbacks.Callback()
    watch.on_epoch_end = watch.on_train_batch_end = watch.on_test_batch_end = keep
    watch.on_test_end = keep
    fit = model.fit(Y, Y, batch_size=COUNT, verbose=0, validation_data=(Y, Y), callbacks=[watch])
    seen.append(sorted(fit.history.items()))
    logs = model.evaluate(Y, Y, verbose=0, return_dict=True, batch_size=COUNT)
    seen.append(sorted(logs.items()))
    seen.append([("list", model.evaluate(Y, Y, verbose=0, batch_size=COUNT))])
    return seen


@pytest.mark.skipif(
    not hasattr(trainer, "pythonify_logs"), reason="an older Keras leaves some as they are"
)
def test_dictionaries_within_logs_are_told_as_keras_tells_them():
    found, expected = (seen_of_nested_logs(run_eagerly) for run_eagerly in (False, True))
    assert [[name for name, _ in logs] for logs in found] == [[n for n, _ in e] for e in expected]
    for ours, kerass in zip(found, expected):
        for (_, value), (_, other) in zip(ours, kerass):
            np.testing.assert_allclose(value, other, rtol=1e-5)
