"""Draws of discrete data by inversion of a cumulative distribution, in ops that exist on the device."""

import numpy as np
import tensorflow as tf

# Beyond the mean, a probability of exp(-21) = 8e-10 is less than a step of the uniforms.
_NEGLIGIBLE = -21.0
_MOST = 2**20  # counts of one draw, so that no parameter makes the search endless


def is_whole(x, tolerance=0.0):
    """Which elements are whole numbers: a Boolean array or tensor like `x`."""
    if tf.is_tensor(x):
        x = tf.cast(x, tf.float32)
        return tf.abs(x - tf.round(x)) <= tolerance
    x = 1.0 * np.asarray(x)
    with np.errstate(invalid="ignore"):  # infinity less itself
        return np.abs(x - np.round(x)) <= tolerance


def one_hot(weights, u):
    """A category as often as its weight.

    Args:
        weights: `[..., M]`, not negative.
        u: uniforms in [0, 1), `[..., 1]`.

    Returns:
        One-hot vectors, float32 `[..., M]`.
    """
    cumulative = tf.cumsum(weights, axis=-1)
    # The sum differs from 1 by rounding: scaled by it, no u reaches a last category of weight 0.
    passed = u * cumulative[..., -1:] >= cumulative[..., :-1]
    return tf.one_hot(tf.reduce_sum(tf.cast(passed, tf.int32), axis=-1), weights.shape[-1])


def logistic(u):
    """Standard logistic draws from uniforms in [0, 1)."""
    u = u + np.float32(2.0**-24)  # never 0 or 1
    return tf.math.log(u) - tf.math.log(1.0 - u)


@tf.function(autograph=False)  # in eager mode the loop would run in Python
def poisson(u, mean):
    """Poisson draws of `mean` from uniforms `u`, `[B, ...]`: p(k + 1) = p(k) mean / (k + 1)."""
    return _search(u, mean, -mean, lambda k: tf.math.log(mean / (k + 1.0)))


@tf.function(autograph=False)  # in eager mode the loop would run in Python
def negative_binomial(u, mean, r):
    """Draws of mean m and variance m + m^2 / r: p(k + 1) = p(k) (k + r) / (k + 1) m / (m + r).

    Args:
        u, mean: `[B, ...]`.
        r: broadcastable to them.
    """
    log_odds = -_log1p(r / mean)  # log m / (m + r)
    return _search(
        u, mean, -r * _log1p(mean / r), lambda k: tf.math.log((k + r) / (k + 1.0)) + log_odds
    )


def _search(u, mean, log_first, log_ratio):
    """The first k whose cumulative probability exceeds u, counting up from 0.

    The logarithm of a probability begins at about -mean, where a float32 step is coarse: what
    each addition loses is carried to the next, so that thousands of them do not add up errors.

    Args:
        u, mean: `[B, ...]`.
        log_first: log p(0).
        log_ratio: k -> log p(k + 1) - log p(k).
    """

    def body(k, draw, active, log_p, left):
        log_p = _add(log_p, log_ratio(k))
        left = _add(left, -tf.exp(log_p[0]))
        k = k + 1.0
        draw = draw + tf.cast(active, tf.float32)
        active = active & (left[0] >= 0.0) & ((k <= mean) | (log_p[0] > _NEGLIGIBLE))
        return k, draw, active, log_p, left

    zeros = tf.zeros_like(u)
    log_p = (log_first + zeros, zeros)
    left = (u - tf.exp(log_p[0]), zeros)  # of u, beyond the cumulative probability
    # What is not a number is never active.
    start = (tf.constant(0.0), zeros, left[0] >= 0.0, log_p, left)
    return tf.while_loop(
        lambda k, draw, active, *_: tf.reduce_any(active) & (k < _MOST), body, start
    )[1]


def _add(total, step):
    """Kahan's compensated sum: `total` is the sum and what its last addition lost."""
    step = step - total[1]
    added = total[0] + step
    return added, (added - total[0]) - step


def _log1p(x):
    """log(1 + x) for x >= 0, which has no op on the device, also where x is lost beside 1."""
    # Not by the well-known (1 + x) - 1, which TensorFlow's graph optimizer takes for x.
    s = x / (2.0 + x)
    s2 = s * s
    series = 2.0 * s * (1.0 + s2 * (1 / 3 + s2 * (1 / 5 + s2 * (1 / 7 + s2 / 9))))
    return tf.where(x < 0.5, series, tf.math.log(1.0 + x))
