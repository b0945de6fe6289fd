"""The likelihood of positive data."""

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.likelihoods.location_scale import _LocationScale

if TYPE_CHECKING:
    from tfvae.random import Stream

tfd = tfp.distributions

_LEAST_POSITIVE = 1e-37  # a normal number of float32
_MOST_LOG = 78.0  # of a mean or draw; float32 ends at exp(88)


@register
class LogNormal(_LocationScale):
    """log x ~ N(loc, scale^2) for each element of positive data, such as incomes or durations.

    The decoder gives loc, the logarithm of the median. The encoder sees log x. The mean,
    exp(loc + scale^2 / 2), and the draws end at 10^34.

    Args:
        scale: as for `Normal`, of log x.
        learn_scale: as for `Normal`.
        per_element_scale: as for `Normal`.

    Raises:
        InputError: a scale that is not positive and finite, or both options at once.
    """

    support = "positive numbers"
    unbounded_params = "logarithms of medians"
    of_each = ("scale", "log_scale")

    def encoder_input(self, x: tf.Tensor) -> tf.Tensor:
        """Returns log x."""
        # A prior's pseudo-inputs may be negative.
        return tf.math.log(tf.maximum(x, tf.constant(_LEAST_POSITIVE, x.dtype)))

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        """Computes exp(loc + scale^2 / 2)."""
        loc, scale = self._loc_scale(params)
        return tf.exp(tf.minimum(loc + 0.5 * tf.square(scale), _MOST_LOG))

    def draw(self, params: tf.Tensor, noise: "Stream") -> tf.Tensor:
        """Draws exp(loc + scale times a standard normal).

        Args:
            params: the decoder's output, `[B, *params_shape]`.
            noise: noise of B samples.

        Returns:
            x, `[B, *event]`.
        """
        return tf.exp(tf.clip_by_value(super().draw(params, noise), -_MOST_LOG, _MOST_LOG))

    def in_support(self, x: np.ndarray | tf.Tensor) -> np.ndarray | tf.Tensor:
        """Returns which elements are positive and finite."""
        return super().in_support(x) & (x > 0)

    def fix_hint(self, x: np.ndarray) -> str:
        """Returns the likely fix: another likelihood."""
        if not np.isfinite(x).all():
            return super().fix_hint(x)
        return "use Normal(), or a likelihood of counts if most values are 0"

    def _element(self, loc, scale):
        return tfd.LogNormal(loc, scale)

    def _standard(self, noise, size):
        return noise.normal(size)
