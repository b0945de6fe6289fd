"""Chooses the latents, examples and conditions that a file is calibrated and measured with."""

import contextlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

import tfvae.export.signatures as signatures
from tfvae import random
from tfvae.pieces import LAYERS, REAL

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

SAMPLES = 64


class Samples(NamedTuple):
    """The first 64 samples of seed 0 as the model draws them, with which a file is compared.

    Attributes:
        y: their conditions, int32 or float32, or None.
        y_is_known: True if the model is used with these conditions, see `are_known`.
        condition: the conditions in the networks' dtype, or None.
        noise: what the samples are drawn from.
        z: the latents `[64, D]`, or a list of one tensor for each layer.
        seen: the part of z that the decoder takes.
        params: the decoder's output.
        x: the means of p(x|z), or None if it has none.
    """

    y: np.ndarray | None
    y_is_known: bool
    condition: tf.Tensor | None
    noise: random.Stream
    z: tf.Tensor | list[tf.Tensor]
    seen: tf.Tensor | list[tf.Tensor]
    params: tf.Tensor
    x: np.ndarray | None


def samples(vae: "VAE", given_y: np.ndarray | tf.Tensor | None) -> Samples:
    """Draws the samples of a model that its file is compared with.

    Args:
        vae: the model, in float32.
        given_y: the conditions that the caller gave, checked, or None.
    """
    y, y_is_known = conditions(vae, SAMPLES, given_y), are_known(vae, given_y)
    condition = None if y is None else tf.cast(y, vae.condition_dtype)
    noise = random.Stream(random.seed_key(0), tf.range(SAMPLES))
    try:
        z = vae.prior.sample(noise, condition)
    except NotImplementedError:
        z = _by_density(vae, SAMPLES, 0, condition)

    seen, x = vae.prior.decoder_input(z), None
    params = vae.decode_batch(seen, condition, training=False)
    with contextlib.suppress(NotImplementedError):  # a p(x|z) without a mean
        x = np.asarray(vae.likelihood.mean(params))
    return Samples(y, y_is_known, condition, noise, z, seen, params, x)


def calibration(
    vae: "VAE",
    parts: dict[str, signatures.Part],
    data: tuple[np.ndarray | tf.Tensor | None, np.ndarray | tf.Tensor | None],
    count: int = 256,
    seed: int = 1,
) -> dict[str, list[dict[str, np.ndarray]]]:
    """Chooses inputs for the networks, to find the ranges of their activations for int8.

    The decoder gets latents from the prior of the model. If these are real vectors, it also gets
    latents with one number 4 standard deviations from its mean. The encoder gets `data`.

    Args:
        vae: the model, in float32.
        parts: the parts of all batch sizes, by name.
        data: examples `[N, *event]` and their conditions, or None for either. The encoder needs
            examples.
        count: how many latents and how many examples.
        seed: seed of the latents and of the choice of examples.

    Returns:
        `{name of a network part: [{input: array of the part's batch size}, ...]}`.
    """
    x, y = data
    rows = {}
    rng = np.random.default_rng(seed)

    # 16 times as many latents as needed, for a good estimate of their standard deviation.
    given = conditions(vae, 16 * count, y)
    z = vae.prior.decoder_input(latents(vae, 16 * count, seed, given))
    unbounded = vae.posterior.support in (REAL, LAYERS)
    columns = [
        _with_corners(np.asarray(c), count, rng) if unbounded else np.asarray(c)[:count]
        for c in tf.nest.flatten(z)
    ]
    longest = max(len(column) for column in columns)
    rows["decoder"] = {
        name: np.resize(c, (longest, c.shape[1]))
        for name, c in zip(signatures.names("z", vae.latent_dim), columns)
    }

    if x is not None:
        chosen = rng.choice(len(x), min(count, len(x)), replace=False)
        rows["encoder"] = {
            "x": np.asarray(
                vae.likelihood.prepare_for_evaluation(np.asarray(x)[chosen])[0], np.float32
            )
        }

    for name, inputs in rows.items():
        if given is not None:
            length = len(next(iter(inputs.values())))
            of_data = name == "encoder" and y is not None
            inputs["y"] = (
                np.asarray(y)[chosen] if of_data else np.resize(given, (length, *given.shape[1:]))
            )

    return {
        name: _batches(part, rows[name.split("@")[0]])
        for name, part in parts.items()
        if part.network
    }


