"""Exports at the edges: many layers of latents, numbers that are not finite, missing methods."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tests.conftest import largest_difference, matches
from tests.support.nightly import nightly
from tfvae import likelihoods
from tfvae.export import Sampler

pytestmark = pytest.mark.xdist_group("export edges")

tfd = tfp.distributions
SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]


# Eleven layers


class Layers(tfvae.priors.Prior):
    """Eleven independent layers, layer i around i, which the decoder takes all."""

    support = tfvae.pieces.LAYERS

    def distribution(self, y=None):
        return tfd.JointDistributionSequential(
            [
                tfd.MultivariateNormalDiag(tf.fill([size], float(i)), tf.ones([size]))
                for i, size in enumerate(SIZES)
            ]
        )

    def sample(self, noise, y=None):
        parts = tf.split(noise.normal(sum(SIZES)), SIZES, axis=1)
        return [part + float(i) for i, part in enumerate(parts)]


class OfLayers(tfvae.posteriors.Posterior):
    """Layers of known scale: the encoder gives their means."""

    support = tfvae.pieces.LAYERS

    def params_size(self, latent_dim):
        return list(latent_dim)

    def distribution(self, params):
        return tfd.JointDistributionSequential(
            [tfd.MultivariateNormalDiag(p, tf.ones_like(p)) for p in params]
        )

    def point_estimate(self, params):
        return list(params)

    def encode_outputs(self, params):
        return {f"loc_{i}": p for i, p in enumerate(params)}


@pytest.fixture(scope="module")
def eleven(tmp_path_factory):
    """A linear model of eleven layers, and its file with the encoder.

    A file runs as in evaluation, so that nothing is dropped.
    """
    keras.utils.set_random_seed(0)
    inputs = [keras.Input((size,)) for size in SIZES]
    outputs = keras.layers.Dense(4)(keras.layers.concatenate(inputs))
    decoder = keras.Model(inputs, keras.layers.Dropout(0.5)(outputs))
    x = keras.Input((4,))
    kept = keras.layers.Dropout(0.5)(x)
    encoder = keras.Model(x, [keras.layers.Dense(size)(kept) for size in SIZES])
    likelihood = tfvae.likelihoods.Normal()
    vae = tfvae.VAE(encoder, decoder, OfLayers(), Layers(), likelihood, seed=0)
    path = tmp_path_factory.mktemp("eleven") / "m.tflite"
    tfvae.export.to_tflite(vae, path, batch_size=2, include_encoder=True)
    return vae, Sampler(path)


def test_eleven_layers_are_drawn_in_their_order(eleven):
    """z_10 comes after z_2 and z_9: the file's numbers are JAX's normals, each layer's its own."""
    _, sampler = eleven
    assert sampler.metadata["latent_sizes"] == sampler.metadata["latent_dim"] == SIZES
    assert sampler.metadata["outputs"]["sample"] == ["x", *(f"z_{i}" for i in range(11))]
    assert sampler.metadata["outputs"]["encode"] == [f"loc_{i}" for i in range(11)]
    _, z = sampler.sample(64, seed=7, return_latent=True)
    assert [part.shape for part in z] == [(64, size) for size in SIZES]
    for i, part in enumerate(z):
        assert abs(part.mean() - i) < 5 / np.sqrt(part.size)  # five standard errors


def test_eleven_layers_are_decoded_in_their_order(eleven):
    vae, sampler = eleven
    rng = np.random.default_rng(0)
    z = [rng.normal(size=(3, size)).astype(np.float32) for size in SIZES]
    kernel, bias = vae.decoder.get_weights()
    assert largest_difference(sampler.decode(z), np.concatenate(z, axis=1) @ kernel + bias) < 1e-5
    with pytest.raises(ValueError, match=matches("z of shape")):
        sampler.decode(z[::-1])


def test_eleven_layers_are_encoded_in_their_order(eleven):
    vae, sampler = eleven
    x = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    found = sampler.encode(x)
    weights = vae.encoder.get_weights()
    for i in range(11):
        kernel, bias = weights[2 * i : 2 * i + 2]
        assert largest_difference(found[f"loc_{i}"], x @ kernel + bias) < 1e-5


