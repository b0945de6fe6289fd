"""Distributions over groups of one-hot vectors, and over points of their simplexes.

A latent `[D]` is G groups of C classes side by side, D = G C.
"""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.errors import invalid
from tfvae.ops import inverse_cdf

tfd, tfb = tfp.distributions, tfp.bijectors


def one_hot(logits, num_classes):
    """Independent categoricals over one-hot vectors: logits `[..., D]` -> batch `[...]`, event `[D]`."""
    groups = tfd.OneHotCategorical(logits=grouped(logits, num_classes), dtype=tf.float32)
    return tfd.TransformedDistribution(tfd.Independent(groups, 1), _flat(logits, num_classes))


def relaxed(logits, temperature, num_classes):
    """The same, relaxed: Concrete distributions over the simplex of each group."""
    groups = tfd.ExpRelaxedOneHotCategorical(temperature, logits=grouped(logits, num_classes))
    bijector = tfb.Chain([_flat(logits, num_classes), _Exp()])
    return tfd.TransformedDistribution(tfd.Independent(groups, 1), bijector)


def softmax(logits, num_classes):
    """Probabilities of the classes of each group, `[..., D]`."""
    return flat(tf.nn.softmax(grouped(logits, num_classes)))


def argmax(logits, num_classes):
    """The most probable class of each group as one-hot vectors, `[..., D]`."""
    values = grouped(logits, num_classes)
    return flat(tf.one_hot(tf.argmax(values, axis=-1, output_type=tf.int32), num_classes))


def draw_one_hot(logits, num_classes, noise):
    """A draw of `one_hot(logits)` from a stream of B samples: by inverse_cdf, one uniform per group."""
    weights = tf.nn.softmax(grouped(logits, num_classes))  # [B, G, C]
    return flat(inverse_cdf.one_hot(weights, noise.uniform(weights.shape[-2])[..., None]))


def draw_relaxed(logits, temperature, num_classes, noise):
    """A draw of `relaxed(logits, temperature)` from a stream of B samples: softmax of Gumbels."""
    u = noise.uniform(logits.shape[-1]) + np.float32(2.0**-24)  # never 0 or 1
    gumbel = -tf.math.log(-tf.math.log(u))
    return softmax((logits + gumbel) / temperature, num_classes)


def grouped(x, num_classes):
    """`[..., D] -> [..., G, C]`."""
    return tf.reshape(
        x, tf.concat([tf.shape(x)[:-1], [x.shape[-1] // num_classes, num_classes]], axis=0)
    )


def flat(x):
    """`[..., G, C] -> [..., D]`."""
    return tf.reshape(x, tf.concat([tf.shape(x)[:-2], [x.shape[-2] * x.shape[-1]]], axis=0))


def check_classes(num_classes, latent_dim):
    """The number of classes of a latent, which may be None for one group.

    Raises:
        InputError: classes that do not divide the latent, or fewer than 2.
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
    size = logits.shape[-1]
    return tfb.Reshape(event_shape_out=[size], event_shape_in=[size // num_classes, num_classes])


class _Exp(tfp.bijectors.Exp):
    """`tfb.Exp`, with an inverse that is finite where a class came out as 0 in float32."""

    def _inverse(self, y):
        return tf.math.log(tf.maximum(y, np.float32(1.2e-38)))
