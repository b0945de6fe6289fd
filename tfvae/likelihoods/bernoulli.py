"""Likelihoods of binary data, and of grey data between 0 and 1."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.datasets import binary
from tfvae.likelihoods.base import Elements
from tfvae.ops import in_float64, inverse_cdf, noise

if TYPE_CHECKING:
    from tfvae.random import Stream

tfd = tfp.distributions

_FACTORS = 14  # the most factors of one product in `_log_prob`


@register
class Bernoulli(Elements):
    """p(x|z) = prod_i Bernoulli(x_i; sigmoid(params_i)) for x in {0, 1}.

    A Bernoulli gives grey pixels no probability. With `dynamic_binarization`, grey values
    in [0, 1] are read as probabilities of a 1. Training draws each element afresh in every
    step ([1], section 5). Evaluation uses one fixed draw of each example, which follows from its
    values and a seed.

    Args:
        dynamic_binarization: accept grey data, and model its binarization.

    References:
        [1] Burda et al., Importance Weighted Autoencoders. ICLR 2016. arXiv:1509.00519.
    """

    value_range = (0.0, 1.0)
    mean_is_elementwise = True
    unbounded_params = "logits"
    discrete = True
    of_each = ()

    def __init__(self, *, dynamic_binarization: bool = False, **kwargs: Any) -> None:
        """Sets the support; see the class for the argument."""
        super().__init__(**kwargs)
        self.dynamic_binarization = dynamic_binarization
        self.support = "grey values from 0 to 1" if dynamic_binarization else "values 0 and 1 only"

    @property
    def randomizes(self) -> bool:
        """True with dynamic binarization."""
        return self.dynamic_binarization

    def distribution(self, params: tf.Tensor) -> tfp.distributions.Distribution:
        """Returns Bernoullis whose logits are `params`."""
        return _IndependentBernoulli(tfd.Bernoulli(logits=params), self.event_rank)

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        """Computes the probability of a 1 for each element."""
        return tf.sigmoid(params)

    def draw(self, params: tf.Tensor, stream: "Stream") -> tf.Tensor:
        """Draws a 1 where a uniform is below the probability.

        Args:
            params: logits, `[B, *event]`.
            stream: noise of B samples.

        Returns:
            Values 0 and 1, float32 `[B, *event]`.
        """
        size = math.prod(params.shape[1:])
        uniform = tf.reshape(stream.uniform(size), tf.shape(params))
        return tf.cast(uniform < tf.sigmoid(params), tf.float32)

    def in_support(self, x: np.ndarray | tf.Tensor) -> np.ndarray | tf.Tensor:
        """Returns which elements are 0 or 1, or lie between them with dynamic binarization."""
        return (x >= 0) & (x <= 1) if self.dynamic_binarization else (x == 0) | (x == 1)

    def prepare_for_training(self, x: np.ndarray | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns x as float32, with dynamic binarization one Bernoulli draw per element.

        Args:
            x: a batch, `[B, *event]`.
            seed: int32 `[2]`, of the draw.
        """
        x = tf.cast(x, tf.float32)
        if not self.dynamic_binarization:
            return x
        return tf.cast(noise.uniform(tf.shape(x), seed) < x, tf.float32)

    def prepare_for_evaluation(self, x: np.ndarray) -> tuple[np.ndarray, str | None]:
        """Returns x and None, or one fixed draw of grey data that are binarized, and a note."""
        if not self.dynamic_binarization or not binary.is_grey(x):
            return x, None
        seed = binary.BINARIZATION_SEED
        drawn = binary.binarize_examples(x, seed=seed)
        return drawn, f"one Bernoulli draw per value, seed {seed}"

    def fix_hint(self, x: np.ndarray) -> str:
        """Returns the likely fix: another likelihood, another scale, or a binarization."""
        if x.min() < 0 or x.max() > 255 or not np.isfinite(x).all():
            return "use a likelihood whose support holds these values, such as Normal()"
        if x.max() > 1:
            return "divide 8-bit values by 255, and binarize them"
        return (
            "Bernoulli(dynamic_binarization=True) draws the pixels afresh in every step; "
            "tfvae.datasets.binarize(x, seed=0) draws them once"
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make an equal piece."""
        return {**super().get_config(), "dynamic_binarization": self.dynamic_binarization}


class _IndependentBernoulli(tfp.distributions.Independent):
    """TFP's `Independent`, with log p of a whole event in one pass: a third of the time."""

    def _log_prob(self, x):
        logits = self.distribution.logits
        rank = self.event_shape.rank
        return _log_prob(*[_flat(tf.cast(t, logits.dtype), rank) for t in (x, logits)])


@tf.custom_gradient
def _log_prob(x, logits):
    """Computes sum_i (x_i logit_i - log(1 + exp(logit_i))) over the last axis, of static size."""
    # log(1 + e^l) = max(l, 0) + log(1 + e^-|l|), and a sum of logarithms is the logarithm of a
    # product. Each factor lies between 1 and 2, so a product of 14 is far from overflow.
    # Compilers make one vectorized loop of slices, which they do not make of a reshaped axis.
    size = logits.shape[-1]
    count = max(n for n in range(1, min(size, _FACTORS) + 1) if size % n == 0)

    linear, product = 0.0, 1.0
    for x_i, logit in zip(tf.split(x, count, axis=-1), tf.split(logits, count, axis=-1)):
        linear += x_i * logit - tf.maximum(logit, 0.0)
        product *= 1.0 + in_float64.exp_of_negative(tf.abs(logit))

    def gradient(upstream):
        upstream = upstream[..., None]
        return _sum_like(x, upstream * logits), _sum_like(
            logits, upstream * x - upstream * tf.sigmoid(logits)
        )

    log_prob = tf.reduce_sum(linear - tf.math.log(product), axis=-1)
    # A probability is at most 1. The comparison has a second use: without it XLA merges this sum
    # with the means over samples and batch that follow, and passes over the elements again, one
    # by one.
    return tf.where(log_prob > 0.0, tf.zeros_like(log_prob), log_prob), gradient


def _flat(events, rank):
    """Returns `[..., *event]`, an event having `rank` axes, with the event as one axis."""
    return tf.reshape(
        events, tf.concat([tf.shape(events)[:-rank], [math.prod(events.shape[-rank:])]], axis=0)
    )


def _sum_like(tensor, gradient):
    """Returns the gradient of `tensor`, which was broadcast to the shape of `gradient`."""
    axes, _ = tf.raw_ops.BroadcastGradientArgs(s0=tf.shape(tensor), s1=tf.shape(gradient))
    return tf.reshape(tf.reduce_sum(gradient, axes), tf.shape(tensor))


@register
class ContinuousBernoulli(Elements):
    """p(x|z) = C(p) p^x (1 - p)^(1 - x) for x in [0, 1], p = sigmoid(params) [1], equation 2.

    This is a density for grey pixels that are not to be binarized.

    References:
        [1] Loaiza-Ganem & Cunningham, The continuous Bernoulli. NeurIPS 2019. arXiv:1907.06845.
    """

    support = "values from 0 to 1"
    value_range = (0.0, 1.0)
    mean_is_elementwise = True
    unbounded_params = "logits"

    def distribution(self, params: tf.Tensor) -> tfp.distributions.Distribution:
        """Returns continuous Bernoullis whose logits are `params`."""
        return tfd.Independent(tfd.ContinuousBernoulli(logits=params), self.event_rank)

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        """Computes 1 / (1 - exp(-logit)) - 1 / logit, by its series for |logit| below 1."""
        small = tf.abs(params) < 1.0
        logit = tf.where(small, tf.ones_like(params), params)
        s = params * params
        series = 0.5 + params * (
            1 / 12 - s * (1 / 720 - s * (1 / 30240 - s * (1 / 1209600 - s / 47900160)))
        )
        return tf.where(small, series, 1.0 / (1.0 - tf.exp(-logit)) - 1.0 / logit)

    def draw(self, params: tf.Tensor, noise: "Stream") -> tf.Tensor:
        """Draws x by inversion of the CDF, with one uniform per element.

        Args:
            params: logits, `[B, *event]`.
            noise: noise of B samples.

        Returns:
            Values from 0 to 1, `[B, *event]`.
        """
        u = tf.reshape(noise.uniform(math.prod(params.shape[1:])), tf.shape(params))
        return inverse_cdf.continuous_bernoulli(u, params)

    def in_support(self, x: np.ndarray | tf.Tensor) -> np.ndarray | tf.Tensor:
        """Returns which elements lie from 0 to 1."""
        return (x >= 0) & (x <= 1)

    def fix_hint(self, x: np.ndarray) -> str:
        """Returns the likely fix: another scale of the data, or another likelihood."""
        return (
            "divide 8-bit values by 255, "
            "or use a likelihood such as Normal() for values of another range"
        )
