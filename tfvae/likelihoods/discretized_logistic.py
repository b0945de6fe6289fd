"""Likelihoods of 8-bit data: the probability of each of 256 levels, not a density."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.likelihoods.base import Likelihood
from tfvae.likelihoods.location_scale import _LocationScale
from tfvae.ops import inverse_cdf

if TYPE_CHECKING:
    from tfvae.random import Stream

tfd = tfp.distributions

_MAX_LEVEL = 255  # the last level
_TOLERANCE = 1e-3  # in levels, for multiples of 1/255 rounded to float32
_MIN_SCALE = 0.5 * math.exp(-7)  # PixelCNN++ has exp(-7) for data in [-1, 1], twice as wide


class EightBitLikelihood(Likelihood):
    """Base of likelihoods of 8-bit data divided by 255."""

    support = "8-bit values divided by 255: multiples of 1/255 from 0 to 1"
    value_range = (0.0, 1.0)
    unbounded_params = "locations, as distances from mid-grey"
    discrete = True

    def in_support(self, x: np.ndarray | tf.Tensor) -> np.ndarray | tf.Tensor:
        """Returns which elements are multiples of 1/255 from 0 to 1, to a 1000th of a level."""
        level = (tf.cast(x, tf.float32) if tf.is_tensor(x) else np.asarray(x, np.float32)) * float(
            _MAX_LEVEL
        )
        return inverse_cdf.is_whole(level, _TOLERANCE) & (x >= 0) & (x <= 1)

    def fix_hint(self, x: np.ndarray) -> str:
        """Returns the likely fix: another likelihood, another scale, or rounding."""
        if x.min() < 0 or x.max() > _MAX_LEVEL or not np.isfinite(x).all():
            return "use a likelihood whose support holds these values, such as Normal()"
        if x.max() > 1:
            return "divide 8-bit values by 255"
        return (
            "round them to 8 bits, np.round(255 * x) / 255, "
            "or use a density such as ContinuousBernoulli()"
        )


@register
class DiscretizedLogistic(EightBitLikelihood, _LocationScale):
    """p(x|z) = F((x + h - loc) / scale) - F((x - h - loc) / scale), h = 1/510, for 8-bit data.

    x is one of 0, 1/255, ..., 1, and F is the logistic function. The bin of 0 begins at minus
    infinity, the bin of 1 ends at infinity ([1], equation 2; [2]).

    The decoder gives loc - 0.5, so that its 0 is mid-grey. As for `Normal`, the scale is fixed,
    or one learned number, or the decoder gives it.

    Args:
        scale: the fixed or first value, positive, in units of data from 0 to 1.
        learn_scale: make the scale a weight.
        per_element_scale: take the scale from the decoder; `scale` is then unused.

    Raises:
        InputError: a scale that is not positive and finite, or both options at once.

    References:
        [1] Salimans et al., PixelCNN++. ICLR 2017. arXiv:1701.05517.
        [2] Kingma et al., Improved variational inference with inverse autoregressive flow.
            NeurIPS 2016. arXiv:1606.04934.
    """

    min_scale = _MIN_SCALE

    def __init__(
        self,
        scale: float = 0.1,
        *,
        learn_scale: bool = False,
        per_element_scale: bool = False,
        **kwargs: Any,
    ) -> None:
        """Checks the scale; see the class for the arguments."""
        super().__init__(
            scale, learn_scale=learn_scale, per_element_scale=per_element_scale, **kwargs
        )

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        """Computes the mean before rounding to levels.

        Rounding moves it by less than 1e-4 for scales from 1/255, and by 1/510 at most.
        """
        return clipped_mean(*self._loc_scale(params))

    def draw(self, params: tf.Tensor, noise: "Stream") -> tf.Tensor:
        """Draws logistics and rounds them to levels.

        Args:
            params: the decoder's output, `[B, *params_shape]`.
            noise: noise of B samples.

        Returns:
            Multiples of 1/255 from 0 to 1, `[B, *event]`.
        """
        return nearest_level(super().draw(params, noise))

    def _element(self, loc, scale):
        return _Levels(loc, scale)

    def _standard(self, noise, size):
        return inverse_cdf.logistic(noise.uniform(size))

    def _loc_scale(self, params):
        loc, scale = super()._loc_scale(params)
        return 0.5 + loc, scale


class _Levels(tfp.distributions.Distribution):
    """The discretized logistic of one element. `loc` and `scale` broadcast."""

    def __init__(self, loc, scale):
        parameters = {"loc": loc, "scale": scale}
        self.loc, self.scale = tf.convert_to_tensor(loc), tf.convert_to_tensor(scale)
        super().__init__(self.loc.dtype, tfd.NOT_REPARAMETERIZED, False, True, parameters)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None) -> dict[str, Any]:
        return {"loc": tfp.util.ParameterProperties(), "scale": tfp.util.ParameterProperties()}

    def _event_shape(self):
        return tf.TensorShape([])

    def _log_prob(self, x):
        return levels_log_prob(x, self.loc, self.scale)

    def _mean(self):
        return clipped_mean(self.loc, self.scale)

    def _sample_n(self, n, seed=None):
        u = uniforms([n], self.batch_shape_tensor(), seed)
        return nearest_level(self.loc + self.scale * inverse_cdf.logistic(u))


def levels_log_prob(x: tf.Tensor, loc: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Computes the log-probability of levels under the discretized logistic.

    With bin edges a < b in units of scale, F(b) - F(a) = F(b) F(-a) (1 - exp(a - b)). Its
    logarithm is a sum of logarithms, without a difference of near numbers. Value and gradient
    are finite for every loc, and for scales from about 1e-30 to 1e30.

    Args:
        x: multiples of 1/255 from 0 to 1.
        loc: locations; x, loc and scale broadcast.
        scale: scales, positive.

    Returns:
        log P(x) in nats, of the broadcast shape.
    """
    level = tf.round(x * float(_MAX_LEVEL))
    width = 1.0 / (_MAX_LEVEL * scale)
    centre = (level / _MAX_LEVEL - loc) / scale

    log_below, log_above = (
        tf.math.log_sigmoid(centre + width / 2),
        tf.math.log_sigmoid(width / 2 - centre),
    )
    inner = log_below + log_above + tf.math.log(-tf.math.expm1(-width))
    return tf.where(level <= 0, log_below, tf.where(level >= _MAX_LEVEL, log_above, inner))


