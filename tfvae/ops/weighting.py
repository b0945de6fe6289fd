"""Means and counts over weighted examples; an example of weight 0 counts as absent."""

import tensorflow as tf


def batch_weights(sample_weight: tf.Tensor | None) -> tf.Tensor | None:
    """Returns Keras' `sample_weight`, `[B]` or `[B, 1]`, as float32 `[B]`; None stays None."""
    return None if sample_weight is None else tf.cast(tf.reshape(sample_weight, [-1]), tf.float32)


def count(values: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    """Returns the number of examples whose weight is not 0.

    Args:
        values: `[B, ...]`; only B is used.
        weights: `[B]`, or None where all are 1.

    Returns:
        float32 `[]`.
    """
    if weights is None:
        return tf.cast(tf.shape(values)[0], tf.float32)
    return tf.reduce_sum(tf.cast(weights != 0.0, tf.float32))


def filled(values: tf.Tensor | None, weights: tf.Tensor | None = None) -> tf.Tensor | None:
    """Returns values in which each example of weight 0 is a copy of the first other example.

    It is for the input of networks. There, an example of weight 0 with an infinite loss would
    still have a gradient of NaN.

    Args:
        values: `[B, ...]`, or None.
        weights: `[B]`, or None where all are 1.

    Returns:
        `[B, ...]`, or None if `values` is None.
    """
    if weights is None or values is None:
        return values
    first = tf.gather(values, tf.argmax(weights != 0.0))
    return tf.where(_beside(weights, values) != 0.0, values, first)


def present(values: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    """Returns values with 0 for examples of weight 0, in place of infinity and NaN as well.

    Args:
        values: `[B, ...]`.
        weights: `[B]`, or None where all are 1.

    Returns:
        `[B, ...]`.
    """
    return (
        values
        if weights is None
        else tf.where(_beside(weights, values) != 0.0, values, tf.zeros_like(values))
    )


def mean(values: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    """Returns the weighted mean over examples: sum_b w_b v_b / sum_b w_b.

    Args:
        values: v, `[B, ...]`.
        weights: w, `[B]`, or None where all are 1.

    Returns:
        `[...]`; 0 where all weights are 0.
    """
    if weights is None:
        return tf.reduce_mean(values, axis=0)
    total = tf.reduce_sum(_beside(weights, values) * present(values, weights), axis=0)
    return tf.math.divide_no_nan(total, tf.reduce_sum(weights))


def batch_loss(loss: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    """Returns the loss of a batch: sum_b w_b loss_b / (number of examples of other weight than 0).

    Args:
        loss: the loss of each example, `[B]`.
        weights: w, `[B]`, or None where all are 1.

    Returns:
        A scalar; 0 where all weights are 0.
    """
    if weights is None:
        return tf.reduce_mean(loss)
    return tf.reduce_sum(weights * present(loss, weights)) / tf.maximum(count(loss, weights), 1.0)


def _beside(weights, values):
    return tf.reshape(weights, [-1] + [1] * (len(values.shape) - 1))
