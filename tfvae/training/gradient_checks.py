"""Tells what of the gradients an alarm has to look at."""

import math
from collections.abc import Sequence

import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras

# Adam squares gradients. Far below the root of the largest float32, since only one row of a
# kernel's gradient is looked at, and others may be larger.
_LARGEST_GRADIENT = 1e15


def is_scaled(optimizer: keras.optimizers.Optimizer) -> bool:
    """Returns True if an optimizer scales the loss and itself handles gradients that overflow."""
    return isinstance(optimizer, keras.optimizers.LossScaleOptimizer)


def largest_gradient(optimizer: keras.optimizers.Optimizer) -> float:
    """Returns the size from which on an optimizer could not use a gradient."""
    clips = (optimizer.clipnorm, optimizer.clipvalue, optimizer.global_clipnorm)
    return _LARGEST_GRADIENT if all(clip is None for clip in clips) else math.inf


def telling_parts(
    model: keras.Model, gradients: Sequence[tf.Tensor | tf.IndexedSlices | None]
) -> list[tf.Tensor]:
    """Returns the part of each gradient that shows whether all of it is finite.

    A bad number in the gradient of the output of a dense layer or a convolution reaches every
    row of its kernel's gradient. So one row is enough there. Other gradients are taken whole.

    Args:
        model: a Keras model.
        gradients: the gradients of its trainable variables; None where a variable has none.

    Returns:
        One tensor for each gradient that is not None.
    """
    by_row = {id(kernel) for kernel in map(_kernel_of_sums, internals.flatten_layers(model))}
    parts = []
    for variable, gradient in zip(model.trainable_variables, gradients):
        if isinstance(gradient, tf.IndexedSlices):
            parts.append(gradient.values)
        elif gradient is not None and id(variable) in by_row:
            parts.append(tf.reshape(gradient, [-1, gradient.shape[-1]])[0])
        elif gradient is not None:
            parts.append(gradient)

    return parts


def _kernel_of_sums(layer):
    """Returns the unpenalized kernel of a layer whose outputs sum over all inputs, or None."""
    kinds = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
    if (
        type(layer) not in kinds
        or layer.kernel_regularizer is not None
        or getattr(layer, "groups", 1) > 1
    ):
        return None

    return layer.kernel
