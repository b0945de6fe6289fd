"""Every purpose has noise of its own."""

import keras
import numpy as np
import pytest

import tfvae
from tfvae import likelihoods


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_draws_that_make_data_binary_are_independent_of_the_latents(jit_compile):
    """-log p = log(1 + exp(l)) - x l of a logit l; for x and z independent, E[x l] = E[l] / 2 = 0.

    The data are grey, all 1/2, q = p = N(0, I), and each logit mixes all latents.
    """
    size, count = 8, 20_000
    mixing = np.random.default_rng(4).random((size, size), np.float32)
    layer = keras.layers.Dense(2 * size, kernel_initializer="zeros")
    encoder = keras.Sequential([keras.Input((size,)), layer])
    decoder = keras.Sequential([keras.Input((size,)), keras.layers.Dense(size)])
    layer.bias.assign([0.0] * size + [np.log(np.e - 1)] * size)
    decoder.set_weights([mixing, np.zeros(size)])
    likelihood = likelihoods.Bernoulli(dynamic_binarization=True)
    vae = tfvae.VAE(encoder, decoder, likelihood=likelihood, seed=1)
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=jit_compile)
    x = np.full((count, size), 0.5, np.float32)
    found = vae.fit(x, batch_size=count, epochs=2, verbose=0).history["distortion"]
    spread = np.sqrt((mixing**2).sum(axis=0))  # of each logit
    grid, weights = np.polynomial.hermite_e.hermegauss(80)
    expected = sum((weights * np.logaddexp(0, s * grid)).sum() / np.sqrt(2 * np.pi) for s in spread)
    stderr = np.sqrt(size * (spread**2).sum() / count)  # at most
    assert found == pytest.approx([expected] * 2, abs=3 * stderr)
    assert found[0] != found[1]
