"""The scale of a normal from an encoder's number, written out beside `tfvae.ops.scales`.

It holds for scales far below the upper bound.
"""

import numpy as np
import tensorflow as tf

LEAST, LEAST_OF_LAYER = 1e-4, 1e-2


def scale_of(raw):
    """The scale, by TensorFlow, with its gradient."""
    return (tf.nn.softplus(raw) ** 4 + LEAST**4) ** 0.25


def exact_scale_of(raw, least=LEAST):
    """The scale, by NumPy in float64."""
    return (np.logaddexp(0.0, np.asarray(raw, np.float64)) ** 4 + least**4) ** 0.25


def raw_of(scale):
    """The number of which a scale is made, by NumPy."""
    return np.log(np.expm1((np.asarray(scale) ** 4 - LEAST**4) ** 0.25))
