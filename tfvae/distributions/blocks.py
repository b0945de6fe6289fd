"""Distributions of vectors whose parts have distributions of their own."""

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


class Blocks(tfp.distributions.Distribution):
    """Independent distributions of the blocks of the last axis.

    Args:
        parts: a distribution for each block, of one batch, and of events that differ in their last
            axis only.
    """

    def __init__(self, parts: Sequence[tfp.distributions.Distribution]) -> None:
        """Keeps the distributions."""
        super().__init__(
            parts[0].dtype,
            tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            name="Blocks",
        )
        self._parts = list(parts)
        self._widths = [part.event_shape[-1] for part in parts]

    def _batch_shape(self):
        return self._parts[0].batch_shape

    def _batch_shape_tensor(self):
        return self._parts[0].batch_shape_tensor()

    def _event_shape(self):
        return self._parts[0].event_shape[:-1] + [sum(self._widths)]

    def _event_shape_tensor(self):
        return tf.constant(self._event_shape().as_list(), tf.int32)

    def _sample_n(self, n, seed=None):
        seeds = tfp.random.split_seed(seed, len(self._parts))
        drawn = [part.sample(n, seed=each) for part, each in zip(self._parts, tf.unstack(seeds))]
        return tf.concat(drawn, axis=-1)

    def _mean(self):
        return tf.concat([part.mean() for part in self._parts], axis=-1)

    def _log_prob(self, x):
        blocks = tf.split(x, self._widths, axis=-1)
        return tf.add_n([part.log_prob(block) for part, block in zip(self._parts, blocks)])
