"""Brings the blocks of an axis that are of one kind side by side, and back."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


class Layout:
    """Where the blocks of the last axis lie, and which of them form a group.

    Args:
        widths: elements of each block, in their order on the axis.
        groups: for each group the numbers of its blocks, which are equally wide. Each block is in
            one group.
    """

    def __init__(self, widths: Sequence[int], groups: Sequence[Sequence[int]]) -> None:
        """Finds the place of each element."""
        starts = np.cumsum([0, *widths[:-1]])
        blocks = [i for group in groups for i in group]
        self._order = np.concatenate([starts[i] + np.arange(widths[i]) for i in blocks])
        self._back = np.argsort(self._order)
        self._shapes = [_shape(group, widths) for group in groups]
        self._sizes = [int(np.prod(shape)) for shape in self._shapes]

    def split(self, x: tf.Tensor) -> list[tf.Tensor]:
        """Returns the blocks of each group.

        Args:
            x: `[..., E]`.

        Returns:
            For a group of n blocks `[..., n, width]`, and for one block alone `[..., width]`.
        """
        parts = tf.split(permuted(x, self._order), self._sizes, axis=-1)
        return [_reshaped(part, shape) for part, shape in zip(parts, self._shapes)]

    def joined(self, parts: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns `[..., E]`, from what `split` returned."""
        pairs = zip(parts, self._shapes)
        flat = [
            _reshaped(part, [size], len(shape)) for (part, shape), size in zip(pairs, self._sizes)
        ]
        return permuted(tf.concat(flat, axis=-1), self._back)


def permuted(x: tf.Tensor, order: np.ndarray) -> tf.Tensor:
    """Returns the elements of the last axis in another order.

    Args:
        x: `[..., E]`.
        order: for each place the element that comes there, every number from 0 to E - 1 once.
    """
    if np.array_equal(order, np.arange(len(order))):
        return x

    @tf.custom_gradient
    def gathered(x):
        # Known to be a permutation, it has one as its gradient; TensorFlow adds up in a loop.
        return tf.gather(x, order, axis=-1), lambda upstream: permuted(upstream, np.argsort(order))

    return gathered(x)


def _shape(group, widths):
    width = widths[group[0]]
    return (width,) if len(group) == 1 else (len(group), width)


def _reshaped(x, shape, axes=1):
    """Returns x with its last axes in another shape."""
    if axes == len(shape) == 1:
        return x
    return tf.reshape(x, tf.concat([tf.shape(x)[:-axes], shape], axis=0))
