"""Runs a model for a figure: on checked examples, a page at a time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfvae.errors import invalid
from tfvae.models.locations import point_estimates
from tfvae.plots.events import check_model
from tfvae.validation import data_checks

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

_PAGE = 512  # examples or latents at once


def checked(vae: "VAE", x: npt.ArrayLike, y: npt.ArrayLike | None = None) -> np.ndarray:
    """Returns examples as the likelihood models them; grey ones are binarized where it does.

    Args:
        vae: the model.
        x: examples `[N, *event]`.
        y: their conditions, or None.

    Returns:
        float32 `[N, *event]`.

    Raises:
        InputError: examples or conditions that the model does not take.
        InputTypeError: anything but a model.
    """
    check_model(vae)
    events = data_checks.check_events(x, vae.likelihood, vae.event_shape)
    data_checks.check_condition(events, y, vae)
    return np.asarray(vae.likelihood.prepare_for_evaluation(events)[0], np.float32)


def decoded(vae: "VAE", z: Any, y: npt.ArrayLike | None) -> np.ndarray:
    """Returns the mean of p(x|z).

    Args:
        vae: the model.
        z: latents that the decoder takes, `[N, D]`, or a list of layers.
        y: their conditions, or None.

    Returns:
        `[N, *event]`.
    """
    pages = []
    for rows in _pages(len(tf.nest.flatten(z)[0])):
        part = tf.nest.map_structure(lambda layer, rows=rows: tf.constant(layer[rows]), z)
        condition = None if y is None else vae.condition(np.asarray(y)[rows])
        pages.append(vae.likelihood.mean(vae.decode_batch(part, condition, training=False)))
    return np.concatenate(pages)


def reconstructed(vae: "VAE", x: np.ndarray, y: npt.ArrayLike | None) -> np.ndarray:
    """Returns the mean of p(x|z) at the location of q(z|x), `[N, *event]`.

    Args:
        vae: the model.
        x: as `checked` returns them.
        y: their conditions, or None.
    """
    return decoded(vae, vae.prior.decoder_input(point_estimates(vae, x, y)), y)


def conditions(vae: "VAE", count: int, y: npt.ArrayLike | None) -> np.ndarray | None:
    """Returns conditions for samples: those given, or as many of each label.

    Args:
        vae: the model.
        count: how many samples.
        y: conditions `[N, ...]`, or None.

    Raises:
        InputError: none for a model whose conditions are numbers.
    """
    if y is not None or vae.condition_shape is None:
        return None if y is None else np.asarray(y)
    if not vae.num_classes:
        fix = f"pass y of shape [{count}, {', '.join(map(str, vae.condition_shape))}]"
        raise invalid("y for each sample of a conditional model", "no y", fix)
    return np.arange(count) * vae.num_classes // max(count, vae.num_classes)


def one(y: npt.ArrayLike | None, count: int) -> np.ndarray | None:
    """Returns the first condition, once for each of several latents.

    Args:
        y: conditions `[N, ...]`, or None.
        count: how many latents.
    """
    return None if y is None else np.repeat(np.asarray(y)[:1], count, axis=0)


def _pages(count: int) -> Sequence[slice]:
    return [slice(first, first + _PAGE) for first in range(0, count, _PAGE)]
