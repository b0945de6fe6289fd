"""Distributions over groups of one-hot vectors, and over points of their simplexes.

A latent `[D]` is G groups of C classes side by side, D = G C.
"""

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.errors import invalid
from tfvae.ops import inverse_cdf

if TYPE_CHECKING:
    from tfvae.random import Stream

tfd, tfb = tfp.distributions, tfp.bijectors


def one_hot(logits: tf.Tensor, num_classes: int) -> tfp.distributions.Distribution:
    """Returns independent categoricals over one-hot vectors.

    Args:
        logits: `[..., D]`.
        num_classes: C, the classes of each group.

    Returns:
        A distribution of batch `[...]` and event `[D]`.
    """
    groups = tfd.OneHotCategorical(logits=grouped(logits, num_classes), dtype=tf.float32)
    return tfd.TransformedDistribution(tfd.Independent(groups, 1), _flat(logits, num_classes))


class Relaxed(tfp.distributions.TransformedDistribution):
    """Independent Concrete distributions over the simplex of each group [1].

    At low temperature most numbers of z are below the least float32, and z itself is 0 there.
    Density and draws are therefore also to be had by log z.

    Args:
        logits: `[..., D]`.
        temperature: positive; near 0 the draws are near one-hot vectors.
        num_classes: C, the classes of each group.

    References:
        [1] Maddison et al., The Concrete Distribution. ICLR 2017. arXiv:1611.00712.
    """

    def __init__(self, logits: tf.Tensor, temperature: float | tf.Tensor, num_classes: int) -> None:
        """Makes the distribution; see the class for the arguments."""
        groups = tfd.ExpRelaxedOneHotCategorical(temperature, logits=grouped(logits, num_classes))
        bijector = tfb.Chain([_flat(logits, num_classes), _Exp()])
        super().__init__(tfd.Independent(groups, 1), bijector)
        self._num_classes = num_classes

    def sample_log(self, num_samples: int, seed: tf.Tensor) -> tf.Tensor:
        """Draws the logarithm of z, the same z as `sample` does.

        Args:
            num_samples: K.
            seed: int32 pair.

        Returns:
            log z, `[K, ..., D]`.
        """
        return flat(self.distribution.sample(num_samples, seed=seed))

    def log_prob_by_log(self, log_z: tf.Tensor) -> tf.Tensor:
        """Computes the log-density of z on the simplex from its logarithm.

        Args:
            log_z: log z, `[..., D]`.

        Returns:
            `[...]`, in nats.
        """
        density = self.distribution.log_prob(grouped(log_z, self._num_classes))
        return density - tf.reduce_sum(log_z, axis=-1)


def log_prob(
    distribution: tfp.distributions.Distribution,
    z: tf.Tensor | list[tf.Tensor],
    log_z: tf.Tensor | None,
) -> tf.Tensor:
    """Computes log p(z), from log z where it is known and the distribution takes it.

    Args:
        distribution: p(z).
        z: the latents, `[K, B, D]`, or a list of layers.
        log_z: their logarithm, or None.

    Returns:
        `[K, B]`, in nats.
    """
    if log_z is None or not isinstance(distribution, Relaxed):
        return distribution.log_prob(z)
    return distribution.log_prob_by_log(log_z)


def softmax(logits: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Computes the probabilities of the classes of each group.

    Args:
        logits: `[..., D]`.
        num_classes: C, the classes of each group.

    Returns:
        Probabilities, `[..., D]`. Those of a group sum to 1.
    """
    return flat(tf.nn.softmax(grouped(logits, num_classes)))


def argmax(logits: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Returns the most probable class of each group as a one-hot vector.

    Args:
        logits: `[..., D]`.
        num_classes: C, the classes of each group.

    Returns:
        One-hot vectors side by side, float32 `[..., D]`.
    """
    values = grouped(logits, num_classes)
    return flat(tf.one_hot(tf.argmax(values, axis=-1, output_type=tf.int32), num_classes))


def draw_one_hot(logits: tf.Tensor, num_classes: int, noise: "Stream") -> tf.Tensor:
    """Draws from `one_hot(logits)` by inversion of the CDF, with one uniform per group.

    Args:
        logits: `[B, D]`, or `[1, D]` for all samples.
        num_classes: C, the classes of each group.
        noise: noise of B samples.

    Returns:
        One-hot vectors side by side, float32 `[B, D]`.
    """
    weights = tf.nn.softmax(grouped(logits, num_classes))  # [B, G, C]
    return flat(inverse_cdf.one_hot(weights, noise.uniform(weights.shape[-2])[..., None]))


def draw_relaxed(
    logits: tf.Tensor, temperature: float | tf.Tensor, num_classes: int, noise: "Stream"
) -> tf.Tensor:
    """Draws from `Relaxed(logits, temperature)` as the softmax of logits plus Gumbel noise.

    Args:
        logits: `[B, D]`, or `[D]` for all samples.
        temperature: positive.
        num_classes: C, the classes of each group.
        noise: noise of B samples.

    Returns:
        Points of the simplexes side by side, `[B, D]`.
    """
    u = noise.uniform(logits.shape[-1]) + np.float32(2.0**-24)  # never 0 or 1
    gumbel = -tf.math.log(-tf.math.log(u))
    return softmax((logits + gumbel) / temperature, num_classes)


def grouped(x: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Splits the last axis into groups: `[..., D] -> [..., G, C]`.

    Args:
        x: `[..., D]`, with a static last axis.
        num_classes: C, which divides D.

    Returns:
        The same numbers, `[..., G, C]`.
    """
    return tf.reshape(
        x, tf.concat([tf.shape(x)[:-1], [x.shape[-1] // num_classes, num_classes]], axis=0)
    )


def flat(x: tf.Tensor) -> tf.Tensor:
    """Joins groups into one axis: `[..., G, C] -> [..., D]`."""
    return tf.reshape(x, tf.concat([tf.shape(x)[:-2], [x.shape[-2] * x.shape[-1]]], axis=0))


def check_classes(num_classes: int | None, latent_dim: int) -> int:
    """Returns the number of classes of each group of a latent.

    Args:
        num_classes: C, or None for one group of all numbers of the latent.
        latent_dim: D.

    Raises:
        InputError: fewer than 2 classes, or classes that do not divide the latent.
    """
    count = latent_dim if num_classes is None else num_classes
    if count < 2 or latent_dim % count:
        raise invalid(
            "a number of classes from 2 that divides the latent size",
            f"num_classes={num_classes!r} and latent size {latent_dim}",
            "pass num_classes=10 for a latent of 10, 20, 30, ...",
        )

    return count


def _flat(logits, num_classes):
    """Returns the bijector from groups `[G, C]` to a latent `[D]`."""
    size = logits.shape[-1]
    return tfb.Reshape(event_shape_out=[size], event_shape_in=[size // num_classes, num_classes])


class _Exp(tfp.bijectors.Exp):
    """`tfb.Exp`, with a finite inverse also for a class whose value is 0 in float32."""

    def _inverse(self, y):
        return tf.math.log(tf.maximum(y, np.float32(1.2e-38)))