# Numbers that no file can hold


def linear(last=None, units=4):
    """A model of vectors `[units]` by one matrix each way, and `last` on the decoder's output."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((2,)), keras.layers.Dense(units, name="matrix")]
    decoder = keras.Sequential([*layers, *([] if last is None else [last])])
    encoder = keras.Sequential([keras.Input((units,)), keras.layers.Dense(4)])
    return tfvae.VAE(encoder, decoder, likelihood=tfvae.likelihoods.Normal(), seed=0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused_by_name(tmp_path, value):
    vae = linear()
    kernel, bias = vae.decoder.layers[0].get_weights()
    kernel[1, 2] = value
    vae.decoder.layers[0].set_weights([kernel, bias])
    for export, path in (
        (tfvae.export.to_tflite, tmp_path / "m.tflite"),
        (tfvae.export.to_saved_model, tmp_path / "saved"),
    ):
        with pytest.raises(ValueError, match=matches("finite", "1 of 8", "matrix/kernel")):
            export(vae, path)
    assert list(tmp_path.iterdir()) == []


class Exponential(keras.layers.Layer):
    """exp(1000 z), beyond float32 for most z, and its tanh if asked, which is bounded."""

    def __init__(self, *, bounded, **kwargs):
        super().__init__(**kwargs)
        self.bounded = bounded

    def call(self, z):
        grown = keras.ops.exp(1000 * z)
        return keras.ops.tanh(grown) if self.bounded else grown


@pytest.mark.parametrize("quantization", [None, "int8"])
def test_samples_that_are_not_finite_are_refused(tmp_path, quantization):
    with pytest.raises(ValueError, match=matches("samples are all finite", "decoder's output")):
        vae = linear(Exponential(bounded=False))
        tfvae.export.to_tflite(vae, tmp_path / "m.tflite", quantization)
    assert list(tmp_path.iterdir()) == []


def test_activations_without_a_scale_in_int8_are_refused_with_their_place(tmp_path):
    vae = linear(Exponential(bounded=True, name="grower"))
    with pytest.raises(ValueError, match=matches("int8", "grower\\w*/Exp", "decoder")):
        tfvae.export.to_tflite(vae, tmp_path / "m.tflite", "int8")
    assert list(tmp_path.iterdir()) == []


def test_a_loop_in_int8_is_refused_with_its_place(tmp_path):
    """LiteRT's calibration of a loop ends the process."""
    layers = keras.layers
    decoder = keras.Sequential(
        [
            keras.Input((2,)),
            layers.RepeatVector(3),
            layers.GRU(2, return_sequences=True, name="gated"),
        ]
    )
    encoder = keras.Sequential([keras.Input((3, 2)), layers.Flatten(), layers.Dense(4)])
    vae = tfvae.VAE(encoder, decoder, likelihood=tfvae.likelihoods.Normal(), seed=0)
    with pytest.raises(ValueError, match=matches("loop", "gated", "unroll=True")):
        tfvae.export.to_tflite(vae, tmp_path / "m.tflite", "int8")


@pytest.mark.parametrize("scale", [nightly(1e6), 1e-7])
def test_weights_beyond_float16_stay_in_float32(tmp_path, scale):
    """Of three matrices the last one is halved; the others, which hold the scale, cannot be.

    The converter multiplies the rescaling into the second; across an activation it cannot.
    """
    keras.utils.set_random_seed(0)
    layers = keras.layers
    dense = [layers.Dense(200, "relu"), layers.Dense(200, "relu"), layers.Dense(200)]
    rescaling = layers.Rescaling(1 / scale)
    decoder = keras.Sequential([keras.Input((4,)), dense[0], rescaling, *dense[1:]])
    dense[0].set_weights([scale * w for w in dense[0].get_weights()])
    encoder = keras.Sequential([keras.Input((200,)), layers.Dense(8)])
    vae = tfvae.VAE(encoder, decoder, likelihood=tfvae.likelihoods.Normal(), seed=0)
    metadata = tfvae.export.to_tflite(vae, tmp_path / "m.tflite", "float16")
    assert metadata["bytes"] < 0.85 * sum(4 * w.size for w in decoder.get_weights())

    z = np.random.default_rng(0).normal(size=(1, 4)).astype(np.float32)
    first, second, third = (layer.get_weights()[0].astype(np.float64) for layer in dense)
    hidden = np.maximum(z.astype(np.float64) @ first, 0.0) / scale
    expected = np.maximum(hidden @ second, 0.0) @ third
    found = Sampler(tmp_path / "m.tflite").decode(z)
    assert largest_difference(found, expected) < 2e-3 * np.abs(expected).max()


