"""A likelihood of choices among categories."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.errors import invalid
from tfvae.likelihoods.base import Elements
from tfvae.ops import inverse_cdf

if TYPE_CHECKING:
    from tfvae.random import Stream

tfd = tfp.distributions


@register
class Categorical(Elements):
    """p(x|z) = prod_i softmax(params_i)[category i] for one-hot vectors x_i along the last axis.

    Draws are one-hot vectors. The mean is the probabilities of the categories. A vector
    counts as one number in bits per dimension.

    Raises:
        InputError: events whose last axis has fewer than two categories.
    """

    support = "one-hot vectors along the last axis"
    value_range = (0.0, 1.0)
    unbounded_params = "logits"
    discrete = True
    of_each = ()

    def build(self, event_shape: tuple[int, ...]) -> None:
        """Keeps the number of axes of an event.

        Raises:
            InputError: fewer than two categories along the last axis.
        """
        if event_shape[-1] < 2:
            raise invalid(
                "events of at least two categories along the last axis",
                f"events of shape {tuple(event_shape)}",
                "make one-hot vectors with keras.utils.to_categorical",
            )
        super().build(event_shape)

    def dimensions(self, event_shape: Sequence[int]) -> int:
        """Returns the number of one-hot vectors of an event."""
        return math.prod(event_shape[:-1])

    def distribution(self, params: tf.Tensor) -> tfp.distributions.Distribution:
        """Returns categoricals over one-hot vectors, with logits `params`."""
        return tfd.Independent(
            tfd.OneHotCategorical(logits=params, dtype=tf.float32), self.event_rank - 1
        )

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        """Computes the probabilities of the categories."""
        return tf.nn.softmax(params)

    def draw(self, params: tf.Tensor, noise: "Stream") -> tf.Tensor:
        """Draws categories by inversion of the CDF, with one uniform per vector.

        Args:
            params: logits, `[B, *event]`.
            noise: noise of B samples.

        Returns:
            One-hot vectors, float32 `[B, *event]`.
        """
        shape = params.shape[1:-1]
        u = tf.reshape(noise.uniform(math.prod(shape)), [-1, *shape, 1])
        return inverse_cdf.one_hot(tf.nn.softmax(params), u)

    def in_support(self, x: np.ndarray | tf.Tensor) -> np.ndarray | tf.Tensor:
        """Returns True for each element of a one-hot vector, False for those of other vectors."""
        chosen = x == 1
        if tf.is_tensor(x):
            count = tf.reduce_sum(tf.cast(chosen, tf.int32), axis=-1, keepdims=True)
            binary = tf.reduce_all(chosen | (x == 0), axis=-1, keepdims=True)
        else:
            count = np.sum(chosen, axis=-1, keepdims=True)
            binary = np.all(chosen | (x == 0), axis=-1, keepdims=True)

        return (binary & (count == 1)) & (x == x)

    def fix_hint(self, x: np.ndarray) -> str:
        """Returns the likely fix: repaired values, or one-hot vectors made of numbers."""
        if not np.isfinite(x).all():
            return super().fix_hint(x)
        return (
            f"keras.utils.to_categorical(x, {x.shape[-1]}) "
            "makes one-hot vectors of the numbers of categories"
        )
