"""Exports at the edges: many layers of latents, numbers that are not finite, missing methods."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tests.conftest import largest_difference, matches
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

    def location(self, params):
        return list(params)

    def summary(self, params):
        return {f"loc_{i}": p for i, p in enumerate(params)}


@pytest.fixture(scope="module")
def eleven(tmp_path_factory):
    """A linear model of eleven layers, and its file with the encoder."""
    keras.utils.set_random_seed(0)
    inputs = [keras.Input((size,)) for size in SIZES]
    decoder = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.concatenate(inputs)))
    x = keras.Input((4,))
    encoder = keras.Model(x, [keras.layers.Dense(size)(x) for size in SIZES])
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