def test_float16_halves_large_arrays_alone(tmp_path):
    """Of a decoder z W + b, the W of 400 elements is rounded to float16 and the b of 100 is not."""
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense(100)
    decoder = keras.Sequential([keras.Input((4,)), dense])
    kernel, bias = np.random.default_rng(0).normal(size=(2, 4, 100)).astype(np.float32)
    dense.set_weights([kernel, bias[0]])
    encoder = keras.Sequential([keras.Input((100,)), keras.layers.Dense(8)])
    vae = tfvae.VAE(encoder, decoder, likelihood=tfvae.likelihoods.Normal(), seed=0)
    tfvae.export.to_tflite(vae, tmp_path / "m.tflite", "float16")

    z = np.eye(4, dtype=np.float32)
    found = Sampler(tmp_path / "m.tflite").decode(z)
    halved = kernel.astype(np.float16).astype(np.float32)
    assert np.array_equal(found, halved + bias[0])
    assert not np.array_equal(found, kernel + bias[0])
    rounded = bias[0].astype(np.float16).astype(np.float32)
    assert not np.array_equal(found, halved + rounded)


def test_the_sidecar_is_json(tmp_path):
    """Of values with one end, which JSON has no number for."""

    class Positive(tfvae.likelihoods.Normal):
        value_range = (np.float32(0), np.inf)

    vae = linear()
    vae = tfvae.VAE(vae.encoder, vae.decoder, likelihood=Positive(), seed=0)
    tfvae.export.to_tflite(vae, tmp_path / "m.tflite")

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    told = json.loads((tmp_path / "m.json").read_text(), parse_constant=refuse)
    assert told["value_range"] is None
    with pytest.raises(ValueError, match="JSON"):
        tfvae.export.sidecar.dumps({"change": float("inf")})


# Methods that a user's own piece does not have


class Undrawn(tfvae.likelihoods.Likelihood):
    """N(params, 1) without `draw`."""

    def distribution(self, params):
        return tfd.Independent(tfd.Normal(params, 1.0), 1)


class Unsampled(tfvae.priors.Prior):
    """N(0, 1) without `sample`."""

    def distribution(self, y=None):
        return tfd.MultivariateNormalDiag(tf.zeros([2]), tf.ones([2]))


class Located(tfvae.posteriors.Posterior):
    """N(params, 1) without `sample`."""

    def params_size(self, latent_dim):
        return latent_dim

    def distribution(self, params):
        return tfd.MultivariateNormalDiag(params, tf.ones_like(params))


MISSING = {
    "draw": ((None, None, Undrawn), {"draw": "Undrawn does not define draw"}),
    "observed": (
        (None, None, lambda: tfvae.likelihoods.Observed(Undrawn())),
        {"draw": "Undrawn does not define draw"},
    ),
    "sample": (
        (None, Unsampled, tfvae.likelihoods.Normal),
        dict.fromkeys(("sample", "draw"), "Unsampled does not define sample"),
    ),
    "posterior": (
        (Located, None, tfvae.likelihoods.Normal),
        {"encode_sample": "Located does not define sample"},
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_signature_that_lacks_its_method_is_left_out_and_said(tmp_path, name, caplog):
    (posterior, prior, likelihood), left_out = MISSING[name]
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2 if posterior else 4)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)])
    pieces = [piece and piece() for piece in (posterior, prior, likelihood)]
    vae = tfvae.VAE(encoder, decoder, *pieces, seed=0)

    tfvae.export.to_tflite(vae, tmp_path / "m.tflite", include_encoder=True)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "tfvae"]
    assert all(f"{key} ({reason})" in line for key, reason in left_out.items())
    sampler = Sampler(tmp_path / "m.tflite")
    assert sampler.metadata["left_out"] == left_out
    every = {"decode", "sample", "draw", "encode", "encode_sample", "reconstruct", "interpolate"}
    assert set(sampler.metadata["signatures"]) == every - set(left_out)

    kernel, bias = decoder.get_weights()
    z = np.array([[0.5, -2.0]], np.float32)
    assert largest_difference(sampler.decode(z), z @ kernel + bias) < 1e-5
    if "draw" in left_out:
        with pytest.raises(ValueError, match=matches("signature draw", left_out["draw"])):
            sampler.sample(1, draw=True)


