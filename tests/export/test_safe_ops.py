"""Softplus and what is made of it, in files: right for every number, in layers and in pieces."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import matches
from tests.support import scales, zoo
from tests.support.nightly import nightly
from tfvae import likelihoods, random
from tfvae.export import Sampler, quantize, safe_ops

pytestmark = pytest.mark.xdist_group("safe ops")  # one process makes the file they share

RAW = np.array([95.0, 1e4, -95.0, 0.0], np.float32)  # of the scales of four elements


@pytest.fixture(scope="module")
def vae():
    """A decoder of layers that overflow where z is large, and scales beyond 88."""
    z = keras.Input((2,))
    hidden = [
        keras.layers.Dense(2, activation=name, kernel_initializer="identity")(z)
        for name in ("softplus", "log_sigmoid", "mish")
    ]
    loc = keras.layers.Dense(4, kernel_initializer=keras.initializers.GlorotUniform(seed=0))(
        keras.layers.Concatenate()(hidden)
    )
    scale = keras.layers.Dense(
        4, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(RAW)
    )(z)
    decoder = keras.Model(z, keras.layers.Concatenate()([loc, scale]))
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    return tfvae.VAE(
        encoder, decoder, likelihood=likelihoods.Normal(per_element_scale=True), seed=0
    )


@pytest.fixture(scope="module")
def sampler(vae, tmp_path_factory):
    path = tmp_path_factory.mktemp("safe") / "m.tflite"
    tfvae.export.to_tflite(vae, path, batch_size=16, include_encoder=True)
    return Sampler(path)


def relative(found, expected):
    expected = np.asarray(expected, np.float64)
    return float((np.abs(found - expected) / (1.0 + np.abs(expected))).max())


def test_layers_of_a_network_are_right_far_beyond_where_exp_overflows(vae, sampler):
    """The decoder's weights by hand, softplus as NumPy's logaddexp in double precision."""
    z = np.linspace(-1e4, 1e4, 64).reshape(-1, 2).astype(np.float32)
    x = z.astype(np.float64)
    softplus, log_sigmoid = np.logaddexp(0.0, x), -np.logaddexp(0.0, -x)
    hidden = np.concatenate([softplus, log_sigmoid, x * np.tanh(softplus)], axis=1)
    (kernel,) = [w for w in vae.decoder.get_weights() if w.shape == (6, 4)]
    error = np.abs(sampler.decode(z) - hidden @ kernel)
    assert (error / (1.0 + np.abs(hidden) @ np.abs(kernel))).max() < 1e-6


@pytest.mark.parametrize("draw", [False, True])
def test_draws_by_scales_beyond_88_are_those_of_the_closed_form(vae, sampler, draw):
    found = sampler.sample(64, seed=7, draw=draw)
    assert relative(found, vae.sample(64, seed=7, draw=draw)) < 1e-5
    if draw:
        noise = random.Stream(random.seed_key(tf.constant(7)), tf.range(64)).fold_in(1).normal(4)
        scale = np.logaddexp(0.0, RAW.astype(np.float64)) + 1e-3
        mean = sampler.sample(64, seed=7)
        assert relative(found, mean + scale * noise.numpy()) < 1e-5


def test_the_scale_that_encode_gives_is_right_as_well(vae, sampler):
    x = np.linspace(-4e4, 4e4, 64).reshape(-1, 4).astype(np.float32)
    raw = vae.encoder(x).numpy()[:, 2:].astype(np.float64)
    assert np.abs(raw).max() > 1e3
    found = sampler.encode(x)["scale"]
    assert relative(found, scales.exact_scale_of(raw)) < 1e-5


def test_the_safe_form_is_softplus_in_double_precision_everywhere():
    x = np.concatenate([-np.geomspace(1e-6, 1e4, 99), [0.0], np.geomspace(1e-6, 1e4, 99)])
    x = x.astype(np.float32)
    assert relative(safe_ops.softplus(tf.constant(x)), np.logaddexp(0.0, x.astype(float))) < 2e-7


# ---- draws, measured before a file is written


def spoiled(monkeypatch, wrong):
    """Makes `convert_parts` draw by `wrong(draw)`; mean and latents stay right."""
    convert = quantize.convert_parts

    def converting(vae, parts, *arguments):
        function = parts["draw"].function
        part = parts["draw"]._replace(function=lambda inputs: {"x": wrong(function(inputs)["x"])})
        return convert(vae, {**parts, "draw": part}, *arguments)

    monkeypatch.setattr(quantize, "convert_parts", converting)


WRONG = {
    "not_finite": ("normal_per_element", lambda x: tf.where(x > 1.0, np.inf, x)),
    "one_in_a_hundred": ("normal_per_element", lambda x: tf.where(x > 1.5, 1.5, x)),
    "one_in_eight": ("bernoulli", lambda x: x * np.array([[[1.0]], [[1.0]], [[1.0]], [[0.0]]])),
}


@pytest.mark.parametrize(
    "name",
    [
        "one_in_a_hundred",
        *(nightly(n) for n in ("not_finite", "one_in_eight")),
    ],
)
def test_a_file_whose_draws_differ_from_the_models_is_not_written(tmp_path, monkeypatch, name):
    likelihood, wrong = WRONG[name]
    vae = zoo._mlp("diagonal", "standard", likelihood, "elbo", None).vae
    spoiled(monkeypatch, wrong)
    with pytest.raises(ValueError, match=matches("draw")):
        tfvae.export.to_tflite(vae, tmp_path / "m.tflite")
    assert list(tmp_path.iterdir()) == []


def test_draws_that_are_no_numbers_are_counted_among_those_that_differ(tmp_path, monkeypatch):
    vae = zoo._mlp("diagonal", "standard", "normal_per_element", "elbo", None).vae
    spoiled(monkeypatch, lambda x: tf.sqrt(-1.0 - tf.abs(x)))
    with pytest.raises(ValueError, match=matches("not finite, 1 of all elements differ")):
        tfvae.export.to_tflite(vae, tmp_path / "m.tflite")


def test_the_sidecar_tells_how_many_draws_differ(sampler):
    assert sampler.metadata["quality"]["draws_that_differ"] == 0.0
