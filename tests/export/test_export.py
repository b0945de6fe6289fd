"""The exported files: what is in them, that they are whole, that they draw the model's samples."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference, matches
from tests.support import zoo
from tfvae import _files
from tfvae.export import Sampler, quality, quantize, sidecar

pytestmark = pytest.mark.xdist_group("export")  # one process makes the files they share

VECTORS = np.load(Path(__file__).parents[1] / "vectors" / "jax_normal.npz")


@pytest.fixture(scope="module")
def samplers(exported):
    return {name: Sampler(exported / f"{name}.tflite") for name in ("batch_1", "batch_5_16")}


def operators(path):
    """The op names of a file, read from its bytes by LiteRT's own schema."""
    from ai_edge_litert import schema_py_generated as schema

    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if k.isupper()}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(path.read_bytes(), 0))
    found = []
    for code in model.operatorCodes:
        builtin = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        found.append(code.customCode.decode() if code.customCode else builtin)
    return found


@pytest.mark.parametrize("name", ["batch_1", "batch_5_16"])
def test_the_file_holds_builtin_ops_only(exported, name):
    found = operators(exported / f"{name}.tflite")
    assert {"BITWISE_XOR", "RIGHT_SHIFT", "FULLY_CONNECTED"} <= set(found)
    for op in found:
        assert "CUSTOM" not in op and not op.startswith(("Flex", "RANDOM", "VAR_HANDLE"))
    assert sorted(set(found)) == json.loads((exported / f"{name}.json").read_text())["operators"]


def test_every_port_is_float32_or_int32_of_at_least_one_static_dimension(samplers):
    for sampler in samplers.values():
        interpreter = sampler._runtime._interpreter
        for name in sampler.metadata["signatures"]:
            runner = interpreter.get_signature_runner(name)
            inputs, outputs = runner.get_input_details(), runner.get_output_details()
            for port in (*inputs.values(), *outputs.values()):
                assert port["dtype"] in (np.float32, np.int32)
                assert len(port["shape"]) >= 1
                assert (port["shape_signature"] > 0).all()


def test_signatures_are_those_of_the_contract(samplers, digits_vae):
    one, several = (samplers[name].metadata["signatures"] for name in ("batch_1", "batch_5_16"))
    assert one == {"decode": ["z"], "sample": ["seed", "index"], "draw": ["seed", "index"]}
    names = ("decode", "sample", "draw", "encode", "encode_sample", "reconstruct", "interpolate")
    assert set(several) == {n + s for n in names for s in ("", "_16")}
    assert several["encode_sample"] == ["x", "seed", "index"]
    assert several["interpolate_16"] == ["x_from", "x_to", "weight"]
    runner = samplers["batch_5_16"]._runtime._interpreter.get_signature_runner("sample_16")
    shapes = {k: tuple(v["shape"]) for k, v in runner.get_output_details().items()}
    assert shapes == {"x": (16, 8, 8, 1), "z": (16, 8)}


def test_the_file_draws_the_models_samples(samplers, digits_vae):
    expected, z = digits_vae.sample(40, seed=7), digits_vae.sample_latent(40, seed=7)
    for sampler in samplers.values():
        x, latent = sampler.sample(40, seed=7, return_latent=True)
        assert largest_difference(x, expected) < 1e-5
        assert largest_difference(latent, z) < 1e-6
        assert largest_difference(sampler.decode(z), expected) < 1e-5


def test_sample_37_is_the_same_whatever_the_batch(samplers, digits_vae):
    expected = digits_vae.sample(38, seed=7)[37]
    sixteen = samplers["batch_5_16"]._runtime._interpreter.get_signature_runner("sample_16")
    found = sixteen(seed=np.array([7], np.int32), index=np.array([32], np.int32))["x"][5]
    for x in (
        found,
        samplers["batch_1"].sample(1, seed=7, start=37)[0],
        samplers["batch_5_16"].sample(4, seed=7, start=35)[2],
    ):
        assert largest_difference(x, expected) < 1e-6


@pytest.mark.parametrize("seed", [0, 1, 7, 1234567890, 2**31 - 1, -5])
def test_the_latent_of_the_file_is_jax_random_normal(samplers, seed):
    """The vectors are `jax.random.normal(jax.random.key(seed), (64, 16))`, as 128 rows of 8."""
    expected = VECTORS[f"normal_{seed}"].reshape(128, 8)
    for sampler in samplers.values():
        _, z = sampler.sample(128, seed=seed, return_latent=True)
        assert largest_difference(z, expected) < 1e-6


