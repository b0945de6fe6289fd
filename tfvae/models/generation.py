"""Draws from a model: samples of the counter-based stream, and reconstructions."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfvae import random
from tfvae.seeds import as_int32, check_range

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

_SAMPLE_PAGE = 256  # samples decoded at once


def sample(
    vae: "VAE",
    n: int,
    seed: int | None = None,
    y: npt.ArrayLike | None = None,
    start: int = 0,
    draw: bool = False,
) -> tf.Tensor:
    """Returns samples of a model, see `VAE.sample`.

    Args:
        vae: the model.
        n: the number of samples.
        seed: from -2^31 to 2^32 - 1; by default drawn from NumPy's global generator.
        y: conditions `[n, ...]` of a conditional model, else None.
        start: the number of the first sample in the stream.
        draw: whether to draw x ~ p(x|z) instead of taking its mean.

    Returns:
        `[n, *event]`.

    Raises:
        InputError: a count, start or seed outside the stream, or y missing or not expected.
        InputTypeError: a count, start or seed that is not a whole number.
    """
    return _pages(vae, n, seed, y, start, lambda noise, y: generate(vae, noise, y, draw=draw)[1])


def sample_latent(
    vae: "VAE",
    n: int,
    seed: int | None = None,
    y: npt.ArrayLike | None = None,
    start: int = 0,
) -> tf.Tensor | list[tf.Tensor]:
    """Returns the latents behind `sample` with the same arguments.

    Args:
        vae: the model.
        n: the number of samples.
        seed: as in `sample`.
        y: as in `sample`.
        start: as in `sample`.

    Returns:
        z `[n, D]`, or a list of one tensor per layer of latents, the top first.

    Raises:
        InputError: as `sample`.
        InputTypeError: as `sample`.
    """
    return _pages(vae, n, seed, y, start, vae.prior.sample)


def generate(
    vae: "VAE", noise: random.Stream, y: tf.Tensor | None = None, *, draw: bool = False
) -> tuple[tf.Tensor | list[tf.Tensor], tf.Tensor]:
    """Returns the latents and the samples that follow from noise.

    `VAE.sample` calls this for each page of samples.

    Args:
        vae: the model.
        noise: the stream of B samples.
        y: conditions `[B, ...]`, or None.
        draw: whether to draw x ~ p(x|z) instead of taking its mean.

    Returns:
        (z, x): `[B, D]`, or a list of layers, and `[B, *event]`.
    """
    z = vae.prior.sample(noise, y)
    params = vae.decode_batch(vae.prior.decoder_input(z), y, training=False)
    if draw:
        return z, vae.likelihood.draw(params, noise.fold_in(random.TAGS["draw"]))
    return z, vae.likelihood.mean(params)


def reconstruct(vae: "VAE", x: npt.ArrayLike, y: npt.ArrayLike | None = None) -> tf.Tensor:
    """Returns the mean of p(x|z) at the location of q(z|x), see `VAE.reconstruct`.

    Args:
        vae: the model.
        x: `[B, *event]`.
        y: conditions `[B, ...]` of a conditional model, else None.

    Returns:
        `[B, *event]`.

    Raises:
        InputError: x of another shape, or y missing or not expected.
    """
    events = vae.events(x)
    y = vae.condition(y, events.shape[0])
    z = vae.posterior.point_estimate(vae.encoder_params(events, y, training=False))
    return vae.likelihood.mean(vae.decode_batch(vae.prior.decoder_input(z), y, training=False))


def _pages(vae, n, seed, y, start, drawn):
    """Returns the results of `drawn(noise, y)` for all samples, computed a page at a time."""
    seed = as_int32(np.random.randint(2**31) if seed is None else seed)
    start, n = check_range(start, n, sum(tf.nest.flatten(vae.latent_sizes)))
    y = vae.condition(y, n)

    pages = []
    for first in range(0, n, _SAMPLE_PAGE):
        rows = tf.range(first, min(first + _SAMPLE_PAGE, n))
        noise = random.Stream(random.seed_key(seed), rows + as_int32(start))
        pages.append(drawn(noise, None if y is None else tf.gather(y, rows)))

    return tf.nest.map_structure(lambda *parts: tf.concat(parts, axis=0), *pages)
