"""Draws by inversion of a cumulative distribution, in ops that TensorFlow Lite has."""

import functools
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

# Beyond the mean, a probability of exp(-21) = 8e-10 is less than a step of the uniforms.
_NEGLIGIBLE = -21.0
_MAX_COUNT = 2**20  # largest count drawn, so that no parameter makes the search endless


def _traced_where_eager(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Traces a function that is called eagerly, since its loop would run in Python.

    Within a graph it is called as it is. A trace for any batch size, such as that of a SavedModel,
    would also be taken for a file of one size, whose draws then had no size of their own.
    """
    traced = tf.function(function, autograph=False)

    @functools.wraps(function)
    def called(*inputs):
        return (function if tf.inside_function() else traced)(*inputs)

    return called


def is_whole(x: np.ndarray | tf.Tensor, tolerance: float = 0.0) -> np.ndarray | tf.Tensor:
    """Returns which elements are whole numbers.

    Args:
        x: an array or a tensor of any shape.
        tolerance: largest distance from a whole number that is accepted.

    Returns:
        Booleans of the shape of `x`, an array or a tensor as `x` is.
    """
    if tf.is_tensor(x):
        x = tf.cast(x, tf.float32)
        return tf.abs(x - tf.round(x)) <= tolerance
    x = 1.0 * np.asarray(x)
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        return np.abs(x - np.round(x)) <= tolerance


def one_hot(weights: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Draws categories with probabilities in proportion to their weights.

    Args:
        weights: `[..., M]`, not negative.
        u: uniforms in [0, 1), `[..., 1]`.

    Returns:
        One-hot vectors, float32 `[..., M]`.
    """
    cumulative = tf.cumsum(weights, axis=-1)
    # Rounding may leave the sum below 1, and a large u would then reach a last category of
    # weight 0. With u scaled by the sum none does.
    passed = u * cumulative[..., -1:] >= cumulative[..., :-1]
    return tf.one_hot(tf.reduce_sum(tf.cast(passed, tf.int32), axis=-1), weights.shape[-1])


def logistic(u: tf.Tensor) -> tf.Tensor:
    """Returns standard logistic draws from uniforms `u` in [0, 1), of the same shape."""
    u = u + np.float32(2.0**-24)  # never 0 or 1
    return tf.math.log(u) - tf.math.log(1.0 - u)


def student_t(u: tf.Tensor, v: tf.Tensor, df: float) -> tf.Tensor:
    """Returns standard draws of Student's t by Bailey's polar form [1].

    The squared radius is df (u^(-2 / df) - 1). With s = -2 log u and t = s / df it equals
    s exp(t) (1 - exp(-t)) / t, a form that cancels for no df. For a small df it would overflow;
    no draw exceeds 1e36.

    Args:
        u: uniforms in [0, 1).
        v: other uniforms in [0, 1), of the same shape.
        df: degrees of freedom, positive.

    Returns:
        Draws of the shape of u.

    References:
        [1] Bailey, Polar generation of random variates with the t-distribution. Mathematics of
            Computation 62, 1994.
    """
    s = -2.0 * tf.math.log(u + np.float32(2.0**-24))  # never the logarithm of 0
    t = tf.minimum(s * min(1.0 / df, 1e30), 160.0)
    return tf.exp(t / 2.0) * tf.sqrt(s * _exp_share(t)) * tf.cos(2.0 * math.pi * v)


def continuous_bernoulli(u: tf.Tensor, logit: tf.Tensor) -> tf.Tensor:
    """Draws from the density proportional to exp(logit x) on [0, 1].

    The quantile is log(1 + u (exp(logit) - 1)) / logit. With a = |logit| and w = u (1 - exp(-a))
    that of -a is u (1 - exp(-a)) / a (-log(1 - w) / w). Both fractions are 1 for a = 0.

    Args:
        u: uniforms in [0, 1).
        logit: of the same shape.

    Returns:
        Values from 0 to 1, of the shape of u.
    """
    a = tf.abs(logit)
    share = u * _exp_share(a)
    w = share * a
    # Near 1 the difference 1 - w is exact in this form.
    steep = -tf.math.log(1.0 - u + u * tf.exp(-a)) / tf.maximum(a, 0.1)
    low = tf.where(w < 1 / 3, share * _log_share(w), steep)
    low = tf.minimum(low, 1.0)  # which rounding may pass
    # A positive logit takes the mirror image, so that no exponential overflows.
    return tf.where(logit > 0, 1.0 - low, low)


@_traced_where_eager
def poisson(u: tf.Tensor, mean: tf.Tensor) -> tf.Tensor:
    """Draws from a Poisson distribution: p(k + 1) = p(k) mean / (k + 1).

    Args:
        u: uniforms in [0, 1), `[B, ...]`.
        mean: `[B, ...]`, positive.

    Returns:
        Counts, float32 `[B, ...]`, at most 2^20.
    """
    return _search(u, mean, -mean, lambda k: tf.math.log(mean / (k + 1.0)))


@_traced_where_eager
def negative_binomial(u: tf.Tensor, mean: tf.Tensor, r: tf.Tensor) -> tf.Tensor:
    """Draws from a negative binomial distribution of mean m and variance m + m^2 / r.

    It uses p(k + 1) = p(k) (k + r) / (k + 1) m / (m + r).

    Args:
        u: uniforms in [0, 1), `[B, ...]`.
        mean: m, `[B, ...]`, positive.
        r: positive; broadcastable to the others.

    Returns:
        Counts, float32 `[B, ...]`, at most 2^20.
    """
    log_odds = -_log1p(r / mean)  # log m / (m + r)
    return _search(
        u, mean, -r * _log1p(mean / r), lambda k: tf.math.log((k + r) / (k + 1.0)) + log_odds
    )


def _search(u, mean, log_first, log_ratio):
    """Returns the first k whose cumulative probability exceeds u, counting up from 0.

    The logarithm of p(0) is about -mean, where a float32 step is coarse. The rounding error of
    each addition is carried to the next, so that thousands of additions do not add up errors.

    Args:
        u: uniforms in [0, 1), `[B, ...]`.
        mean: `[B, ...]`.
        log_first: log p(0).
        log_ratio: the function k -> log p(k + 1) - log p(k).

    Returns:
        k, float32 `[B, ...]`.
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
    left = (u - tf.exp(log_p[0]), zeros)  # u minus the cumulative probability

    # An element that is NaN is never active.
    start = (tf.constant(0.0), zeros, left[0] >= 0.0, log_p, left)
    return tf.while_loop(
        lambda k, draw, active, *_: tf.reduce_any(active) & (k < _MAX_COUNT), body, start
    )[1]


def _add(total, step):
    """Adds by Kahan's compensated summation [1]: `total` is the sum and its last rounding error.

    References:
        [1] Kahan, Further remarks on reducing truncation errors. Communications of the ACM 8, 1965.
    """
    step = step - total[1]
    added = total[0] + step
    return added, (added - total[0]) - step


def _log1p(x):
    """Returns log(1 + x) for x >= 0, accurate for small x too. TensorFlow Lite has no op for it."""
    # The well-known form with (1 + x) - 1 fails: TensorFlow's graph optimizer replaces that by x.
    return tf.where(x < 0.5, x * _log_share(-x), tf.math.log(1.0 + x))


def _log_share(w):
    """Returns -log(1 - w) / w for -1/2 < w < 1/3, to float32's last digits."""
    s2 = tf.square(w / (2.0 - w))  # log(1 - w) is -2 artanh(w / (2 - w))
    return 2.0 / (2.0 - w) * (1.0 + s2 * (1 / 3 + s2 * (1 / 5 + s2 * (1 / 7 + s2 / 9))))


def _exp_share(a):
    """Returns (1 - exp(-a)) / a for a >= 0, by its series below 1/2."""
    series = tf.ones_like(a)
    for n in range(8, 1, -1):  # 1 - a/2 (1 - a/3 (1 - ...))
        series = 1.0 - a / n * series
    return tf.where(a < 0.5, series, (1.0 - tf.exp(-a)) / tf.maximum(a, 0.5))
