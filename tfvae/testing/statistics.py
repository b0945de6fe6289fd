"""Tests of densities by numbers alone, in NumPy."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# Of each comparison. The noise is fixed, so that a check has the same result in every run.
LEVEL = 1e-5
_CENTRES, _NEIGHBOUR, _DF = 300, 20, 3.0


class Mass(NamedTuple):
    """An integral of a density by importance sampling, and its weighted points.

    Attributes:
        value: the integral.
        error: its standard error.
        points: `[N, D]`.
        weights: `[N]`, not negative; their mean is `value`.
    """

    value: float
    error: float
    points: np.ndarray
    weights: np.ndarray


def mass(
    log_prob: Callable[[np.ndarray], np.ndarray], near: np.ndarray, count: int, seed: int
) -> Mass:
    """Integrates a density over R^D by importance sampling.

    The proposal is a mixture of Student's t around given points, each as wide as the distance to
    its 20th neighbour. It follows narrow modes, and its tails are heavier than a normal's.

    Args:
        log_prob: the log-density, `[N, D] -> [N]`.
        near: points in all regions where the density is, such as its draws, `[M, D]`.
        count: the number of points to evaluate.
        seed: of the points.
    """
    rng = np.random.default_rng(seed)
    centres = near[rng.permutation(len(near))[:_CENTRES]]
    spread = np.maximum(centres.std(axis=0), 1e-9)
    centres = centres / spread
    distances = np.sort(_distances(centres, centres), axis=1)
    widths = np.maximum(distances[:, min(_NEIGHBOUR, len(centres) - 1)], 1e-3)

    chosen = rng.integers(len(centres), size=count)
    normal = rng.normal(size=(count, centres.shape[1]))
    radius = np.sqrt(_DF / rng.chisquare(_DF, size=(count, 1)))
    points = centres[chosen] + widths[chosen, None] * radius * normal

    log_proposal = _log_mixture(points, centres, widths) - np.log(spread).sum()
    return weighted(log_prob, points * spread, log_proposal)


def weighted(
    log_prob: Callable[[np.ndarray], np.ndarray], points: np.ndarray, log_proposal: np.ndarray
) -> Mass:
    """Returns the integral of a density from points of a proposal.

    Args:
        log_prob: the log-density, `[N, D] -> [N]`.
        points: `[N, D]`.
        log_proposal: the log-density of their proposal, `[N]`.
    """
    weights = np.exp(log_prob(points).astype(np.float64) - log_proposal)
    return Mass(weights.mean(), weights.std() / math.sqrt(len(points)), points, weights)


def sphere(log_prob: Callable[[np.ndarray], np.ndarray], size: int, count: int, seed: int) -> Mass:
    """Integrates a density over the unit sphere of R^D by points that are uniform on it.

    Args:
        log_prob: the log-density by the sphere's area, `[N, D] -> [N]`.
        size: D.
        count: the number of points.
        seed: of the points.
    """
    points = np.random.default_rng(seed).normal(size=(count, size))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    log_area = math.log(2.0) + size / 2 * math.log(math.pi) - math.lgamma(size / 2)
    return weighted(log_prob, points, np.full(count, -log_area))


def distance(draws: np.ndarray, points: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Returns how far two samples of numbers are apart, by Kolmogorov and Smirnov.

    Args:
        draws: `[N]`.
        points: `[M]`.
        weights: of the points, `[M]`, or None if all are equal.

    Returns:
        The largest difference of the two distribution functions as a share of what a test at
        `LEVEL` allows: above 1 the samples differ.
    """
    weights = np.ones(len(points)) if weights is None else weights
    order = np.argsort(points)
    below = np.concatenate([[0.0], np.cumsum(weights[order])]) / weights.sum()
    at = np.concatenate([draws, points])
    ours = np.searchsorted(np.sort(draws), at, side="right") / len(draws)
    theirs = below[np.searchsorted(points[order], at, side="right")]

    effective = weights.sum() ** 2 / (weights**2).sum()
    allowed = math.sqrt(-math.log(LEVEL / 2) / 2) * math.sqrt(1 / len(draws) + 1 / effective)
    return float(np.abs(ours - theirs).max() / allowed)


def off_by_chance(counts: np.ndarray, expected: np.ndarray) -> float:
    """Returns how far counts are from what was expected, as a share of what chance allows.

    Values of few expected draws are taken together.

    Args:
        counts: how often each value was drawn, `[V]`.
        expected: how often it should have been, `[V]`.

    Returns:
        The largest difference in standard deviations, over 5: above 1 the counts differ.
    """
    common = expected >= 10
    pairs = [*zip(counts[common], expected[common])]
    # What was drawn too seldom to be compared alone, and what was never drawn.
    rest = counts[~common].sum(), max(counts.sum() - expected[common].sum(), 0.0)
    differences = [abs(n - e) / (5 * math.sqrt(e + 1)) for n, e in [*pairs, rest]]
    return max(differences)


def unseen(counts: np.ndarray) -> tuple[float, float]:
    """Estimates the probability of all values that were not drawn, by Good and Turing.

    Args:
        counts: how often each value was drawn, `[V]`.

    Returns:
        The probability, and what chance may add to it or take from it.
    """
    once, total = int((counts == 1).sum()), int(counts.sum())
    return once / total, 5 * math.sqrt(once + 1) / total


def _distances(a, b):
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0.0))


def _log_mixture(points, centres, widths):
    """The log-density of the proposal, `[N]`."""
    size = centres.shape[1]
    ratios = _distances(points, centres) / widths
    each = -(_DF + size) / 2 * np.log1p(ratios**2 / _DF) - size * np.log(widths)
    highest = each.max(axis=1)
    total = highest + np.log(np.exp(each - highest[:, None]).sum(axis=1))
    constant = math.lgamma((_DF + size) / 2) - math.lgamma(_DF / 2)
    return total + constant - size / 2 * math.log(_DF * math.pi) - math.log(len(centres))
