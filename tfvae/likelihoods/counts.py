"""Likelihoods of counts."""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import keras, register
from tfvae.likelihoods.base import Elements
from tfvae.ops import inverse_cdf
from tfvae.validation import arguments

tfd = tfp.distributions

_LOG_LEAST = -40.0  # the least mean; a smaller one has the same probabilities in float32
_LOG_LINEAR = 15.0  # from a mean of 3.3 million the exponential goes on as a line
_LOG_LEAST_DISPERSION = -7.0


class _Counts(Elements):
    """Counts of a mean exp(params), which beyond 3.3 million rises on as a line, so that it is finite.

    The encoder sees log(1 + x).
    """

    support = "whole numbers from 0"

    def encoder_view(self, x):
        return tf.math.log(1.0 + tf.maximum(x, 0.0))  # a pseudo-input of a prior may be negative

    def in_support(self, x):
        return inverse_cdf.is_whole(x) & (x >= 0)

    def hint(self, x):
        if x.min() < 0:
            return "use a likelihood whose support holds these values, such as Normal()"
        return "pass raw counts, not normalized or log-transformed ones"


@register
class Poisson(_Counts):
    """p(x|z) = prod_i mean_i^x_i exp(-mean_i) / x_i!, mean = exp(params), for counts.

    The decoder gives log-means. Those above 15, a mean of 3.3 million, count less: the mean
    goes on as a line. Float32 leaves an error of 1e-6 mean nats in log p. A draw takes time in
    proportion to the largest count, and ends at 2^20.
    """

    def distribution(self, params):
        return tfd.Independent(tfd.Poisson(log_rate=_bounded_log(params)), self.event_rank)

    def mean(self, params):
        return tf.exp(_bounded_log(params))

    def draw(self, params, noise):
        mean = self.mean(params)
        return inverse_cdf.poisson(_uniform_like(mean, noise), mean)


@register
class NegativeBinomial(_Counts):
    """Counts of mean m = exp(params) and variance m + m^2 / r for each element [1], section "The scVI model".

        p(x|z) = Gamma(x + r) / (Gamma(r) x!) (r / (r + m))^r (m / (r + m))^x

    Bounds, errors and the time of draws are as those of `Poisson`. The dispersion r
    is a learned number for each element of an event, or given by the decoder:

        NegativeBinomial(2.0)                           learned, starting there
        NegativeBinomial(per_element_dispersion=True)   the decoder's last axis is twice the
                                                        event's: log m, then log r

    Args:
        dispersion: the first r, positive; the larger, the closer to a Poisson.
        per_element_dispersion: take r from the decoder; `dispersion` is then unused.

    Raises:
        InputError: a dispersion that is not positive and finite.

    References:
        [1] Lopez et al., Deep generative modeling for single-cell transcriptomics. Nature Methods 15, 2018.
    """

    def __init__(self, dispersion=1.0, *, per_element_dispersion=False, **kwargs):
        super().__init__(**kwargs)
        self.dispersion = float(arguments.positive_number("dispersion", dispersion))
        self.per_element_dispersion = per_element_dispersion

    def params_shape(self, event_shape):
        if not self.per_element_dispersion:
            return tuple(event_shape)
        return (*event_shape[:-1], 2 * event_shape[-1])

    def build(self, event_shape):
        if not self.per_element_dispersion:
            initial = keras.initializers.Constant(math.log(self.dispersion))
            self.log_dispersion = self.add_weight(
                shape=event_shape, initializer=initial, name="log_dispersion"
            )
        super().build(event_shape)

    def kept(self, event_shape):
        return len(event_shape) if self.per_element_dispersion else tuple(event_shape)

    def distribution(self, params):
        log_mean, log_r = self._split(params)
        return tfd.Independent(
            tfd.NegativeBinomial(tf.exp(log_r), logits=log_mean - log_r), self.event_rank
        )

    def mean(self, params):
        return tf.exp(self._split(params)[0])

    def draw(self, params, noise):
        mean, r = (tf.exp(log) for log in self._split(params))
        return inverse_cdf.negative_binomial(_uniform_like(mean, noise), mean, r)

    def _split(self, params):
        """log m, `[..., *event]`, and log r, which broadcasts to it."""
        if self.per_element_dispersion:
            log_mean, log_r = tf.split(params, 2, axis=-1)
        else:
            log_mean, log_r = params, tf.cast(self.log_dispersion, tf.float32)
        return _bounded_log(log_mean), _bounded_log(log_r, _LOG_LEAST_DISPERSION)

    def get_config(self):
        mine = {
            "dispersion": self.dispersion,
            "per_element_dispersion": self.per_element_dispersion,
        }
        return {**super().get_config(), **mine}


def _bounded_log(log, least=_LOG_LEAST):
    """`log`, of which the exponential is neither 0 nor infinite, and has a gradient however large."""
    log = tf.maximum(log, least)
    return tf.minimum(log, _LOG_LINEAR) + tf.math.log(1.0 + tf.maximum(log - _LOG_LINEAR, 0.0))


def _uniform_like(mean, noise):
    return tf.reshape(noise.uniform(math.prod(mean.shape[1:])), tf.shape(mean))
