"""Log-probabilities in float64, for evaluations.

The log-probability of an image is a sum over ten thousand elements and more. In float32 the
result alone is rounded by up to 0.0005 nats at 10,000 nats, and the sum by more.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.ops import xla
from tfvae.ops.independent import is_independent

if TYPE_CHECKING:
    from tfvae.likelihoods import Likelihood

tfd = tfp.distributions

# Coefficients of 2^x for |x| up to 1/2, the highest power first; to within 1e-10.
_POWERS_OF_TWO = np.polynomial.Chebyshev.interpolate(np.exp2, 7, [-0.5, 0.5]).convert(
    kind=np.polynomial.Polynomial
).coef[::-1]  # fmt: skip
_LOG2_E = 1.0 / math.log(2.0)
_LEAST = -1022.0  # exponent of the smallest normal number
# TensorFlow and TFP raise these where numbers of two types meet.
_MIXED = (TypeError, ValueError, tf.errors.InvalidArgumentError)


def log_prob(likelihood: "Likelihood", params: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Computes log p(x|z) with float64 parameters, without a gradient.

    A likelihood that holds float32 numbers of its own cannot be computed so. Its elements are
    computed in float32, and summed in float64 if its distribution is a `tfd.Independent`.

    Args:
        likelihood: p(x|z).
        params: the decoder's output, float32 `[K, B, *params_shape]`.
        x: the examples, float32 `[B, *event]`.

    Returns:
        `[K, B]`, float64, in nats.
    """
    try:
        p = likelihood.distribution(tf.cast(params, tf.float64))
        return tf.cast(p.log_prob(tf.cast(x, tf.float64)), tf.float64)
    except _MIXED:
        return tf.cast(_of_float32(likelihood.distribution(params), x), tf.float64)


def latents_log_prob(
    p: tfp.distributions.Distribution, z: tf.Tensor, known: tf.Tensor | None = None
) -> tf.Tensor:
    """Computes log p(z) or log q(z|x) in float64, without a gradient.

    Independent normals are computed in float64. Of other independent numbers each is computed
    in float32, and the sum in float64.

    Args:
        p: the distribution, of float32.
        z: the latents, float32 `[K, B, D]`, or a list of layers.
        known: the same in float32 `[K, B]`, where it was computed with the draw.

    Returns:
        `[K, B]`, float64, in nats.
    """
    elements = p.distribution if is_independent(p) else None
    if not isinstance(elements, tfd.Normal):
        return tf.cast(_of_float32(p, z) if known is None else known, tf.float64)

    loc, scale, z = (tf.cast(x, tf.float64) for x in (elements.loc, elements.scale, z))
    return tf.reduce_sum(tfd.Normal(loc, scale).log_prob(z), axis=-1)


def _of_float32(p, x):
    if not is_independent(p):
        return p.log_prob(x)
    elements = tf.cast(p.distribution.log_prob(x), tf.float64)
    axes = p.event_shape.rank - p.distribution.event_shape.rank
    return tf.reduce_sum(elements, axis=list(range(-axes, 0)))


def exp_of_negative(x: tf.Tensor) -> tf.Tensor:
    """Computes exp(-x) for x from 0, of float32 or float64, by what is fast where it is traced.

    XLA has a vectorized exponential of float32 only. Its float64 one takes six times as long on
    a CPU, and the polynomial here twice as long; its relative error is below 1e-10.
    """
    if x.dtype != tf.float64 or not xla.is_by_xla():
        return tf.exp(-x)

    exponent = tf.maximum(x * -_LOG2_E, _LEAST)
    whole = tf.round(exponent)
    part = exponent - whole
    mantissa = tf.fill(tf.shape(x), tf.constant(_POWERS_OF_TWO[0], tf.float64))
    for coefficient in _POWERS_OF_TWO[1:]:
        mantissa = mantissa * part + coefficient

    # 2^whole, by its bits. By way of int32, to which processors convert several numbers at once.
    biased = tf.cast(tf.cast(whole, tf.int32) + 1023, tf.int64)
    return mantissa * tf.bitcast(
        tf.bitwise.left_shift(biased, tf.int64.as_numpy_dtype(52)), x.dtype
    )
