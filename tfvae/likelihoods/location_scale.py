"""Likelihoods of real-valued data: a location and a scale for each element."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import keras, register
from tfvae.errors import invalid
from tfvae.likelihoods.base import Elements
from tfvae.ops import inverse_cdf, weighting
from tfvae.validation import arguments

if TYPE_CHECKING:
    from tfvae.random import Stream

tfd = tfp.distributions

# Keeps a density finite where the decoder reproduces an element exactly.
_MIN_SCALE = 1e-3
# Degrees of freedom with which Student's t is the normal. Above them its constants overflow.
_NORMAL_DF = 1e30
_DECAY = 0.99  # of the moving average of an optimal scale's square, per step


class _LocationScale(Elements):
    """Independent elements, each with a location and a scale.

    The scale is fixed, or one learned number, or the decoder gives it.

    Args:
        scale: the fixed or first value, positive.
        learn_scale: make the scale a weight.
        per_element_scale: take the scale from the decoder; `scale` is then unused.

    Attributes:
        min_scale: lower bound of the decoder's scales.

    Raises:
        InputError: a scale that is not positive and finite, or both options at once.
    """

    min_scale = _MIN_SCALE

    def __init__(
        self,
        scale: float = 1.0,
        *,
        learn_scale: bool = False,
        per_element_scale: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if learn_scale and per_element_scale:
            raise invalid(
                "one learned scale or one per element",
                "learn_scale=True and per_element_scale=True",
                "set one of them",
            )

        self.scale = float(arguments.positive_number("scale", scale))
        self.learn_scale = learn_scale
        self.per_element_scale = per_element_scale
        # A location alone is in the data's units, and may keep within their range.
        if per_element_scale:
            self.unbounded_params = "locations and scales before their softplus"

    def params_shape(self, event_shape: Sequence[int]) -> tuple[int, ...]:
        """Returns the event's shape, with twice its last axis if the decoder gives scales."""
        if not self.per_element_scale:
            return tuple(event_shape)
        return (*event_shape[:-1], 2 * event_shape[-1])

    def build(self, event_shape: tuple[int, ...]) -> None:
        """Creates the weight log scale, if the scale is learned."""
        super().build(event_shape)
        if self.learn_scale:
            initial = keras.initializers.Constant(math.log(self.scale))
            self.log_scale = self.add_weight(shape=(), initializer=initial, name="log_scale")

    def distribution(self, params: tf.Tensor) -> tfp.distributions.Distribution:
        """Returns independent elements with the location and the scale of `params`."""
        return tfd.Independent(self._element(*self._loc_scale(params)), self.event_rank)

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        """Returns the location."""
        return self._loc_scale(params)[0]

    def draw(self, params: tf.Tensor, noise: "Stream") -> tf.Tensor:
        """Draws loc + scale times a standard draw.

        Args:
            params: the decoder's output, `[B, *params_shape]`.
            noise: noise of B samples.

        Returns:
            x, `[B, *event]`.
        """
        loc, scale = self._loc_scale(params)
        standard = tf.reshape(self._standard(noise, math.prod(loc.shape[1:])), tf.shape(loc))
        return loc + scale * standard

    def _element(self, loc, scale):
        """Returns the distribution of each element."""
        raise NotImplementedError

    def _standard(self, noise, size):
        """Draws with location 0 and scale 1, `[B, size]`."""
        raise NotImplementedError

    def _loc_scale(self, params):
        """Returns location `[..., *event]` and scale, which broadcasts to it."""
        if self.per_element_scale:
            loc, raw_scale = tf.split(params, 2, axis=-1)
            return loc, tf.nn.softplus(raw_scale) + self.min_scale
        if self.learn_scale:
            return params, tf.exp(tf.cast(self.log_scale, params.dtype))
        return params, tf.constant(self.scale, params.dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make an equal piece."""
        return {
            **super().get_config(),
            "scale": self.scale,
            "learn_scale": self.learn_scale,
            "per_element_scale": self.per_element_scale,
        }


@register
class Normal(_LocationScale):
    """p(x|z) = N(x; loc, scale^2) for each element of real-valued data.

    There are four kinds of scale:

        Normal(0.1)                    fixed
        Normal(0.1, learn_scale=True)  learned, starting there
        Normal(per_element_scale=True) the decoder's last axis is twice the event's:
                                       loc, then the inverse softplus of scale
        Normal(optimal_scale=True)     fitted to each batch in training, a moving average
                                       otherwise

    The optimal scale is the root of the mean of (x - loc)^2 over latents, batch and elements.
    Examples count by their weights. No other scale has a smaller distortion ([1], section 3.2).
    The step holds it constant. This leaves the gradient right, since the derivative of the
    distortion by the scale is 0 there. For a bound that is not linear in the log-weights, such
    as IWAE, it is not quite the optimum.

    Args:
        scale: the fixed or first value, positive.
        learn_scale: make the scale a weight.
        per_element_scale: take the scale from the decoder; `scale` is then unused.
        optimal_scale: fit the scale to each batch; `scale` is then the value before training.

    Raises:
        InputError: a scale that is not positive and finite, or two options at once.

    References:
        [1] Rybkin et al., Simple and Effective VAE Training with Calibrated Decoders. ICML 2021.
            arXiv:2006.13202.
    """

    of_each = ("scale", "log_scale")

    def __init__(
        self,
        scale: float = 1.0,
        *,
        learn_scale: bool = False,
        per_element_scale: bool = False,
        optimal_scale: bool = False,
        **kwargs: Any,
    ) -> None:
        """Checks the scale; see the class for the arguments."""
        super().__init__(
            scale, learn_scale=learn_scale, per_element_scale=per_element_scale, **kwargs
        )
        if optimal_scale and (learn_scale or per_element_scale):
            raise invalid(
                "an optimal scale, a learned one or one per element",
                "optimal_scale=True and "
                f"{'learn_scale' if learn_scale else 'per_element_scale'}=True",
                "set one of them",
            )

        self.optimal_scale = optimal_scale

    def build(self, event_shape: tuple[int, ...]) -> None:
        """Creates the weights of a learned scale or of the optimal scale's moving average."""
        super().build(event_shape)
        if self.optimal_scale:
            for name in ("variance_sum", "variance_weight"):
                weight = self.add_weight(
                    shape=(), initializer="zeros", trainable=False, aggregation="mean", name=name
                )
                setattr(self, name, weight)

    @property
    def updates_state_in_training(self) -> bool:
        """True if the scale is optimal, or a subclass has its own `training_distribution`."""
        return (
            self.optimal_scale
            or type(self).training_distribution is not Normal.training_distribution
        )

    def training_distribution(
        self, params: tf.Tensor, x: tf.Tensor, example_weights: tf.Tensor | None = None
    ) -> tfp.distributions.Distribution:
        """Returns p(x|z); an optimal scale is that of the batch, and joins the average.

        Args:
            params: the decoder's output, `[K, B, *params_shape]`.
            x: the batch, `[B, *event]`. NaN is a missing element, which does not count.
            example_weights: `[B]`, or None if all examples count 1.
        """
        if not self.optimal_scale:
            return self.distribution(params)

        observed = tf.cast(x == x, tf.float32)  # 0 for elements missing under `Observed`
        # The mean over latents.
        squares = tf.reduce_mean(tf.where(x == x, tf.square(x - params), 0.0), axis=0)
        share = _mean_of_elements(observed, example_weights)
        variance = tf.stop_gradient(
            tf.math.divide_no_nan(_mean_of_elements(squares, example_weights), share)
        )

        # variance_sum / variance_weight is the average over the steps so far, also after few
        # steps. A batch in which nothing counts leaves it as it is.
        new = tf.where(share > 0.0, 1 - _DECAY, 0.0)
        self.variance_sum.assign((1 - new) * self.variance_sum + new * variance)
        self.variance_weight.assign((1 - new) * self.variance_weight + new)

        scale = tf.maximum(tf.sqrt(variance), _MIN_SCALE)
        return tfd.Independent(tfd.Normal(params, scale), self.event_rank)

    def _loc_scale(self, params):
        if not self.optimal_scale:
            return super()._loc_scale(params)
        total, weight = (
            tf.cast(value, params.dtype) for value in (self.variance_sum, self.variance_weight)
        )
        fitted = tf.maximum(tf.sqrt(total / tf.maximum(weight, 1 - _DECAY)), _MIN_SCALE)
        return params, tf.where(weight > 0, fitted, tf.constant(self.scale, params.dtype))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make an equal piece."""
        return {**super().get_config(), "optimal_scale": self.optimal_scale}

    def _element(self, loc, scale):
        return tfd.Normal(loc, scale)

    def _standard(self, noise, size):
        return noise.normal(size)


def _mean_of_elements(values, example_weights):
    """Computes the mean over the elements of a batch `[B, *event]`, by the examples' weights."""
    return weighting.mean(
        tf.reduce_mean(values, axis=list(range(1, len(values.shape)))), example_weights
    )


@register
class Laplace(_LocationScale):
    """p(x|z) = exp(-|x - loc| / scale) / (2 scale) for each element: an L1 distortion.

    Args:
        scale: as for `Normal`.
        learn_scale: as for `Normal`.
        per_element_scale: as for `Normal`.

    Raises:
        InputError: a scale that is not positive and finite, or both options at once.
    """

    of_each = ("scale", "log_scale")

    def _element(self, loc, scale):
        return tfd.Laplace(loc, scale)

    def _standard(self, noise, size):
        # Between -0.5 and 0.5, never at an end.
        u = noise.uniform(size) - np.float32(0.5 - 2.0**-24)
        return -tf.sign(u) * tf.math.log(1.0 - 2.0 * tf.abs(u))


@register
class StudentT(_LocationScale):
    """Student's t for each element of real-valued data with outliers.

    Args:
        scale: as for `Normal`. It is not the standard deviation.
        df: degrees of freedom, positive.
        learn_scale: as for `Normal`.
        per_element_scale: as for `Normal`.

    Raises:
        InputError: a scale or df that is not positive and finite, or both options at once.

    References:
        [1] Takahashi et al., Student-t Variational Autoencoder for Robust Density Estimation.
            IJCAI 2018.
    """

    of_each = ("scale", "log_scale")

    def __init__(
        self,
        scale: float = 1.0,
        *,
        df: float = 4.0,
        learn_scale: bool = False,
        per_element_scale: bool = False,
        **kwargs: Any,
    ) -> None:
        """Checks scale and df; see the class for the arguments."""
        super().__init__(
            scale, learn_scale=learn_scale, per_element_scale=per_element_scale, **kwargs
        )
        self.df = float(arguments.positive_number("df", df))

    def _element(self, loc, scale):
        return tfd.StudentT(min(self.df, _NORMAL_DF), loc, scale)

    def _standard(self, noise, size):
        u, v = noise.uniforms(2, size)
        return inverse_cdf.student_t(u, v, self.df)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make an equal piece."""
        return {**super().get_config(), "df": self.df}
