"""What the options of an export do, and what its files tell, on a conditional model.

Its weights are far from where they start, so that a label lost on the way to a network changes
the numbers below.
"""

import hashlib
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference, matches
from tests.support import zoo
from tests.support.recording import record
from tfvae import random
from tfvae.export import Sampler, examples, quality, tflite
from tfvae.export.runtime import InterpreterRuntime

pytestmark = pytest.mark.xdist_group("export options")  # one process makes the files they share

X, Y = zoo.binary(40), np.arange(40) % 10
LABELS = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5], np.int32)
START = 40


@pytest.fixture(scope="module")
def vae():
    """With a learned prior, whose components were made of labels as well."""
    keras.utils.set_random_seed(0)
    vae = zoo.BUILDERS["conditional_vamp"]().vae
    rng = np.random.default_rng(0)
    for weight in vae.trainable_weights:
        weight.assign_add(rng.normal(0, 0.3, weight.shape).astype(np.float32))
    return vae


@pytest.fixture(scope="module")
def files(vae, tmp_path_factory):
    """`saved_model`, `float32.tflite` and `int8.tflite` of it."""
    folder = tmp_path_factory.mktemp("conditional")
    tfvae.export.to_saved_model(vae, folder / "saved_model")
    for name, quantization, sizes in (("float32", None, (3, 5)), ("int8", "int8", 3)):
        options = {"include_encoder": True, "data": X, "data_y": Y}
        tfvae.export.to_tflite(vae, folder / f"{name}.tflite", quantization, sizes, **options)
    return folder


@pytest.fixture(scope="module")
def served(files):
    """The signatures of the SavedModel, `served(name, **arrays) -> {port: array}`."""
    model = tf.saved_model.load(str(files / "saved_model"))

    def run(name, **inputs):
        outputs = model.signatures[name](**{port: tf.constant(v) for port, v in inputs.items()})
        return {port: value.numpy() for port, value in outputs.items()}

    return run


# The SavedModel and the file


@pytest.mark.parametrize("seed", [7, -3])
@pytest.mark.parametrize("name", ["sample", "draw"])
def test_the_saved_model_draws_what_the_file_and_the_model_draw(vae, files, served, name, seed):
    draw = name == "draw"
    options = {"seed": seed, "start": START, "y": LABELS}
    x, z = Sampler(files / "float32.tflite").sample(11, draw=draw, return_latent=True, **options)
    index = np.arange(START, START + 11, dtype=np.int32)
    found = served(name, seed=np.array([seed], np.int32), index=index, y=LABELS)
    assert largest_difference(found["z"], z) < 1e-5
    assert largest_difference(vae.sample_latent(11, **options), z) < 1e-5
    expected = vae.sample(11, draw=draw, **options)
    for given in (found["x"], x):
        # A uniform beside a probability may be drawn as either of the two.
        assert np.mean(np.abs(given - expected) > 1e-5) < (0.02 if draw else 1e-9)


def test_a_sample_keeps_its_number_and_its_label_wherever_it_is_asked_for(served):
    index = np.array([START + 10, START, START + 4], np.int32)
    seed = np.array([7], np.int32)
    rows = served("sample", seed=seed, index=np.arange(START, START + 11, dtype=np.int32), y=LABELS)
    found = served("sample", seed=seed, index=index, y=LABELS[index - START])
    assert largest_difference(found["x"], rows["x"][index - START]) < 1e-6
    other = served("sample", seed=seed, index=index, y=(LABELS[index - START] + 1) % 10)
    assert np.abs(other["x"] - found["x"]).max(axis=(1, 2, 3)).min() > 1e-2


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("encode", {"x": X[:3]}),
        ("encode_sample", {"x": X[:3], "seed": [7], "index": [START]}),
        ("reconstruct", {"x": X[:3]}),
        ("interpolate", {"x_from": X[:3], "x_to": X[3:6], "weight": [0.0, 0.3, 1.0]}),
    ],
)
def test_the_signatures_of_the_encoder_are_the_same_in_both(files, served, name, inputs):
    dtypes = {"seed": np.int32, "index": np.int32}
    inputs = {port: np.array(v, dtypes.get(port, np.float32)) for port, v in inputs.items()}
    inputs["y"] = LABELS[:3]
    file = InterpreterRuntime((files / "float32.tflite").read_bytes()).run(name, inputs)
    if name == "encode_sample":
        inputs["index"] = START + np.arange(3, dtype=np.int32)  # a SavedModel takes each number
    found = served(name, **inputs)
    assert set(found) == set(file)
    for port, value in file.items():
        assert largest_difference(found[port], value) < 1e-5
    relabelled = served(name, **{**inputs, "y": LABELS[:3] + 1})
    assert all(largest_difference(relabelled[port], found[port]) > 1e-2 for port in found)


