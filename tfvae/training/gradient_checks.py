"""Tells what of the gradients an alarm has to look at."""

import math
from collections.abc import Sequence

import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras

# Adam squares gradients. Far below the root of the largest float32, since only one row of a
# kernel's gradient is looked at, and others may be larger.
_LARGEST_GRADIENT = 1e15
_MAX_JOINED = 2**12  # numbers in a part that is copied beside others


def largest_gradient(optimizer: keras.optimizers.Optimizer) -> float:
    """Returns the size from which on an optimizer could not use a gradient."""
    clips = (optimizer.clipnorm, optimizer.clipvalue, optimizer.global_clipnorm)
    return _LARGEST_GRADIENT if all(clip is None for clip in clips) else math.inf


def telling_parts(
    model: keras.Model, gradients: Sequence[tf.Tensor | tf.IndexedSlices | None]
) -> list[tf.Tensor]:
    """Returns the parts of the gradients that show whether all of them are finite.

    A bad number in the gradient of the output of a dense layer or a convolution reaches every
    row of its kernel's gradient. So one row is enough there. Other gradients are taken whole.

    Args:
        model: a compiled Keras model.
        gradients: the gradients of its trainable variables; None where a variable has none.

    Returns:
        Tensors, the small ones of a dtype joined into one. None of an optimizer that scales the
        loss and itself handles gradients that overflow.
    """
    if isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
        return []

    by_row = {id(kernel) for kernel in map(_kernel_of_sums, internals.flatten_layers(model))}
    parts = []
    for variable, gradient in zip(model.trainable_variables, gradients):
        if isinstance(gradient, tf.IndexedSlices):
            parts.append(gradient.values)
        elif gradient is not None and id(variable) in by_row:
            parts.append(tf.reshape(gradient, [-1, gradient.shape[-1]])[0])
        elif gradient is not None:
            parts.append(gradient)

    return _small_ones_joined(parts)


def _small_ones_joined(parts):
    """Returns the large tensors as they are, and the small ones of a dtype side by side.

    So one operation looks at all of these; XLA compiles each operation, and keeps its program.
    """
    large: list[tf.Tensor] = []
    small: dict[tf.DType, list[tf.Tensor]] = {}
    for part in parts:
        size = part.shape.num_elements()
        if size is None or size > _MAX_JOINED:
            large.append(part)
        else:
            small.setdefault(part.dtype, []).append(tf.reshape(part, [-1]))

    return [*large, *(tf.concat(joined, axis=0) for joined in small.values())]


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
