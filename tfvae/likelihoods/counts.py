"""Likelihoods of counts."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import keras, register
from tfvae.likelihoods.base import Elements
from tfvae.ops import inverse_cdf
from tfvae.validation import arguments

if TYPE_CHECKING:
    import numpy as np

    from tfvae.random import Stream

tfd = tfp.distributions

_LOG_LEAST = -40.0  # of the mean; a smaller mean has the same probabilities in float32
_LOG_LINEAR = 15.0  # above it, a mean of 3.3 million, the mean rises as a line
_LOG_LEAST_DISPERSION = -7.0


class _Counts(Elements):
    """Counts with mean exp(params). The encoder sees log(1 + x).

    Above 3.3 million the mean rises linearly with params, so that it stays finite.
    """

    support = "whole numbers from 0"
    unbounded_params = "logarithms of means"
    discrete = True

    def encoder_input(self, x: tf.Tensor) -> tf.Tensor:
        """Returns log(1 + x)."""
        return tf.math.log(1.0 + tf.maximum(x, 0.0))  # a prior's pseudo-inputs may be negative

    def in_support(self, x: "np.ndarray | tf.Tensor") -> "np.ndarray | tf.Tensor":
        """Returns which elements are whole numbers from 0."""
        return inverse_cdf.is_whole(x) & (x >= 0)

    def fix_hint(self, x: "np.ndarray") -> str:
        """Returns the likely fix: another likelihood, or raw counts."""
        if x.min() < 0:
            return "use a likelihood whose support holds these values, such as Normal()"
        return "pass raw counts, not normalized or log-transformed ones"


@register
class Poisson(_Counts):
    """p(x|z) = prod_i mean_i^x_i exp(-mean_i) / x_i!, mean = exp(params), for counts.

    The decoder gives log-means. Above a log-mean of 15, a mean of 3.3 million, the mean rises
    linearly with it. Float32 leaves an error in log p of 1e-6 times the mean, in nats. A draw
    takes time in proportion to the largest count, and no draw exceeds 2^20.
    """

    of_each = ()

    def distribution(self, params: tf.Tensor) -> tfp.distributions.Distribution:
        """Returns Poissons with log-means `params`."""
        return tfd.Independent(tfd.Poisson(log_rate=_bounded_log(params)), self.event_rank)

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        """Computes exp(params), which rises linearly above 3.3 million."""
        return tf.exp(_bounded_log(params))

    def draw(self, params: tf.Tensor, noise: "Stream") -> tf.Tensor:
        """Draws counts by inversion of the CDF, with one uniform per element.

        Args:
            params: log-means, `[B, *event]`.
            noise: noise of B samples.

        Returns:
            Counts, float32 `[B, *event]`.
        """
        mean = self.mean(params)
        return inverse_cdf.poisson(_uniform_like(mean, noise), mean)


@register
class NegativeBinomial(_Counts):
    """Counts with mean m = exp(params) and variance m + m^2 / r for each element [1].

        p(x|z) = Gamma(x + r) / (Gamma(r) x!) (r / (r + m))^r (m / (r + m))^x

    The bounds, the errors and the time of a draw are as for `Poisson`. The dispersion r is a
    learned number for each element of an event, or the decoder gives it:

        NegativeBinomial(2.0)                           learned, starting there
        NegativeBinomial(per_element_dispersion=True)   the decoder's last axis is twice the
                                                        event's: log m, then log r

    Args:
        dispersion: the first r, positive. A larger r is closer to a Poisson.
        per_element_dispersion: take r from the decoder; `dispersion` is then unused.

    Raises:
        InputError: a dispersion that is not positive and finite.

    References:
        [1] Lopez et al., Deep generative modeling for single-cell transcriptomics. Nature
            Methods 15, 2018, section "The scVI model".
    """

    of_each = ("dispersion", "log_dispersion")

    def __init__(
        self, dispersion: float = 1.0, *, per_element_dispersion: bool = False, **kwargs: Any
    ) -> None:
        """Checks the dispersion; see the class for the arguments."""
        super().__init__(**kwargs)
        self.dispersion = float(arguments.positive_number("dispersion", dispersion))
        self.per_element_dispersion = per_element_dispersion

    def params_shape(self, event_shape: Sequence[int]) -> tuple[int, ...]:
        """Returns the event's shape, with twice its last axis if the decoder gives r."""
        if not self.per_element_dispersion:
            return tuple(event_shape)
        return (*event_shape[:-1], 2 * event_shape[-1])

    def build(self, event_shape: tuple[int, ...]) -> None:
        """Creates the weight log r, unless the decoder gives it."""
        if not self.per_element_dispersion:
            initial = keras.initializers.Constant(math.log(self.dispersion))
            self.log_dispersion = self.add_weight(
                shape=event_shape, initializer=initial, name="log_dispersion"
            )
        super().build(event_shape)

    def kept(self, event_shape: tuple[int, ...]) -> int | tuple[int, ...]:
        """Returns the whole shape if r is a weight, else the number of axes."""
        return len(event_shape) if self.per_element_dispersion else tuple(event_shape)

    def distribution(self, params: tf.Tensor) -> tfp.distributions.Distribution:
        """Returns negative binomials with mean m and dispersion r."""
        log_mean, log_r = self._split(params)
        return tfd.Independent(
            tfd.NegativeBinomial(tf.exp(log_r), logits=log_mean - log_r), self.event_rank
        )

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        """Computes m."""
        return tf.exp(self._split(params)[0])

    def draw(self, params: tf.Tensor, noise: "Stream") -> tf.Tensor:
        """Draws counts by inversion of the CDF, with one uniform per element.

        Args:
            params: the decoder's output, `[B, *params_shape]`.
            noise: noise of B samples.

        Returns:
            Counts, float32 `[B, *event]`.
        """
        mean, r = (tf.exp(log) for log in self._split(params))
        return inverse_cdf.negative_binomial(_uniform_like(mean, noise), mean, r)

    def _split(self, params):
        """Returns log m, `[..., *event]`, and log r, which broadcasts to it."""
        if self.per_element_dispersion:
            log_mean, log_r = tf.split(params, 2, axis=-1)
        else:
            log_mean, log_r = params, tf.cast(self.log_dispersion, params.dtype)
        return _bounded_log(log_mean), _bounded_log(log_r, _LOG_LEAST_DISPERSION)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make an equal piece."""
        mine = {
            "dispersion": self.dispersion,
            "per_element_dispersion": self.per_element_dispersion,
        }
        return {**super().get_config(), **mine}


def _bounded_log(log, least=_LOG_LEAST):
    """Returns `log` bounded so that its exponential is neither 0 nor infinite.

    The exponential keeps a gradient however large `log` is: above 15 it rises linearly with it.
    """
    log = tf.maximum(log, least)
    return tf.minimum(log, _LOG_LINEAR) + tf.math.log(1.0 + tf.maximum(log - _LOG_LINEAR, 0.0))


def _uniform_like(mean, noise):
    """Returns one uniform per element of `mean`, `[B, *event]`."""
    return tf.reshape(noise.uniform(math.prod(mean.shape[1:])), tf.shape(mean))
