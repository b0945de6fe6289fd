"""Encodes examples to the locations of q(z|x), for evaluations, figures and scores."""

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

_PAGE = 1024  # examples that are encoded at once


def prepared(vae: "VAE", x: np.ndarray) -> np.ndarray:
    """Returns examples as the likelihood models them; grey ones are binarized where it does.

    Args:
        vae: the model.
        x: examples `[N, *event]`.

    Raises:
        InputError: examples that the model does not take.
    """
    return np.asarray(vae.likelihood.prepare_for_evaluation(np.asarray(vae.events(x)))[0])


def locations(vae: "VAE", x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
    """Returns the location of q(z|x) for each example, of several layers side by side.

    Args:
        vae: the model.
        x: examples `[N, *event]`.
        y: conditions `[N, ...]` of a conditional model, else None.

    Returns:
        Float32 `[N, D]`.

    Raises:
        InputError: examples or conditions that the model does not take.
    """
    return side_by_side(point_estimates(vae, prepared(vae, x), vae.condition(y, len(x))))


def point_estimates(vae: "VAE", x: np.ndarray, y: Any = None) -> Any:
    """Returns the location of q(z|x) for each example, a page of examples at a time.

    Args:
        vae: the model.
        x: examples as `prepared` returns them, `[N, *event]`.
        y: conditions `[N, ...]` of a conditional model, else None.

    Returns:
        Arrays in the structure of z: `[N, D]`, or a list with one for each layer.
    """
    pages = []
    for first in range(0, len(x), _PAGE):
        rows = slice(first, first + _PAGE)
        condition = None if y is None else vae.condition(np.asarray(y)[rows])
        params = vae.encoder_params(x[rows], condition, training=False)
        pages.append(vae.posterior.point_estimate(params))
    return tf.nest.map_structure(lambda *parts: np.concatenate(parts), *pages)


def side_by_side(z: Any) -> np.ndarray:
    """Returns all layers of latents beside each other, `[N, D]`.

    Args:
        z: latents `[N, D]`, or a list with an array for each layer.
    """
    return np.concatenate([np.asarray(layer) for layer in tf.nest.flatten(z)], axis=-1)