def test_a_second_export_measures_what_the_first_did(tmp_path):
    """Also where TFP draws the latents and the x that are measured on."""
    hidden = keras.layers.Dense(600, "relu")  # enough weights for float16 to halve
    decoder = keras.Sequential([keras.Input((2,)), hidden, keras.layers.Dense(4)])
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    vae = tfvae.VAE(encoder, decoder, prior=Unsampled(), likelihood=Undrawn(), seed=0)
    for name in ("first", "second"):
        tfvae.export.to_tflite(vae, tmp_path / f"{name}.tflite", "float16")
    first, second = (
        json.loads((tmp_path / f"{name}.json").read_text())["quality"]
        for name in ("first", "second")
    )
    assert first == second and first["distortion_change_nats"] != 0.0


def test_a_saved_model_leaves_it_out_as_well(tmp_path, caplog):
    vae = linear()
    vae = tfvae.VAE(vae.encoder, vae.decoder, likelihood=Undrawn(), seed=0)
    tfvae.export.to_saved_model(vae, tmp_path / "saved")
    assert "draw (Undrawn does not define draw)" in caplog.text
    signatures = set(tf.saved_model.load(str(tmp_path / "saved")).signatures)
    assert "sample" in signatures and "draw" not in signatures


def test_a_model_without_a_mean_or_a_draw_is_refused(tmp_path):
    class Neither(Undrawn):
        def mean(self, params):
            raise NotImplementedError

    vae = linear()
    vae = tfvae.VAE(vae.encoder, vae.decoder, likelihood=Neither(), seed=0)
    with pytest.raises(ValueError, match=matches("mean or a draw", "define mean", "define draw")):
        tfvae.export.to_tflite(vae, tmp_path / "m.tflite")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_magnifies_the_last_digit_is_exported_as_exactly_as_it_is_computed(tmp_path):
    """Logits of thousands: x of Keras moves by more than 1e-5 where z moves by its last digits."""
    mixture = likelihoods.DiscretizedLogisticMixture(3)
    vae = tfvae.mlp_vae((2, 2, 3), 2, (64, 64), likelihood=mixture, seed=0)
    vae.decoder.set_weights([weight * 12.0 for weight in vae.decoder.get_weights()])
    z = vae.sample_latent(64, seed=0)
    moved = vae.decode(z * (1 + 2.0**-20)).mean() - vae.decode(z).mean()
    assert np.abs(moved).max() > 1e-5  # or the test says nothing
    metadata = tfvae.export.to_tflite(vae, tmp_path / "m.tflite")
    assert metadata["quality"]["max_abs_error_x"] < 4 * np.abs(moved).max()


@pytest.mark.parametrize("make", [nightly(likelihoods.Poisson), likelihoods.NegativeBinomial])
def test_a_file_after_a_saved_model_has_its_own_batch_size(tmp_path, make):
    """Counts are drawn in a loop, which the SavedModel traces for any batch size."""
    vae = tfvae.mlp_vae((7,), 2, (4,), likelihood=make(), seed=0)
    tfvae.export.to_saved_model(vae, tmp_path / "saved")
    tfvae.export.to_tflite(vae, tmp_path / "m.tflite", batch_size=5)
    drawn = Sampler(tmp_path / "m.tflite").sample(9, seed=1, draw=True)
    assert np.array_equal(drawn, vae.sample(9, seed=1, draw=True))
