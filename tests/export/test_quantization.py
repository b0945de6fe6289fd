"""Smaller files: what is quantized and what is not, their measured quality, and their refusal."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference, matches
from tests.support import zoo
from tests.support.nightly import nightly
from tfvae import priors
from tfvae.export import Sampler, examples, flatbuffer, layer_losses, signatures

pytestmark = pytest.mark.xdist_group("export")  # one process makes the files they share

QUANTIZED = ("float16", "dynamic_int8", "int8")
every = pytest.mark.parametrize("quantization", QUANTIZED)


@pytest.fixture(scope="module")
def files(quantized):
    return quantized


@pytest.fixture(scope="module")
def samplers(files):
    return {name: Sampler(path) for name, path in files.items()}


@every
def test_the_latents_are_those_of_the_float32_file_bit_for_bit(samplers, quantization):
    x, z = samplers[None].sample(40, seed=7, return_latent=True)
    small_x, small_z = samplers[quantization].sample(40, seed=7, return_latent=True)
    assert np.array_equal(z, small_z)
    assert not np.array_equal(x, small_x)
    bound = {"float16": 2e-3, "dynamic_int8": 0.05, "int8": 0.1}[quantization]
    assert largest_difference(x, small_x) < bound
    draws = samplers[quantization].sample(40, seed=7, draw=True)
    assert np.mean(draws != samplers[None].sample(40, seed=7, draw=True)) < 0.02


@every
def test_the_sidecar_tells_the_quality_that_the_file_has(
    samplers, files, digits_vae, digits, quantization
):
    sampler = samplers[quantization]
    found = sampler.metadata["quality"]
    expected = digits_vae.sample(64, seed=0).numpy()
    x = sampler.sample(64, seed=0)
    assert found["max_abs_error_x"] == pytest.approx(np.abs(x - expected).max(), rel=1e-5)
    assert found["mean_abs_error_x"] == pytest.approx(np.abs(x - expected).mean(), rel=1e-5)
    # The change of the distortion, from the file's reconstructions alone.
    held_out = tfvae.datasets.binarize_examples(digits.x_test)

    def distortion(mean):
        p = np.clip(np.asarray(mean, np.float64), 1e-9, 1 - 1e-9)
        return -(held_out * np.log(p) + (1 - held_out) * np.log(1 - p)).sum(axis=(1, 2, 3)).mean()

    before = distortion(digits_vae.reconstruct(held_out))
    change = distortion(sampler.reconstruct(held_out)) - before
    assert found["distortion_change_nats"] == pytest.approx(change, abs=2e-3)
    assert abs(change) < {"float16": 0.01, "dynamic_int8": 0.3, "int8": 1.0}[quantization]
    assert found["distortion_measured_on"] == "299 held-out examples"
    written = json.loads(files[quantization].with_suffix(".json").read_text())
    assert written["quantization"] == quantization


def test_the_files_are_smaller(files):
    sizes = {name: path.stat().st_size for name, path in files.items()}
    assert sizes["float16"] < 0.8 * sizes[None]  # a small model: the stream is a good part of it
    assert sizes["int8"] < 0.8 * sizes[None]


def test_int8_pixels_reach_both_ends(tmp_path):
    """Where a sigmoid in int8 ends at 0.996; and latents 4 deviations out are not clipped."""
    vae, _, _ = zoo.BUILDERS["diagonal-standard"]()
    last = vae.decoder.layers[-2]
    last.set_weights([0 * last.get_weights()[0], np.linspace(-12, 12, 16)])
    tfvae.export.to_tflite(vae, tmp_path / "m.tflite", "int8")
    x = Sampler(tmp_path / "m.tflite").sample(2, seed=1)
    assert x.min() < 1e-3 and x.max() > 0.999
    encoder = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(6)])
    linear = tfvae.VAE(encoder, decoder, likelihood=tfvae.likelihoods.Normal(), seed=0)
    tfvae.export.to_tflite(linear, tmp_path / "n.tflite", "int8")
    z = np.array([[3.9, 0.0], [-3.9, 0.0], [0.0, 3.9], [0.0, -3.9]], np.float32)
    found = Sampler(tmp_path / "n.tflite").decode(z)
    assert largest_difference(found, linear.decode(z).mean()) < 0.15


@pytest.mark.parametrize("prior", ["realnvp", nightly("vamp")])
def test_learned_priors_stay_in_float32(tmp_path, prior):
    vae = zoo._mlp("diagonal", prior, "bernoulli", "elbo", "pathwise").vae
    for weight in vae.prior.trainable_weights:
        weight.assign_add(np.random.default_rng(0).normal(0, 0.5, weight.shape).astype(np.float32))
    tfvae.export.to_tflite(vae, tmp_path / "m.tflite", "int8")
    _, z = Sampler(tmp_path / "m.tflite").sample(8, seed=3, return_latent=True)
    assert largest_difference(z, vae.sample_latent(8, seed=3)) < 1e-5


def test_a_conditional_model_is_calibrated_with_every_label(tmp_path):
    vae = tfvae.mlp_vae((4, 4, 1), 3, (8,), condition=10, seed=0)
    metadata = tfvae.export.to_tflite(vae, tmp_path / "m.tflite", "int8")
    assert metadata["num_classes"] == 10
    y = np.arange(10, dtype=np.int32)
    found = Sampler(tmp_path / "m.tflite").sample(10, seed=1, y=y)
    assert largest_difference(found, vae.sample(10, seed=1, y=y)) < 0.05


def test_a_loss_beyond_the_limit_is_refused_with_the_layer(tmp_path, digits, digits_vae):
    words = matches("max_quality_loss", "nats", "layer that loses most is 'dense")
    with pytest.raises(ValueError, match=words):
        tfvae.export.to_tflite(digits_vae, tmp_path / "m.tflite", "int8", max_quality_loss=-5.0)
    assert list(tmp_path.iterdir()) == []
    tfvae.export.to_tflite(digits_vae, tmp_path / "m.tflite", "int8", max_quality_loss=1.0)


def test_the_worst_layer_is_the_one_with_an_outlying_weight():
    vae = tfvae.mlp_vae((4, 4, 1), 3, (8, 8), seed=0)
    layer = [layer for layer in vae.decoder.layers if layer.weights][1]
    kernel, bias = layer.get_weights()
    kernel[0] = 60.0  # one input's weights are far above the others of every output
    layer.set_weights([kernel, bias])
    assert repr(layer.name) in layer_losses.worst_layer(vae)


def test_vamp_components_are_numbers_in_the_file(tmp_path):
    """Computed once: the pseudo-inputs and the encoder that made the components are not in it."""
    sizes = {}
    for name, prior in (("standard", priors.StandardNormal()), ("vamp", priors.VampPrior(5))):
        vae = tfvae.mlp_vae((16, 16, 1), 3, (256,), prior=prior, seed=0)
        sizes[name] = tfvae.export.to_tflite(vae, tmp_path / f"{name}.tflite")["bytes"]
    assert sizes["vamp"] - sizes["standard"] < 12_000  # the encoder has 260 kB, the pseudo-inputs 5


def test_files_hold_equal_vectors_once(files):
    from ai_edge_litert import schema_py_generated as schema

    data = files[None].read_bytes()
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    weights = [bytes(b.data) for b in model.buffers if b.data is not None and len(b.data) > 64]
    assert len(weights) == len(set(weights))
    assert len(flatbuffer.pack(model)) == pytest.approx(len(data), rel=0.02)


def test_the_compiled_model_runs_every_file(files, samplers):
    for name, path in files.items():
        x, z = Sampler(path, compiled=True).sample(20, seed=7, return_latent=True)
        expected, expected_z = samplers[name].sample(20, seed=7, return_latent=True)
        assert largest_difference(x, expected) < 1e-6 and largest_difference(z, expected_z) < 1e-6


def test_the_encoder_signatures_are_the_models(samplers, digits, digits_vae):
    sampler, x = samplers[None], tfvae.datasets.binarize(digits.x_test[:20])
    q = digits_vae.encode(x)
    found = sampler.encode(x)
    assert largest_difference(found["loc"], q.mean()) < 1e-5
    assert largest_difference(found["scale"], q.stddev()) < 1e-5
    line = sampler.interpolate(x[0], x[1], np.linspace(0, 1, 5))
    ends = digits_vae.reconstruct(x[:2])
    assert largest_difference(line[[0, -1]], ends) < 1e-5
    z = tf.linspace(q.mean()[0], q.mean()[1], 5)
    assert largest_difference(line, digits_vae.decode(z).mean()) < 1e-5


def test_the_encoder_draws_from_the_posterior_with_a_seed(samplers, digits, digits_vae):
    """z of `encode_sample` is loc + scale * the normals of the stream."""
    runtime = samplers[None]._runtime
    x = tfvae.datasets.binarize(digits.x_test[:16])
    inputs = {"x": x, "seed": np.array([7], np.int32), "index": np.array([32], np.int32)}
    z = runtime.run("encode_sample", inputs)["z"]
    q = digits_vae.encode(x)
    standard = digits_vae.sample_latent(16, seed=7, start=32)  # the prior is standard normal
    assert largest_difference(z, q.mean() + q.stddev() * standard) < 1e-5


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s: s.encode(np.zeros((2, 3))), ["x of shape"]),
        (lambda s: s.interpolate(np.zeros((8, 8, 1)), np.zeros((8, 8, 1)), 0.5), ["weights"]),
        (
            lambda s: s.interpolate(np.zeros((8, 1)), np.zeros((8, 8, 1)), [0.5]),
            ["x_from of shape"],
        ),
    ],
)
def test_wrong_examples_are_refused_by_the_sampler(samplers, call, words):
    with pytest.raises(ValueError, match=matches(*words)):
        call(samplers[None])


def test_a_file_without_its_encoder_says_so(exported):
    words = matches("signature reconstruct", "export with the encoder")
    with pytest.raises(ValueError, match=words):
        Sampler(exported / "batch_1.tflite").reconstruct(np.zeros((1, 8, 8, 1)))


# What int8 is calibrated with

LABELS = np.arange(40) % 10


@pytest.fixture(scope="module")
def conditional():
    return tfvae.mlp_vae((4, 4, 1), 3, (8,), condition=10, seed=0)


@pytest.fixture(scope="module")
def calibration(conditional):
    """Rows by network and port; each example says by its pixels which it is."""
    x = (np.arange(40)[:, None] >> np.arange(16) & 1).reshape(40, 4, 4, 1).astype(np.float32)
    found = examples.calibration(conditional, signatures.parts(conditional, 4), (x, LABELS), 32)
    rows = {}
    for name, batches in found.items():
        ports = batches[0]
        rows[name] = {port: np.concatenate([batch[port] for batch in batches]) for port in ports}
    return rows


def test_the_encoder_is_calibrated_with_examples_of_the_data_and_their_labels(calibration):
    rows = calibration["encoder"]
    number = rows["x"].reshape(-1, 16) @ (1 << np.arange(16))
    assert len(set(number)) == 32  # as many as were asked for, none twice
    assert np.array_equal(rows["y"], LABELS[number.astype(int)])


def test_the_decoder_is_calibrated_with_latents_of_the_prior_and_their_far_ends(
    calibration, conditional
):
    rows = calibration["decoder"]
    y = np.resize(LABELS, 512)
    z = conditional.sample_latent(512, seed=1, y=y).numpy()
    assert largest_difference(rows["z"][:32], z[:32]) < 1e-6
    assert np.array_equal(rows["y"][:32], y[:32])
    assert set(rows["y"]) == set(range(10))
    for dimension in range(3):
        far = z[:, dimension].mean() + np.array([4, -4]) * z[:, dimension].std()
        assert np.abs(rows["z"][32:, dimension, None] - far).min(axis=0).max() < 1e-4


def test_the_encoder_is_calibrated_with_examples_of_the_data_as_it_sees_them(digits_vae, digits):
    """Grey pixels are drawn as zeros and ones before the encoder sees them."""
    parts = signatures.parts(digits_vae, 4)
    found = examples.calibration(digits_vae, parts, (digits.x_test, None), 32)
    seen = np.concatenate([batch["x"] for batch in found["encoder"]])
    assert set(np.unique(seen)) == {0.0, 1.0}


def test_without_data_a_file_is_calibrated_with_every_label_in_turn(conditional):
    parts = signatures.parts(conditional, 4, encoder=False)
    found = examples.calibration(conditional, parts, (None, None), 32)
    y = np.concatenate([batch["y"] for batch in found["decoder"]])
    assert np.array_equal(y[:32], np.arange(32) % 10)
