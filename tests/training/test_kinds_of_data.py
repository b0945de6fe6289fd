"""Data that a fit takes, or refuses in words before any step: kinds, and values not finite."""

import keras
import numpy as np
import pandas
import pytest
import scipy.sparse
import tensorflow as tf

import tfvae
from tests.conftest import matches
from tests.support import zoo
from tests.support.nightly import nightly

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
    "nothing": (lambda: None, ["examples as x", "no x"]),
    "ended_iterator": (lambda: iter([]), ["at least one batch", "iterator"]),
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


LIKELIHOODS = {
    "normal": lambda: tfvae.likelihoods.Normal(1.0),
    **{
        name: nightly(getattr(tfvae.likelihoods, name))
        for name in (
            "Bernoulli",
            "Laplace",
            "StudentT",
            "LogNormal",
            "ContinuousBernoulli",
            "Poisson",
            "NegativeBinomial",
            "DiscretizedLogistic",
        )  # fmt: skip
    },
}


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float16", "float64"])
@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
def test_a_dataset_of_any_dtype_is_what_its_array_is(likelihood, dtype):
    x = np.ones((12, 6), dtype)
    vae = tfvae.mlp_vae(6, 2, (4,), likelihood=likelihood(), seed=0)
    vae.compile(jit_compile=False)
    try:
        expected = vae.evaluate(x, batch_size=4, verbose=0)
    except tfvae.errors.InputError:
        pytest.skip("arrays of this dtype are refused")

    dataset = tf.data.Dataset.from_tensor_slices(x).batch(4)
    assert vae.evaluate(dataset, verbose=0) == pytest.approx(expected, rel=1e-6)
    vae.fit(dataset, validation_data=dataset, verbose=0)


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("of", [list, pandas.Series, np.asarray])
def test_labels_and_weights_may_be_lists_or_columns(of, eagerly):
    y, weights = of([0, 1, 2] * 4), of([1.0, 2.0, 0.5] * 4)
    vae = model(condition=3)
    vae.compile(keras.optimizers.SGD(0.0), run_eagerly=eagerly)
    expected = vae.evaluate(X, np.arange(12) % 3, sample_weight=np.ravel(weights), verbose=0)
    assert vae.evaluate(X, y, sample_weight=weights, verbose=0) == pytest.approx(expected)
    found = vae.fit(X, y, sample_weight=weights, validation_data=(X, y, weights), verbose=0)
    assert found.history["val_loss"][0] == pytest.approx(expected[0])
    assert vae.predict([X, y], verbose=0).shape == X.shape


@pytest.mark.parametrize("kind", [list, tuple])
def test_validation_data_may_be_a_list_or_a_tuple(kind):
    y, weights = np.arange(12) % 3, np.linspace(0.0, 1.0, 12)
    vae = model(condition=3)
    found = vae.fit(X, y, verbose=0, validation_data=kind([X, y, weights])).history
    expected = vae.evaluate(X, y, sample_weight=weights, verbose=0)
    assert found["val_loss"][0] == pytest.approx(expected[0], rel=1e-5)
    vae = model()
    found = vae.fit(X, verbose=0, validation_data=kind([X, None, weights])).history
    expected = vae.evaluate(X, sample_weight=weights, verbose=0)
    assert found["val_loss"][0] == pytest.approx(expected[0], rel=1e-5)


CALLS = {
    "weights of elements": (
        lambda: model().fit(X, sample_weight=np.ones(X.shape), verbose=0),
        ["sample_weight", "each example"],
    ),
    "class weights without classes": (
        lambda: model().fit(X, class_weight={0: 1.0}, verbose=0),
        ["class_weight", "condition"],
    ),
    "weights beside a stream": (
        lambda: model().fit(batches(X), sample_weight=np.ones(12), verbose=0),
        ["sample_weight"],
    ),
    "weights beside a dataset": (
        lambda: model().fit(
            tf.data.Dataset.from_tensor_slices(X).batch(4), sample_weight=np.ones(12), verbose=0
        ),
        ["sample_weight"],
    ),
    "prediction without conditions": (
        lambda: model(3).predict(X, verbose=0),
        [r"a pair \[x, y\]", "ndarray"],
    ),
    "batch without conditions": (lambda: model(3).predict_on_batch(X), [r"a pair \[x, y\]"]),
    "call without conditions": (lambda: model(3)(X), [r"a pair \[x, y\]"]),
    "dataset without conditions": (
        lambda: model(3).predict(tf.data.Dataset.from_tensor_slices(X).batch(4), verbose=0),
        [r"a pair \[x, y\]"],
    ),
}


@pytest.mark.parametrize(("call", "words"), CALLS.values(), ids=CALLS)
def test_what_does_not_belong_to_a_call_is_refused_in_words(call, words):
    """By an `InputError`, or where Keras refuses it, by its own `ValueError`."""
    with pytest.raises(ValueError, match="(?s)" + ".*".join(words)):
        call()


def test_a_model_that_is_not_compiled_says_so_as_keras_does():
    vae = tfvae.mlp_vae(zoo.SHAPE, 2, (4,))
    for call in (lambda: vae.fit(zoo.binary(4)), lambda: vae.evaluate(zoo.binary(4))):
        with pytest.raises(ValueError, match=r"You must call `compile\(\)`"):
            call()
