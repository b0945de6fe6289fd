"""What the weights of examples mean, in one place: an example of weight 0 is one that is not there."""

import tensorflow as tf


def of_batch(sample_weight):
    """Returns Keras' `sample_weight`, `[B]` or `[B, 1]`, as float32 `[B]`, or None where there is none."""
    return None if sample_weight is None else tf.cast(tf.reshape(sample_weight, [-1]), tf.float32)


def count(values, weights=None):
    """Returns how many examples values `[B, ...]` are of, without those of weight 0: float32 `[]`."""
    if weights is None:
        return tf.cast(tf.shape(values)[0], tf.float32)
    return tf.reduce_sum(tf.cast(weights != 0.0, tf.float32))


def filled(values, weights=None):
    """Returns values `[B, ...]` with the first example there is in the place of those of weight 0.

    For what goes into the networks: a loss of weight 0 that is infinite would still have a gradient that is no number.
    """
    if weights is None or values is None:
        return values
    first = tf.gather(values, tf.argmax(weights != 0.0))
    return tf.where(_beside(weights, values) != 0.0, values, first)


def present(values, weights=None):
    """Returns values `[B, ...]` with 0 for examples of weight 0, whatever stood there, infinity included."""
    return (
        values
        if weights is None
        else tf.where(_beside(weights, values) != 0.0, values, tf.zeros_like(values))
    )


def mean(values, weights=None):
    """Returns sum_b w_b v_b / sum_b w_b of values `[B, ...]`, `[...]`; 0 where all weights are 0."""
    if weights is None:
        return tf.reduce_mean(values, axis=0)
    total = tf.reduce_sum(_beside(weights, values) * present(values, weights), axis=0)
    return tf.math.divide_no_nan(total, tf.reduce_sum(weights))


def batch_loss(loss, weights=None):
    """Returns the loss of a batch by those of its examples `[B]`: sum_b w_b loss_b / (how many there are)."""
    if weights is None:
        return tf.reduce_mean(loss)
    return tf.reduce_sum(weights * present(loss, weights)) / tf.maximum(count(loss, weights), 1.0)


def _beside(weights, values):
    return tf.reshape(weights, [-1] + [1] * (len(values.shape) - 1))