def test_a_new_process_draws_the_same_without_tensorflow(exported, samplers):
    program = """
import sys, numpy as np
from tfvae.export import Sampler
x = Sampler(sys.argv[1]).sample(5, seed=7, start=30)
unwanted = {"tensorflow", "keras", "tensorflow_probability"}
assert not unwanted & set(sys.modules), "TensorFlow was imported"
np.save(sys.argv[2], x)
"""
    out = exported / "fresh.npy"
    command = [sys.executable, "-c", program, str(exported / "batch_1.tflite"), str(out)]
    subprocess.run(command, check=True)
    assert np.array_equal(np.load(out), samplers["batch_1"].sample(5, seed=7, start=30))


def test_encode_and_reconstruct_are_the_models(samplers, digits, digits_vae):
    x = tfvae.datasets.binarize(digits.x_test[:16])
    q = digits_vae.encode(x)
    run = samplers["batch_5_16"]._runtime._interpreter.get_signature_runner
    found = run("encode_16")(x=x)
    assert largest_difference(found["loc"], q.mean()) < 1e-5
    assert largest_difference(found["scale"], q.stddev()) < 1e-5
    reconstructed = run("reconstruct")(x=x[:5])["x"]
    assert largest_difference(reconstructed, digits_vae.reconstruct(x[:5])) < 1e-5


def test_the_saved_model_serves_any_batch(exported, digits, digits_vae):
    loaded = tf.saved_model.load(str(exported / "saved_model"))
    run = loaded.signatures
    assert {"encode", "encode_sample", "decode", "sample", "draw"} <= set(run)
    assert {"reconstruct", "interpolate"} <= set(run)
    x = tf.constant(tfvae.datasets.binarize(digits.x_test[:7]))
    assert largest_difference(run["encode"](x=x)["loc"], digits_vae.encode(x).mean()) < 1e-5
    assert largest_difference(run["reconstruct"](x=x)["x"], digits_vae.reconstruct(x)) < 1e-5
    z = digits_vae.sample_latent(38, seed=7)
    assert largest_difference(run["decode"](z=z)["x"], digits_vae.sample(38, seed=7)) < 1e-5
    for indices in (range(38), [37, 3]):
        found = run["sample"](seed=tf.constant([7]), index=tf.constant(list(indices)))
        assert largest_difference(found["z"], tf.gather(z, list(indices))) < 1e-6


def test_the_sidecar_describes_this_very_file(exported, digits_vae):
    metadata = json.loads((exported / "batch_1.json").read_text())
    assert metadata["sha256"] == sidecar.sha256((exported / "batch_1.tflite").read_bytes())
    expected = {
        "format_version": 1,
        "package_version": tfvae.__version__,
        "event_shape": [8, 8, 1],
        "value_range": [0.0, 1.0],
        "latent_dim": 8,
        "latent_sizes": [8],
        "num_classes": None,
        "batch_sizes": [1],
        "prior": "StandardNormal()",
        "posterior": "DiagonalNormal()",
        "likelihood": "Bernoulli(dynamic_binarization=True)",
        "quantization": None,
    }
    assert {key: metadata[key] for key in expected} == expected
    assert 0 <= metadata["quality"]["max_abs_error_x"] <= 1e-5


def test_a_file_without_its_sidecar_or_with_another_is_refused(exported, tmp_path):
    model = (exported / "batch_1.tflite").read_bytes()
    text = (exported / "batch_1.json").read_text()
    target = tmp_path / "m.tflite"
    with pytest.raises(ValueError, match=matches("m.tflite", "no such file")):
        Sampler(target)
    target.write_bytes(model)
    with pytest.raises(ValueError, match=matches("m.json", "no such file")):
        Sampler(target)
    for wrong, word in (
        ("{", "JSON"),
        ("[]", "format version"),
        (json.dumps({"format_version": 2}), "format version 2"),
    ):
        (tmp_path / "m.json").write_text(wrong)
        with pytest.raises(ValueError, match=matches(word)):
            Sampler(target)
    (tmp_path / "m.json").write_text(text)
    Sampler(target)
    target.write_bytes(model[:-1] + bytes([model[-1] ^ 1]))
    with pytest.raises(ValueError, match=matches("sha256", "export the model again")):
        Sampler(target)


def test_what_leaves_the_stream_is_refused_by_the_sampler(samplers):
    sampler = samplers["batch_1"]
    for arguments in (
        {"n": 0},
        {"n": 1, "start": -1},
        {"n": 1, "seed": 2**32},
        {"n": 2, "start": 2**29 - 1},
    ):
        with pytest.raises(ValueError, match=matches()):
            sampler.sample(**arguments)
    assert sampler.sample(1, start=2**29 - 1).shape == (1, 8, 8, 1)
    for z in (np.zeros((2, 7)), np.zeros(8), np.zeros((0, 8))):
        with pytest.raises(ValueError, match=matches("z of shape")):
            sampler.decode(z)
    for number in (np.nan, np.inf):
        with pytest.raises(ValueError, match=matches("finite numbers in z")):
            sampler.decode(np.full((1, 8), number))
    with pytest.raises(ValueError, match=matches("none for any other")):
        sampler.sample(1, y=np.zeros(1))


