"""A likelihood of choices among categories."""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.errors import invalid
from tfvae.likelihoods.base import Elements
from tfvae.ops import inverse_cdf

tfd = tfp.distributions


@register
class Categorical(Elements):
    """p(x|z) = prod_i softmax(params_i)[category i] for one-hot vectors x_i along the last axis.

    Draws are one-hot vectors, the mean is their probabilities. A vector counts as one
    number in bits per dimension.

    Raises:
        InputError: events whose last axis has fewer than two categories.
    """

    support = "one-hot vectors along the last axis"
    value_range = (0.0, 1.0)

    def build(self, event_shape):
        if event_shape[-1] < 2:
            raise invalid(
                "events of at least two categories along the last axis",
                f"events of shape {tuple(event_shape)}",
                "make one-hot vectors with keras.utils.to_categorical",
            )
        super().build(event_shape)

    def dimensions(self, event_shape):
        return math.prod(event_shape[:-1])

    def distribution(self, params):
        return tfd.Independent(
            tfd.OneHotCategorical(logits=params, dtype=tf.float32), self.event_rank - 1
        )

    def mean(self, params):
        return tf.nn.softmax(params)

    def draw(self, params, noise):
        shape = params.shape[1:-1]
        u = tf.reshape(noise.uniform(math.prod(shape)), [-1, *shape, 1])
        return inverse_cdf.one_hot(tf.nn.softmax(params), u)

    def in_support(self, x):
        chosen = x == 1
        if tf.is_tensor(x):
            count = tf.reduce_sum(tf.cast(chosen, tf.int32), axis=-1, keepdims=True)
            binary = tf.reduce_all(chosen | (x == 0), axis=-1, keepdims=True)
        else:
            count = np.sum(chosen, axis=-1, keepdims=True)
            binary = np.all(chosen | (x == 0), axis=-1, keepdims=True)
        return (binary & (count == 1)) & (x == x)

    def hint(self, x):
        if not np.isfinite(x).all():
            return super().hint(x)
        return f"keras.utils.to_categorical(x, {x.shape[-1]}) makes one-hot vectors of the numbers of categories"
