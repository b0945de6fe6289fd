"""Distributions of vectors whose parts have distributions of their own."""

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.ops.layout import Layout

tfd = tfp.distributions


class Blocks(tfp.distributions.Distribution):
    """Independent distributions of the blocks of the last axis.

    Args:
        parts: a distribution for each group of blocks, of one batch. Events of a block alone are
            `[..., width]`, those of n blocks side by side `[..., n, width]`.
        layout: where the blocks lie.
        event_shape: the shape of all of them together.
    """

    def __init__(
        self,
        parts: Sequence[tfp.distributions.Distribution],
        layout: Layout,
        event_shape: Sequence[int],
    ) -> None:
        """Keeps the arguments."""
        super().__init__(
            parts[0].dtype,
            tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            name="Blocks",
        )
        self._parts = list(parts)
        self._layout = layout
        self._shape = tuple(event_shape)

    def _batch_shape(self):
        return self._parts[0].batch_shape

    def _batch_shape_tensor(self):
        return self._parts[0].batch_shape_tensor()

    def _event_shape(self):
        return tf.TensorShape(self._shape)

    def _event_shape_tensor(self):
        return tf.constant(self._shape, tf.int32)

    def _sample_n(self, n, seed=None):
        seeds = tfp.random.split_seed(seed, len(self._parts))
        drawn = [part.sample(n, seed=each) for part, each in zip(self._parts, tf.unstack(seeds))]
        return self._layout.joined(drawn)

    def _mean(self):
        return self._layout.joined([part.mean() for part in self._parts])

    def _log_prob(self, x):
        pairs = zip(self._parts, self._layout.split(x))
        return tf.add_n([part.log_prob(blocks) for part, blocks in pairs])
