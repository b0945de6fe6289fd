"""Files of models whose conditions are real numbers, far from what a guess would be."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import matches
from tfvae.export import Sampler

pytestmark = pytest.mark.xdist_group("export conditions")

UNITS = 6


def real_conditions(n=40):
    """Around 30, with a standard deviation of 5."""
    return np.random.default_rng(0).normal(30, 5, (n, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def vae():
    """p(x|z, y) = N(tanh of a matrix of [z, y / 30], 1), where y is near 30."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    x, y, z = keras.Input((UNITS,)), keras.Input((2,)), keras.Input((3,))
    encoder = keras.Model([x, y], layers.Dense(6)(layers.concatenate([x, y])))
    hidden = layers.concatenate([z, layers.Rescaling(1 / 30)(y)])
    decoder = keras.Model([z, y], layers.Dense(UNITS, "tanh")(hidden))
    return tfvae.VAE(encoder, decoder, likelihood=tfvae.likelihoods.Normal(), seed=0)


def mean(vae, z, y):
    """The decoder in NumPy."""
    kernel, bias = vae.decoder.get_weights()
    return np.tanh(np.concatenate([z, y / 30], axis=1).astype(np.float64) @ kernel + bias)


def refused_without_conditions(vae, path, **options):
    with pytest.raises(ValueError, match=matches("data_y", "conditions")):
        tfvae.export.to_tflite(vae, path, **options)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("options", [{"quantization": "int8"}, {"max_quality_loss": 0.1}])
def test_real_conditions_are_asked_for(vae, tmp_path, options):
    refused_without_conditions(vae, tmp_path / "m.tflite", **options)


def test_so_are_labels_of_an_unknown_number(tmp_path):
    z, y = keras.Input((3,)), keras.Input((), dtype="int32")
    as_float = keras.layers.Lambda(lambda v: tf.cast(v, tf.float32)[:, None])(y)
    decoder = keras.Model([z, y], keras.layers.Dense(4)(keras.layers.concatenate([z, as_float])))
    x = keras.Input((4,))
    encoder = keras.Model([x, y], keras.layers.Dense(6)(x))
    vae = tfvae.VAE(encoder, decoder, likelihood=tfvae.likelihoods.Normal(), seed=0)
    refused_without_conditions(vae, tmp_path / "m.tflite", quantization="int8")


@pytest.mark.parametrize("wrong", [np.zeros((3, 5), np.float32), np.full((3, 2), np.nan)])
def test_conditions_alone_are_checked(vae, tmp_path, wrong):
    with pytest.raises(ValueError, match=matches("y")):
        tfvae.export.to_tflite(vae, tmp_path / "m.tflite", data_y=wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_quality_on_conditions_that_nobody_gave_is_absent(vae, tmp_path):
    tfvae.export.to_tflite(vae, tmp_path / "m.tflite", "dynamic_int8")
    assert json.loads((tmp_path / "m.json").read_text())["quality"] is None
    assert Sampler(tmp_path / "m.tflite").sample(2, y=real_conditions(2)).shape == (2, UNITS)


def test_int8_is_calibrated_and_measured_on_the_conditions_given(vae, tmp_path):
    """Of means from -1 to 1, int8 loses a few steps of 2 / 256."""
    y = real_conditions()
    told = tfvae.export.to_tflite(vae, tmp_path / "m.tflite", "int8", data_y=y)["quality"]
    sampler = Sampler(tmp_path / "m.tflite")
    given = np.resize(y, (64, 2))
    x, z = sampler.sample(64, seed=0, y=given, return_latent=True)
    error = np.abs(x - mean(vae, z, given))
    assert told["max_abs_error_x"] == pytest.approx(error.max(), abs=1e-5)
    assert told["mean_abs_error_x"] == pytest.approx(error.mean(), abs=1e-5)
    assert error.max() < 0.05

    others = np.random.default_rng(5).normal(30, 5, (200, 2)).astype(np.float32)
    z = np.random.default_rng(6).normal(size=(200, 3)).astype(np.float32)
    assert np.abs(sampler.decode(z, y=others) - mean(vae, z, others)).mean() < 0.02
