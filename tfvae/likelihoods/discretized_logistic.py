"""Likelihoods of 8-bit data: the probability of each of 256 levels, not a density."""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.likelihoods.base import Likelihood
from tfvae.likelihoods.location_scale import _LocationScale
from tfvae.ops import inverse_cdf

tfd = tfp.distributions

_TOP = 255  # the last level
_TOLERANCE = 1e-3  # of a level, for multiples of 1/255 rounded to float32
_MIN_SCALE = 0.5 * math.exp(-7)  # that of [1], whose data lie in [-1, 1]


class EightBit(Likelihood):
    """The support of 8-bit data, divided by 255."""

    support = "8-bit values divided by 255: multiples of 1/255 from 0 to 1"
    value_range = (0.0, 1.0)

    def in_support(self, x):
        level = (tf.cast(x, tf.float32) if tf.is_tensor(x) else np.asarray(x, np.float32)) * float(
            _TOP
        )
        return inverse_cdf.is_whole(level, _TOLERANCE) & (x >= 0) & (x <= 1)

    def hint(self, x):
        if x.min() < 0 or x.max() > _TOP or not np.isfinite(x).all():
            return "use a likelihood whose support holds these values, such as Normal()"
        if x.max() > 1:
            return "divide 8-bit values by 255"
        return "round them to 8 bits, np.round(255 * x) / 255, or use a density such as ContinuousBernoulli()"


@register
class DiscretizedLogistic(EightBit, _LocationScale):
    """p(x|z) = F((x + h - loc) / scale) - F((x - h - loc) / scale), h = 1/510, for x in {0, 1/255, ..., 1}.

    F is the logistic function; the bins of 0 and 1 are open ends [1], equation 2; [2]. The decoder
    gives loc less 0.5, so that its 0 is mid-grey; the scale is fixed, one learned number, or
    the decoder's, as that of `Normal`.

    Args:
        scale: the fixed or first value, positive, in units of data from 0 to 1.
        learn_scale: make it a weight.
        per_element_scale: take it from the decoder; `scale` is then unused.

    Raises:
        InputError: a scale that is not positive and finite, or both options at once.

    References:
        [1] Salimans et al., PixelCNN++. ICLR 2017. arXiv:1701.05517.
        [2] Kingma et al., Improved variational inference with inverse autoregressive flow. NeurIPS 2016.
    """

    min_scale = _MIN_SCALE

    def __init__(self, scale=0.1, *, learn_scale=False, per_element_scale=False, **kwargs):
        super().__init__(
            scale, learn_scale=learn_scale, per_element_scale=per_element_scale, **kwargs
        )

    def mean(self, params):
        """The mean before rounding to levels, which moves it by less than 1e-4 for scales from 1/255, 1/510 at most."""
        return clipped_mean(*self._loc_scale(params))

    def draw(self, params, noise):
        return nearest_level(super().draw(params, noise))

    def _element(self, loc, scale):
        return _Levels(loc, scale)

    def _standard(self, noise, size):
        return inverse_cdf.logistic(noise.uniform(size))

    def _loc_scale(self, params):
        loc, scale = super()._loc_scale(params)
        return 0.5 + loc, scale


class _Levels(tfp.distributions.Distribution):
    """The discretized logistic of one element, of broadcastable `loc` and `scale`."""

    def __init__(self, loc, scale):
        parameters = {"loc": loc, "scale": scale}
        self.loc, self.scale = tf.convert_to_tensor(loc), tf.convert_to_tensor(scale)
        super().__init__(self.loc.dtype, tfd.NOT_REPARAMETERIZED, False, True, parameters)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
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


def levels_log_prob(x, loc, scale):
    """log P(x), finite in value and gradient for every loc and any scale of 1e-30 to 1e30 or so.

    With bin edges a < b in units of scale, F(b) - F(a) = F(b) F(-a) (1 - exp(a - b)): a sum of
    logarithms without a difference of near numbers.
    """
    level = tf.round(x * float(_TOP))
    width = 1.0 / (_TOP * scale)
    centre = (level / _TOP - loc) / scale
    log_below, log_above = (
        tf.math.log_sigmoid(centre + width / 2),
        tf.math.log_sigmoid(width / 2 - centre),
    )
    inner = log_below + log_above + tf.math.log(-tf.math.expm1(-width))
    return tf.where(level <= 0, log_below, tf.where(level >= _TOP, log_above, inner))


def clipped_mean(loc, scale):
    """E[X] of a logistic X clipped to [0, 1]: scale (softplus(loc / scale) - softplus((loc - 1) / scale)).

    Within 1e-7 (1 + scale). Taken below the middle, where softplus is of small numbers, and mirrored.
    """
    mirrored = loc > 0.5
    low = tf.where(mirrored, 1.0 - loc, loc)
    mean = scale * (_softplus(low / scale) - _softplus((low - 1.0) / scale))
    return tf.where(mirrored, 1.0 - mean, mean)


def _softplus(x):
    # The device has no op for it, and the converter's own form overflows.
    return tf.maximum(x, 0.0) + tf.math.log(1.0 + tf.exp(-tf.abs(x)))


def nearest_level(x):
    """`x`, clipped to [0, 1] and rounded to a multiple of 1/255."""
    return tf.round(tf.clip_by_value(x, 0.0, 1.0) * float(_TOP)) / _TOP


def uniforms(sample_shape, shape, seed):
    """What a TFP distribution draws from, `[*sample_shape, *shape]`."""
    seed = tfp.random.sanitize_seed(seed)
    return tf.random.stateless_uniform(tf.concat([sample_shape, shape], axis=0), seed)