def test_threads_share_a_sampler(samplers):
    from concurrent.futures import ThreadPoolExecutor

    sampler = samplers["batch_5_16"]
    expected = [sampler.sample(20, seed=s) for s in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda s: sampler.sample(20, seed=s), range(8)))
    assert all(np.array_equal(a, b) for a, b in zip(found, expected))


def test_tensorflow_runs_the_file_where_litert_is_missing(exported, samplers, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    x = Sampler(exported / "batch_1.tflite").sample(3, seed=7)
    assert largest_difference(x, samplers["batch_1"].sample(3, seed=7)) < 1e-6
    monkeypatch.setitem(sys.modules, "tensorflow.lite", None)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ValueError, match=matches("pip install ai-edge-litert")):
        Sampler(exported / "batch_1.tflite")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"path": "m.bin"}, "tflite"),
        ({"quantization": "int4"}, "int4"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": (1, 1)}, "different"),
        ({"batch_size": ()}, "batch"),
        ({"quantization": "int8", "include_encoder": True}, "calibrate"),
        ({"data": np.full((3, 4, 4, 1), 0.5, np.float32)}, "Bernoulli"),
        ({"data": np.zeros((3, 4, 4))}, "data of shape"),
    ],
)
def test_arguments_out_of_range_are_refused_before_anything_is_written(
    tmp_path, small, arguments, word
):
    path = tmp_path / arguments.pop("path", "m.tflite")
    with pytest.raises(ValueError, match=matches(word)):
        tfvae.export.to_tflite(small.vae, path, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_written_is_refused_first(tmp_path, small, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(quantize, "convert_parts", lambda *_: pytest.fail("converted in vain"))
    with pytest.raises(ValueError, match=matches("a place to write")):
        tfvae.export.to_tflite(small.vae, tmp_path / "file" / "m.tflite")
    with pytest.raises(ValueError, match=matches("a place to write")):
        tfvae.export.to_saved_model(small.vae, tmp_path / "file" / "saved")
    with pytest.raises(ValueError, match=matches("folder")):
        tfvae.export.to_saved_model(small.vae, tmp_path / "file")


def test_a_failed_export_leaves_the_old_files_whole(tmp_path, small, monkeypatch):
    (tmp_path / "m.tflite").write_text("old model")
    keys = ("format_version", "package_version", "signatures", "random")
    hashed = sidecar.sha256(b"old model")
    (tmp_path / "m.json").write_text(json.dumps({**dict.fromkeys(keys), "sha256": hashed}))
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "old").write_text("")
    _files.mark(tmp_path / "saved")

    def fail(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(quality, "measure", fail)
    with pytest.raises(KeyboardInterrupt):
        tfvae.export.to_tflite(small.vae, tmp_path / "m.tflite")
    monkeypatch.setattr("tfvae.export.saved_model.write_archive", fail)
    with pytest.raises(KeyboardInterrupt):
        tfvae.export.to_saved_model(small.vae, tmp_path / "saved")
    assert sorted(os.listdir(tmp_path)) == ["m.json", "m.tflite", "saved"]
    assert (tmp_path / "m.tflite").read_text() == "old model"
    assert sorted(os.listdir(tmp_path / "saved")) == ["old", "tfvae.json"]


def test_a_file_that_differs_from_the_model_is_not_written(tmp_path, monkeypatch):
    vae, _, _ = zoo.BUILDERS["diagonal-standard"]()
    convert = quantize.convert_parts

    def convert_another(vae, *arguments):
        bias = vae.decoder.weights[-1]
        own = bias.numpy()
        bias.assign(own + np.float32(1e-3))
        models = convert(vae, *arguments)
        bias.assign(own)
        return models

    monkeypatch.setattr(quantize, "convert_parts", convert_another)
    with pytest.raises(ValueError, match=matches("within 1e-05")):
        tfvae.export.to_tflite(vae, tmp_path / "m.tflite")
    assert list(tmp_path.iterdir()) == []


def test_an_op_that_no_device_has_is_named(tmp_path):
    import keras

    class Unknown(keras.layers.Layer):
        def call(self, z):
            return tf.math.igamma(tf.exp(z), tf.exp(z))

    decoder = keras.Sequential([keras.Input((2,)), Unknown(), keras.layers.Dense(4)])
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    with pytest.raises(ValueError, match=matches("Igamma")):
        tfvae.export.to_tflite(tfvae.VAE(encoder, decoder), tmp_path / "m.tflite")
    assert list(tmp_path.iterdir()) == []
