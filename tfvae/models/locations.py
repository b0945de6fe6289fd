"""Encodes examples to one vector each, for figures and scores."""

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

_PAGE = 1000  # examples that are encoded at once


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
    x, condition = prepared(vae, x), vae.condition(y, len(x))
    pages = []
    for first in range(0, len(x), _PAGE):
        rows = slice(first, first + _PAGE)
        given = None if condition is None else condition[rows]
        params = vae.encoder_params(x[rows], given, training=False)
        layers = tf.nest.flatten(vae.posterior.point_estimate(params))
        pages.append(np.concatenate([np.reshape(layer, (len(layer), -1)) for layer in layers], 1))
    return np.concatenate(pages)
