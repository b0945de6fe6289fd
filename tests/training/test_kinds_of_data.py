"""Data that a fit takes, or refuses in words before any step: kinds, and values not finite."""

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

import tfvae
from tests.conftest import matches
from tests.support import zoo

X = zoo.real(12)
LATER = np.concatenate([X[:8], np.full_like(X[:4], np.nan)])


def model(condition=None):
    likelihood = tfvae.likelihoods.Normal(1.0)
    vae = tfvae.mlp_vae(zoo.SHAPE, 2, (4,), likelihood=likelihood, condition=condition)
    vae.compile(keras.optimizers.SGD(1e-3), jit_compile=False)
    return vae


def batches(x, y=None):
    for first in range(0, len(x), 4):
        rows = slice(first, first + 4)
        yield (x[rows],) if y is None else (x[rows], y[rows])


def masked(x):
    mask = np.zeros(x.shape, bool)
    mask[0, 0, 0, 0] = True
    return np.ma.MaskedArray(x, mask)


def too_large(x):
    return np.where(np.arange(len(x)).reshape(-1, 1, 1, 1) == 1, 1e39, x.astype(np.float64))


REFUSED = {
    "dictionary": (lambda: {"image": X}, ["dictionary", "image"]),
    "dataset_of_dictionaries": (
        lambda: tf.data.Dataset.from_tensors({"image": X}),
        ["dictionary", "map"],
    ),
    "sparse": (lambda: scipy.sparse.csr_matrix(X.reshape(len(X), -1)), ["sparse", "toarray"]),
    "masked": (lambda: masked(X), ["mask", "Observed"]),
    "objects": (lambda: X.astype(object), ["dtype object", "float32"]),
    "beyond_float32": (lambda: too_large(X), ["float32", r"\[1, 0, 0, 0\]"]),
    "later_batch_of_a_generator": (lambda: batches(LATER), ["nan"]),
    "later_batch_of_a_dataset": (
        lambda: tf.data.Dataset.from_tensor_slices(LATER).batch(4),
        ["later batch"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_data_of_another_kind_is_refused_in_words(name):
    make, words = REFUSED[name]
    with pytest.raises(tfvae.errors.InputError, match=matches(*words)):
        model().fit(make(), verbose=0, shuffle=False)


@pytest.mark.parametrize("weight", [np.nan, np.inf])
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_weights_that_are_not_finite_are_refused(method, weight):
    weights = np.ones(len(X), np.float32)
    weights[3] = weight
    with pytest.raises(tfvae.errors.InputError, match=matches("sample_weight", r"\[3\]")):
        getattr(model(), method)(X, sample_weight=weights, verbose=0)


@pytest.mark.parametrize(
    ("condition", "bad"), [(3, 3), (3, -1), (3, 0.9), ((1,), np.nan), ((1,), np.inf)]
)
@pytest.mark.parametrize("form", ["array", "dataset"])
def test_conditions_out_of_range_are_refused_in_every_batch(condition, bad, form):
    shape = len(X) if condition == 3 else (len(X), 1)
    y = np.zeros(shape, np.float32 if isinstance(bad, float) else np.int32)
    y[9] = bad
    vae = model(condition)
    data = (X, y) if form == "array" else (tf.data.Dataset.from_tensor_slices((X, y)).batch(4),)
    with pytest.raises(tfvae.errors.InputError, match=matches()):
        vae.fit(*data, verbose=0, shuffle=False)


def test_arrays_of_any_float_train():
    for x in (X.astype(np.float16), X.astype(np.float64), np.ma.MaskedArray(X)):
        vae = model()
        logs = vae.fit(x, batch_size=4, verbose=0).history
        assert np.isfinite(logs["loss"]).all()
        assert int(vae.optimizer.iterations) == 3


def test_a_model_that_is_not_compiled_says_so_as_keras_does():
    vae = tfvae.mlp_vae(zoo.SHAPE, 2, (4,))
    for call in (lambda: vae.fit(zoo.binary(4)), lambda: vae.evaluate(zoo.binary(4))):
        with pytest.raises(ValueError, match=r"You must call `compile\(\)`"):
            call()
