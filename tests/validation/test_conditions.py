"""Labels and conditions, on every path to a sample: range, wholeness, one row for each sample."""

import json
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import matches
from tests.support import zoo
from tfvae import evaluation, imputation, likelihoods, priors
from tfvae.validation import conditions

pytestmark = pytest.mark.xdist_group("conditions")  # one process makes what they share

COUNT, CLASSES = 6, 9
X, Y = zoo.binary(COUNT), np.arange(COUNT)
REAL = np.random.default_rng(0).normal(size=(COUNT, 2)).astype(np.float32)


def spoiled(y, value, place=3):
    y = y.astype(np.result_type(y, np.asarray(value)))
    y[place] = value
    return y


WRONG_LABELS = {
    "a class too many": (spoiled(Y, 9), ["from 0 to 8", r"y\[3\] = 9"]),
    "below the first": (spoiled(Y, -1), ["from 0 to 8", r"y\[3\] = -1"]),
    "between two": (spoiled(Y, 0.9), ["whole numbers", r"y\[3\] = 0.9"]),
    "nan": (spoiled(Y, np.nan), ["whole numbers", r"y\[3\] = nan"]),
    "beyond int32": (spoiled(Y, 2**32), ["from 0 to 8", r"y\[3\] = 4294967296"]),
    "too few": (Y[:2], [r"\[6\]", r"\[2\]", "one row"]),
    "too many": (np.arange(7), [r"\[6\]", r"\[7\]", "one row"]),
    "an axis too many": (Y[:, None], [r"\[6\]", r"\[6, 1\]"]),
    "no axis": (np.int32(3), [r"\[6\]", r"\[\]"]),
    "none": (None, ["conditional"]),
    "text": (Y.astype(str), ["numbers in y"]),
    "masked": (np.ma.masked_array(Y, Y == 2), ["mask"]),
}
WRONG_NUMBERS = {
    "nan": (spoiled(REAL, np.nan), ["finite", r"y\[3, 0\] = nan"]),
    "inf": (spoiled(REAL, -np.inf), ["finite", r"y\[3, 0\] = -inf"]),
    "beyond float32": (spoiled(REAL.astype(np.float64), 1e39), ["float32", r"y\[3, 0\]"]),
    "too few": (REAL[:2], [r"\[6, 2\]", r"\[2, 2\]"]),
    "another size": (REAL[:, :1], [r"\[6, 2\]", r"\[6, 1\]"]),
    "an axis too few": (REAL[:, 0], [r"\[6, 2\]", r"\[6\]"]),
}


def made(condition, **kwargs):
    vae = tfvae.mlp_vae(zoo.SHAPE, 2, (4,), condition=condition, seed=0, **kwargs)
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    return vae


@pytest.fixture(scope="module", params=["labels", "numbers"])
def conditional(request, tmp_path_factory):
    """(model, its file, right conditions, wrong ones by name)."""
    keras.utils.set_random_seed(0)
    labels = request.param == "labels"
    vae = made(CLASSES if labels else (2,))
    path = tmp_path_factory.mktemp("conditional") / "model.tflite"
    tfvae.export.to_tflite(vae, path, batch_size=4, include_encoder=True)
    return vae, path, *((Y, WRONG_LABELS) if labels else (REAL, WRONG_NUMBERS))