def conditions(
    vae: "VAE", count: int, y: np.ndarray | tf.Tensor | None = None
) -> np.ndarray | None:
    """Returns conditions to measure or calibrate a model with.

    Args:
        vae: the model.
        count: how many.
        y: conditions to repeat. By default every label in turn. Standard normals stand in for
            conditions that are no labels, see `are_known`.

    Returns:
        Conditions `[count, ...]`, int32 or float32, or None for a model without conditions.
    """
    if vae.condition_shape is None:
        return None

    dtype = tf.as_dtype(vae.condition_dtype)
    if y is not None:
        found = np.resize(np.asarray(y), (count, *vae.condition_shape))
    elif dtype.is_integer:
        labels = np.arange(count) % (vae.num_classes or 1)
        found = np.broadcast_to(
            labels.reshape([count] + [1] * len(vae.condition_shape)), (count, *vae.condition_shape)
        )
    else:
        found = np.random.default_rng(0).normal(size=(count, *vae.condition_shape))

    return found.astype(np.int32 if dtype.is_integer else np.float32)


def are_known(vae: "VAE", y: np.ndarray | tf.Tensor | None) -> bool:
    """True if `conditions` gives conditions that the model is used with.

    Labels whose number is known are, and so is what the caller gave. What else is drawn in their
    place can be far from the data, and so would be numbers measured there.

    Args:
        vae: the model.
        y: the conditions that the caller gave, or None.
    """
    return vae.condition_shape is None or y is not None or vae.num_classes is not None


def latents(vae: "VAE", count: int, seed: int, y: np.ndarray | None) -> tf.Tensor | list[tf.Tensor]:
    """Draws latents from the prior, by its density if it has no `sample`.

    Args:
        vae: the model.
        count: how many.
        seed: their seed.
        y: conditions `[count, ...]`, or None.

    Returns:
        z `[count, D]`, or a list of one tensor for each layer.
    """
    try:
        return vae.sample_latent(count, seed=seed, y=y)
    except NotImplementedError:
        return _by_density(vae, count, seed, vae.condition(y))


def _by_density(vae, count, seed, condition):
    """Draws latents with TFP's sampler, from a prior that has none of its own."""
    prior = vae.prior.distribution(condition)
    pair = (0, seed)  # of one number, a seed gives TFP other draws each time
    one = prior.sample(seed=pair)
    per_condition = len(tf.nest.flatten(one)[0].shape) == 2
    return one if per_condition else prior.sample(count, seed=pair)


def _with_corners(z, count, rng):
    """Returns the first latents of z `[N, D]`, and 2 D more with one extreme number each.

    That number lies 4 standard deviations above or below its mean.
    """
    mean, deviation = z.mean(axis=0), z.std(axis=0)
    size = z.shape[1]
    corners = z[rng.integers(0, len(z), 2 * size)].copy()
    for i in range(size):
        corners[2 * i, i], corners[2 * i + 1, i] = (
            mean[i] + 4 * deviation[i],
            mean[i] - 4 * deviation[i],
        )

    return np.concatenate([z[:count], corners])


def _batches(part, rows):
    """Cuts rows into batches of a part's size. The last one is filled with the first rows."""
    batch = part.specs[0].shape[0]
    length = len(next(iter(rows.values())))
    chosen = [np.arange(first, first + batch) % length for first in range(0, length, batch)]
    return [
        {spec.name: rows[spec.name][index].astype(spec.dtype.as_numpy_dtype) for spec in part.specs}
        for index in chosen
    ]