# The sidecar


def nats(x, mean):
    """-log p(x) of zeros and ones, averaged over the examples."""
    p = np.clip(np.asarray(mean, np.float64), 1e-9, 1 - 1e-9)
    return -(x * np.log(p) + (1 - x) * np.log1p(-p)).sum(axis=(1, 2, 3)).mean()


@pytest.mark.parametrize("name", ["float32", "int8"])
def test_the_sidecar_is_what_can_be_read_off_the_file(files, name):
    told = json.loads((files / f"{name}.json").read_text())
    model = (files / f"{name}.tflite").read_bytes()
    assert told["sha256"] == hashlib.sha256(model).hexdigest()
    assert told["bytes"] == len(model)
    assert told["batch_sizes"] == ([3, 5] if name == "float32" else [3])
    assert told["quantization"] == (None if name == "float32" else name)
    labels = ("condition_shape", "condition_dtype", "num_classes")
    assert [told[key] for key in labels] == [[], "int32", 10]
    interpreter = InterpreterRuntime(model)._interpreter
    assert set(told["signatures"]) == set(interpreter.get_signature_list())
    for signature, inputs in told["signatures"].items():
        runner = interpreter.get_signature_runner(signature)
        given, made = runner.get_input_details(), runner.get_output_details()
        assert set(inputs) == set(given)
        assert set(told["outputs"][signature]) == set(made)
        batch = 5 if signature.endswith("_5") else 3
        assert {tuple(made[port]["shape"][:1]) for port in made} == {(batch,)}
        if "x" in made:
            assert list(made["x"]["shape"][1:]) == told["event_shape"] == [4, 4, 1]
        if "z" in made:
            assert [made["z"]["shape"][1]] == told["latent_sizes"] == [told["latent_dim"]]


@pytest.mark.parametrize("name", ["float32", "int8"])
def test_the_quality_in_the_sidecar_is_that_of_the_file(vae, files, name):
    sampler = Sampler(files / f"{name}.tflite")
    told = sampler.metadata["quality"]
    y = np.arange(64) % 10  # every label in turn
    x, z = sampler.sample(64, seed=0, y=y, return_latent=True)
    expected, expected_z = vae.sample(64, seed=0, y=y).numpy(), vae.sample_latent(64, seed=0, y=y)
    assert told["max_abs_error_x"] == pytest.approx(np.abs(x - expected).max(), rel=0.1, abs=2e-7)
    assert told["mean_abs_error_x"] == pytest.approx(np.abs(x - expected).mean(), rel=0.1, abs=2e-7)
    assert told["max_abs_error_z"] == pytest.approx(largest_difference(z, expected_z), abs=1e-6)
    decoded = largest_difference(sampler.decode(expected_z, y=y), expected)
    assert told["max_abs_error_decode"] == pytest.approx(decoded, rel=0.1, abs=2e-7)
    assert (told["samples"], told["seed"]) == (64, 0)

    change = nats(X, sampler.reconstruct(X, y=Y)) - nats(X, vae.reconstruct(X, y=Y))
    assert told["distortion_change_nats"] == pytest.approx(change, abs=2e-3)
    assert told["distortion_measured_on"] == "40 held-out examples"