def clipped_mean(loc: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Computes the mean of a logistic variable clipped to [0, 1].

    It is scale (softplus(loc / scale) - softplus((loc - 1) / scale)), to within
    1e-7 (1 + scale). For loc above 0.5 the mirror image is computed, so that the arguments of
    softplus are small.

    Args:
        loc: locations.
        scale: scales, positive; they broadcast with loc.

    Returns:
        Means, of the broadcast shape.
    """
    mirrored = loc > 0.5
    low = tf.where(mirrored, 1.0 - loc, loc)
    mean = scale * (_softplus(low / scale) - _softplus((low - 1.0) / scale))
    return tf.where(mirrored, 1.0 - mean, mean)


def _softplus(x):
    # TFLite has no op for softplus, and the converter's own form overflows.
    return tf.maximum(x, 0.0) + tf.math.log(1.0 + tf.exp(-tf.abs(x)))


def nearest_level(x: tf.Tensor) -> tf.Tensor:
    """Returns `x` clipped to [0, 1] and rounded to a multiple of 1/255."""
    return tf.round(tf.clip_by_value(x, 0.0, 1.0) * float(_MAX_LEVEL)) / _MAX_LEVEL


def uniforms(
    sample_shape: Sequence[int | tf.Tensor], shape: tf.Tensor, seed: int | tf.Tensor | None
) -> tf.Tensor:
    """Draws the uniforms in [0, 1) from which a TFP distribution makes its samples.

    Args:
        sample_shape: the leading axes.
        shape: the axes after them, an int32 vector.
        seed: as TFP's distributions take it; None draws one.

    Returns:
        Uniforms, float32 `[*sample_shape, *shape]`.
    """
    seed = tfp.random.sanitize_seed(seed)
    return tf.random.stateless_uniform(tf.concat([sample_shape, shape], axis=0), seed)
