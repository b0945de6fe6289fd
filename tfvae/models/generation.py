"""How a model draws: samples of the counter-based stream, and reconstructions."""

import numpy as np
import tensorflow as tf

from tfvae import random
from tfvae.seeds import as_int32, check_range

_SAMPLE_PAGE = 256  # samples decoded at once


def sample(vae, n, seed=None, y=None, start=0, draw=False):
    """Returns samples, `[n, *event]`, see `VAE.sample`."""
    return _pages(vae, n, seed, y, start, lambda noise, y: generate(vae, noise, y, draw=draw)[1])


def sample_latent(vae, n, seed=None, y=None, start=0):
    """Returns the z behind `sample` of the same arguments, `[n, D]`, or a list of layers."""
    return _pages(vae, n, seed, y, start, vae.prior.sample)


def generate(vae, noise, y=None, *, draw=False):
    """Returns (z, x) for the samples of `noise`, a `random.Stream`: the one sampler there is."""
    z = vae.prior.sample(noise, y)
    params = vae.decode_batch(vae.prior.for_decoder(z), y, training=False)
    if draw:
        return z, vae.likelihood.draw(params, noise.fold_in(random.TAGS["draw"]))
    return z, vae.likelihood.mean(params)


def reconstruct(vae, x, y=None):
    """Returns the mean of p(x|z) at the location of q(z|x), `[B, *event]`, see `VAE.reconstruct`."""
    y = vae.condition(y)
    z = vae.posterior.location(vae.encoder_params(vae.events(x), y, training=False))
    return vae.likelihood.mean(vae.decode_batch(vae.prior.for_decoder(z), y, training=False))


def _pages(vae, n, seed, y, start, drawn):
    """What `drawn(noise, y)` gives for the samples, a page at a time."""
    seed = as_int32(np.random.randint(2**31) if seed is None else seed)
    check_range(start, n, sum(tf.nest.flatten(vae.latent_sizes)))
    n, start = int(n), int(start)
    y = vae.condition(y)
    pages = []
    for first in range(0, n, _SAMPLE_PAGE):
        rows = tf.range(first, min(first + _SAMPLE_PAGE, n))
        noise = random.Stream(random.seed_key(seed), rows + as_int32(start))
        pages.append(drawn(noise, None if y is None else tf.gather(y, rows)))
    return tf.nest.map_structure(lambda *parts: tf.concat(parts, axis=0), *pages)
