"""Recurrent networks in exported files, against NumPy's LSTM and GRU."""

import keras
import numpy as np
import pytest

import tfvae
from tests.conftest import largest_difference, matches
from tests.support.nightly import nightly
from tfvae.export import Sampler, quality

pytestmark = pytest.mark.xdist_group("recurrent")  # one process makes what they share

STEPS, UNITS = 5, 6


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, kernel, recurrent, bias):
    """The states of an LSTM, `[B, T, U]`: gates i, f, c and o, in this order."""
    h = c = np.zeros((len(x), UNITS))
    states = []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.stack(states, axis=1)


def gru(x, kernel, recurrent, bias):
    """The states of a GRU, `[B, T, U]`: gates z and r, and the reset gate after the product."""
    h = np.zeros((len(x), UNITS))
    states = []
    for t in range(x.shape[1]):
        of_x = np.split(x[:, t] @ kernel + bias[0], 3, axis=1)
        of_h = np.split(h @ recurrent + bias[1], 3, axis=1)
        z, r = sigmoid(of_x[0] + of_h[0]), sigmoid(of_x[1] + of_h[1])
        h = z * h + (1 - z) * np.tanh(of_x[2] + r * of_h[2])
        states.append(h)
    return np.stack(states, axis=1)


@pytest.fixture(scope="module")
def vae():
    """Sequences `[5, 3]`: a GRU makes q(z|x), an LSTM p(x|z)."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    encoder = keras.Sequential([keras.Input((STEPS, 3)), layers.GRU(UNITS), layers.Dense(4)])
    decoder = keras.Sequential(
        [
            keras.Input((2,)),
            layers.RepeatVector(STEPS),
            layers.LSTM(UNITS, return_sequences=True),
            layers.Dense(3),
        ]
    )
    vae = tfvae.VAE(encoder, decoder, likelihood=tfvae.likelihoods.Normal(), seed=0)
    rng = np.random.default_rng(0)
    for weight in vae.trainable_weights:
        weight.assign_add(rng.normal(0, 0.3, weight.shape).astype(np.float32))
    return vae


@pytest.mark.parametrize("compiled", [nightly(False), True])
def test_recurrent_networks_run_in_the_file(vae, tmp_path_factory, compiled):
    path = tmp_path_factory.getbasetemp() / "recurrent.tflite"
    if not path.exists():
        tfvae.export.to_tflite(vae, path, batch_size=(1, 4), include_encoder=True)
    sampler = Sampler(path, compiled=compiled)

    rng = np.random.default_rng(1)
    z = rng.normal(size=(4, 2)).astype(np.float32)
    states = lstm(np.repeat(z[:, None], STEPS, axis=1), *vae.decoder.layers[1].get_weights())
    kernel, bias = vae.decoder.layers[2].get_weights()
    assert largest_difference(sampler.decode(z), states @ kernel + bias) < 1e-5
    assert largest_difference(sampler.decode(z[:1]), (states @ kernel + bias)[:1]) < 1e-5

    x = rng.normal(size=(4, STEPS, 3)).astype(np.float32)
    kernel, bias = vae.encoder.layers[1].get_weights()
    loc = (gru(x, *vae.encoder.layers[0].get_weights())[:, -1] @ kernel + bias)[:, :2]
    assert largest_difference(sampler.encode(x)["loc"], loc) < 1e-5


def test_a_file_that_does_not_run_is_refused(small, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("Node number 66 (WHILE) failed to prepare.")

    monkeypatch.setattr(quality.Sampler, "sample", fail)
    with pytest.raises(ValueError, match=matches("runs", "WHILE")):
        tfvae.export.to_tflite(small.vae, tmp_path / "m.tflite")
    assert list(tmp_path.iterdir()) == []