def paths(vae, path):
    """All calls that take conditions, by name: `call(y)`."""
    sampler = tfvae.export.Sampler(path)
    pairs = lambda y: tf.data.Dataset.from_tensor_slices((X, y)).batch(COUNT)  # noqa: E731
    given = lambda y: tf.data.Dataset.from_tensor_slices(((X, y),)).batch(COUNT)  # noqa: E731
    z = np.zeros((COUNT, 2), np.float32)
    return {
        "fit": lambda y: vae.fit(X, y, verbose=0),
        "fit, validation": lambda y: vae.fit(X, right(vae), validation_data=(X, y), verbose=0),
        "fit, dataset": lambda y: vae.fit(pairs(y), verbose=0),
        "fit, generator": lambda y: vae.fit((pair for pair in [(X, y)]), verbose=0),
        "evaluate": lambda y: vae.evaluate(X, y, verbose=0),
        "predict": lambda y: vae.predict([X, y], verbose=0),
        "predict, dataset": lambda y: vae.predict(given(y), verbose=0),
        "predict, generator": lambda y: vae.predict((p for p in [((X, y),)]), verbose=0),
        "predict_on_batch": lambda y: vae.predict_on_batch([X, y]),
        "train_on_batch": lambda y: vae.train_on_batch(X, y),
        "test_on_batch": lambda y: vae.test_on_batch(X, y),
        "call": lambda y: vae([X, y]),
        "encode": lambda y: vae.encode(X, y),
        "decode": lambda y: vae.decode(z, y),
        "decode, several": lambda y: vae.decode(np.stack([z, z]), y),
        "reconstruct": lambda y: vae.reconstruct(X, y),
        "sample": lambda y: vae.sample(COUNT, y=y),
        "sample_latent": lambda y: vae.sample_latent(COUNT, y=y),
        "terms": lambda y: vae.terms(X, 2, y=y),
        "log_likelihood": lambda y: evaluation.log_likelihood(vae, X, 2, y=y),
        "evaluation": lambda y: evaluation.evaluate(vae, X, 2, y=y),
        "active_units": lambda y: evaluation.active_units(vae, X, y=y),
        "impute": lambda y: imputation.impute(vae, X, 2, y=y),
        "mixture": lambda y: priors.ExPostMixture(1).fit(vae, X, y),
        "calibration": lambda y: tfvae.export.to_tflite(vae, "m.tflite", data=X, data_y=y),
        "file, sample": lambda y: sampler.sample(COUNT, y=y),
        "file, draw": lambda y: sampler.sample(COUNT, y=y, draw=True),
        "file, decode": lambda y: sampler.decode(z, y=y),
        "file, encode": lambda y: sampler.encode(X, y=y),
        "file, reconstruct": lambda y: sampler.reconstruct(X, y=y),
        "file, interpolate": lambda y: sampler.interpolate(X[0], X[1], np.arange(COUNT), y=y),
    }


def right(vae):
    return Y if vae.num_classes else REAL


def test_every_path_refuses_what_is_wrong_in_the_same_words(conditional, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    vae, path, y, wrong = conditional
    missed = []
    for name, call in paths(vae, path).items():
        for kind, (bad, words) in wrong.items():
            if "dataset" in name and (kind not in ("a class too many", "nan", "between two")):
                continue  # a dataset of pairs cannot be made of them
            if "generator" in name and kind == "none":
                continue
            if name == "call":  # Keras makes tensors of them first
                words = [] if kind != "masked" else None
            if words is None:
                continue
            try:
                call(bad)
            except ValueError as error:
                wanted = ["later batch"] if "predict, dataset" in name else words
                if not re.search(matches(*wanted), str(error)):
                    missed.append((name, kind, str(error)))
            except Exception as error:
                missed.append((name, kind, repr(error)))
            else:
                missed.append((name, kind, "taken"))
    assert missed == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float64, list])
def test_right_conditions_of_any_type_are_taken_everywhere(conditional, dtype):
    vae, path, y, _ = conditional
    given = y.tolist() if dtype is list else y.astype(dtype if vae.num_classes else np.float32)
    calls = paths(vae, path)
    expected = vae.sample(COUNT, seed=7, y=y).numpy()
    assert np.array_equal(vae.sample(COUNT, seed=7, y=given), expected)
    found = tfvae.export.Sampler(path).sample(COUNT, seed=7, y=given)
    assert np.abs(found - expected).max() < 1e-5
    names = ["encode", "decode", "decode, several", "reconstruct", "terms", "file, encode"]
    if dtype is np.float64:
        names += ["fit", "predict", "predict, dataset", "predict_on_batch", "train_on_batch"]
    for name in names:
        calls[name](given)


@pytest.mark.parametrize("kind", ["PyDataset", "dataset", "generator"])
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_later_batches_are_checked_too(conditional, kind, method):
    vae, _, y, wrong = conditional
    bad = wrong["nan"][0]

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return batches[i]

    batches = [(X, good) for good in (y, y, bad)]
    if method == "predict":
        batches = [(pair,) for pair in batches]
    data = {
        "PyDataset": lambda: Batches(workers=1),
        "generator": lambda: (batch for batch in batches),
        "dataset": lambda: tf.data.Dataset.from_generator(
            lambda: iter(batches),
            output_signature=tf.nest.map_structure(tf.type_spec_from_value, batches[-1]),
        ),
    }[kind]()
    steps = {"steps_per_epoch" if method == "fit" else "steps": 3}
    with pytest.raises(ValueError, match=matches("nan" if kind != "dataset" else "later batch")):
        getattr(vae, method)(data, verbose=0, **steps)