def test_the_file_is_measured_at_each_of_its_batch_sizes(vae, files, monkeypatch):
    with_batch_size = Sampler.with_batch_size

    def wrong_at_five(sampler, size):
        """Decodes another z, as a file whose second signature is wrong."""
        found = with_batch_size(sampler, size)
        if size == 5:
            found.decode = lambda z, y=None: with_batch_size(sampler, 5).decode(z + 1.0, y=y)
        return found

    monkeypatch.setattr(Sampler, "with_batch_size", wrong_at_five)
    monkeypatch.setattr(quality, "_distortion_change", lambda *args: (0.0, "nothing"))
    model = (files / "float32.tflite").read_bytes()
    told = json.loads((files / "float32.json").read_text())
    with pytest.raises(ValueError, match=matches("max_abs_error_decode", "nothing was written")):
        quality.measure(vae, model, told, {}, {}, (X, Y), examples.samples(vae, Y))


def test_int8_changes_what_is_measured(files):
    told = [Sampler(files / f"{name}.tflite").metadata["quality"] for name in ("float32", "int8")]
    for key in ("max_abs_error_x", "mean_abs_error_x", "max_abs_error_decode"):
        assert told[1][key] > 1e-3 > 10 * told[0][key]
    changes = [abs(quality["distortion_change_nats"]) for quality in told]
    assert changes[1] > 1e-2 > 10 * changes[0]


# A limit to what may be lost


@pytest.mark.parametrize(
    ("limit", "accepted", "refused"),
    [(0.0, [0.0, -0.3], [1e-9, 0.3]), (0.5, [0.5, 0.0], [0.5000001]), (-0.5, [-0.5], [0.0])],
)
def test_a_limit_takes_its_own_value_and_refuses_more(vae, limit, accepted, refused):
    def check(change):
        measured = {"distortion_change_nats": change, "distortion_measured_on": "nothing"}
        quality.refuse_loss(measured, limit, vae)

    for change in accepted:
        check(change)
    for change in refused:
        with pytest.raises(ValueError, match=matches("max_quality_loss", str(limit))):
            check(change)


def test_a_file_that_loses_anything_is_refused_at_a_limit_of_zero(tmp_path, monkeypatch):
    """Without data, the loss is that of examples drawn from the model."""
    vae = tfvae.mlp_vae((4, 4, 1), 3, (8,), seed=0)
    kernel, bias = vae.decoder.layers[1].get_weights()
    kernel *= 3
    kernel[0, 0] = 60.0  # in steps of 60 / 127, of which the other weights are a few
    vae.decoder.layers[1].set_weights([kernel, bias])
    measure, measured = quality.measure, []

    def watch(vae, model, metadata, *rest):
        measured.append((Sampler.from_bytes(model, metadata), measure(vae, model, metadata, *rest)))
        return measured[0][1]

    monkeypatch.setattr(quality, "measure", watch)
    with pytest.raises(ValueError, match=matches("at most 0.0 nats", "64 samples of the model")):
        tfvae.export.to_tflite(vae, tmp_path / "m.tflite", "int8", max_quality_loss=0.0)
    assert list(tmp_path.iterdir()) == []

    ((sampler, told),) = measured
    means = [source.sample(64, seed=0) for source in (sampler, vae)]
    noise = random.Stream(random.seed_key(tf.constant(0)), tf.range(64)).fold_in(1)
    x = np.reshape(noise.uniform(16), (64, 4, 4, 1)) < np.asarray(means[1])
    x = x.astype(np.float32)
    change = nats(x, means[0]) - nats(x, means[1])
    assert told["distortion_change_nats"] == pytest.approx(change, abs=2e-3)
    assert change > 0.01


def test_the_options_of_a_page_are_those_of_its_file(vae, tmp_path, monkeypatch):
    calls = record(monkeypatch, tflite, "to_tflite", returns={"told": "nothing"})
    page = tmp_path / "page"
    options = {"title": "Mine", "quantization": "int8", "max_quality_loss": 0.0}
    assert tfvae.export.to_web(vae, page, **options) == {"told": "nothing"}
    (call,) = calls
    assert call["vae"] is vae
    assert call["path"].name == "model.tflite"
    assert (call["quantization"], call["max_quality_loss"]) == ("int8", 0.0)
    assert tuple(call["batch_size"]) == (1, 16)
    assert "<h1>Mine</h1>" in (page / "index.html").read_text()
