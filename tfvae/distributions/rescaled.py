"""Distributions of numbers in another unit."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


class Rescaled(tfp.distributions.Distribution):
    """The distribution of x = offset + unit * u, where u has a distribution of single numbers.

        log p(x) = log p_u((x - offset) / unit) - log unit

    TFP's `TransformedDistribution` has no mode, and of some bijectors no mean.

    Args:
        standard: the distribution of u, with events of shape `[]`.
        offset: as an array or a number that broadcasts to the batch.
        unit: likewise, positive.
    """

    def __init__(self, standard: tfp.distributions.Distribution, offset: Any, unit: Any) -> None:
        """Keeps the arguments."""
        super().__init__(
            standard.dtype,
            standard.reparameterization_type,
            validate_args=False,
            allow_nan_stats=True,
            name="Rescaled",
        )
        self._standard = standard
        self._offset, self._unit = (tf.constant(part, standard.dtype) for part in (offset, unit))

    def _batch_shape(self):
        return self._standard.batch_shape

    def _batch_shape_tensor(self):
        return self._standard.batch_shape_tensor()

    def _event_shape(self):
        return tf.TensorShape([])

    def _event_shape_tensor(self):
        return tf.constant([], tf.int32)

    def _sample_n(self, n, seed=None):
        return self._moved(self._standard.sample(n, seed=seed))

    def _mean(self):
        return self._moved(self._standard.mean())

    def _mode(self):
        return self._moved(self._standard.mode())

    def _log_prob(self, x):
        u = (x - self._offset) / self._unit
        return self._standard.log_prob(u) - tf.math.log(self._unit)

    def _moved(self, u):
        return self._offset + self._unit * u