def test_a_checked_sequence_is_read_as_the_one_it_checks():
    seen = []

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, i):
            seen.append(i)
            return X, Y

        def on_epoch_end(self):
            seen.append("end")

    made(CLASSES).fit(Batches(), epochs=2, shuffle=False, verbose=0)
    assert seen == [0, 0, 0, 1, "end", 0, 1, "end"] or seen[-3:] == [0, 1, "end"]


def nested_label(embedding):
    """A decoder that passes its label on to a model within it."""
    z, y = keras.Input((2,)), keras.Input((), dtype="int32")
    inner_y = keras.Input((), dtype="int32")
    inner = keras.Model(inner_y, embedding(keras.layers.Reshape((1,))(inner_y)))
    joined = keras.layers.concatenate([z, keras.layers.Flatten()(inner(y))])
    positions = keras.layers.Embedding(3, 2)(keras.ops.zeros((1,), "int32"))
    hidden = keras.layers.Dense(16)(joined) + keras.ops.sum(positions)
    return keras.Model([z, y], keras.layers.Reshape(zoo.SHAPE)(hidden))


@pytest.mark.parametrize(
    ("embedding", "classes"),
    [
        (lambda y: keras.layers.Embedding(9, 4)(y), 9),
        (lambda y: keras.ops.one_hot(y, 12), 10),  # of which the encoder knows 10
        (lambda y: keras.layers.CategoryEncoding(8, output_mode="one_hot")(y), 8),
    ],
)
def test_the_number_of_classes_is_that_of_the_layers_that_take_the_label(embedding, classes):
    encoder = tfvae.mlp_vae(zoo.SHAPE, 2, (4,), condition=10).encoder
    vae = tfvae.VAE(encoder, nested_label(embedding), seed=0)
    assert vae.num_classes == classes
    vae.sample(1, y=[classes - 1])
    with pytest.raises(ValueError, match=matches(f"from 0 to {classes - 1}")):
        vae.sample(1, y=[classes])


def test_labels_of_unknown_number_are_whole_and_fit_the_type():
    for right in ([0, 5], [2**31 - 1, 0]):
        assert conditions.check(right, (), "int32", None, 2).dtype == np.int32
    for wrong in ([0, -1], [0, 2**31], [0.5, 1]):
        with pytest.raises(ValueError, match=matches("from 0")):
            conditions.check(wrong, (), "int32", None, 2)
    with pytest.raises(ValueError, match=matches("from 0 to 127")):
        conditions.check([128], (), "int8", None, 1)


def test_the_check_of_a_file_needs_no_tensorflow():
    code = (
        "import sys; from tfvae.export.sampler import Sampler; from tfvae.validation import "
        "conditions; conditions.check([3], [], 'int32', 9, 1); import json; "
        "print(json.dumps([m for m in sys.modules if m in ('tensorflow', 'keras')]))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(found) == []


def test_a_label_is_what_a_model_of_normals_draws_by():
    """The decoder's mean is the label itself, in the model and in the file."""
    z, y = keras.Input((2,)), keras.Input((), dtype="int32")
    table = keras.layers.Embedding(CLASSES, 1, weights=[np.arange(CLASSES)[:, None]])
    mean = table(y) + 0.0 * keras.layers.Dense(1)(z)
    encoder = tfvae.mlp_vae((1,), 2, (4,), condition=CLASSES).encoder
    vae = tfvae.VAE(encoder, keras.Model([z, y], mean), likelihood=likelihoods.Normal(0.1))
    labels = np.array([8, 0, 3, 3])
    assert np.array_equal(vae.sample(4, y=labels)[:, 0], labels.astype(np.float32))
    assert np.array_equal(vae.reconstruct(np.zeros((4, 1)), y=labels)[:, 0], labels)
