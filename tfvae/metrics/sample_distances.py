"""Distances between two sets of features: of real examples, and of a model's samples.

All work in float64 on features `[N, F]`, whatever network they come from. Numbers on the features
of different networks, or of different counts of examples, are not comparable.

References:
    [1] Heusel et al., GANs trained by a two time-scale update rule converge to a local Nash
        equilibrium. NeurIPS 2017. arXiv:1706.08500. (FID)
    [2] Binkowski et al., Demystifying MMD GANs. ICLR 2018. arXiv:1801.01401. (KID; bias of FID)
    [3] Kynkaanniemi et al., Improved precision and recall metric for assessing generative models.
        NeurIPS 2019. arXiv:1904.06991.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfvae.errors import invalid
from tfvae.validation import arguments

_AT_ONCE = 2**22  # numbers of one block of a matrix between two sets
_ROUNDING = 1e-12  # of a squared distance, as a share of the squares that it is made of


class KID(NamedTuple):
    """The kernel distance of `kid`.

    Attributes:
        value: the unbiased estimate. It may be negative where the sets are alike.
        stderr: its standard error, by the jackknife; NaN of fewer than three examples.
    """

    value: float
    stderr: float


class PrecisionRecall(NamedTuple):
    """The shares of `precision_recall`, from 0 to 1.

    Attributes:
        precision: share of the generated examples that lie where real ones do: fidelity.
        recall: share of the real examples that lie where generated ones do: variety.
    """

    precision: float
    recall: float


def fid(real: npt.ArrayLike, generated: npt.ArrayLike) -> float:
    """Computes the Fréchet distance of the normal distributions fitted to two sets of features.

    `|m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2))`, of means and covariances (by N - 1) [1]. On
    the features of an Inception network this is the FID of the literature; on others it is the
    same formula, but no number to be set beside those. The root of the product is taken by the
    singular values of the product of two triangular factors, so that fewer examples than features
    are no trouble numerically.

    They are in fact: the value is biased upwards, by an amount that falls as 1/N and depends on
    the model too [2]. With N near F or less it says little. Compare at equal N alone, set the
    distance of other real examples at the same N beside it, and prefer `kid` for few.

    Args:
        real: features of real examples, `[N, F]`.
        generated: features of generated examples, `[M, F]`.

    Returns:
        The squared distance, from 0, in squared units of the features.

    Raises:
        InputError: features that are not finite, of two widths, or of fewer than two examples.
    """
    sets = _pair(real, generated, least=2)
    roots = [_root(features) for features in sets]
    spread = sum(float(np.sum(root**2)) for root in roots)
    shared = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    apart = sets[0].mean(axis=0) - sets[1].mean(axis=0)
    return max(0.0, float(apart @ apart + spread - 2 * shared))


def _root(features):
    """Returns R with R' R the covariance of features, `[min(N, F), F]`."""
    centered = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
    return np.linalg.qr(centered, mode="r")


def kid(real: npt.ArrayLike, generated: npt.ArrayLike) -> KID:
    """Estimates the squared maximum mean discrepancy with the kernel (a.b / F + 1)^3.

    The U-statistic of all pairs, which has no bias at any N [2], and its standard error by leaving
    out one example at a time (the pairs' sums give that in closed form). The literature takes the
    mean over random subsets, which estimates the same value. Memory does not grow with N M.

    Args:
        real: features of real examples, `[N, F]`.
        generated: features of generated examples, `[M, F]`.

    Returns:
        The estimate, in the kernel's units, and its standard error.

    Raises:
        InputError: features that are not finite, of two widths, or of fewer than two examples.
    """
    a, b = _pair(real, generated, least=2)
    within = [_sums_of_others(features) for features in (a, b)]
    between = _kernel_sums(a, b), _kernel_sums(b, a)

    n, m = len(a), len(b)
    crossed = between[0].sum() / (n * m)
    means = [own.sum() / (len(own) * (len(own) - 1)) for own in within]
    value = means[0] + means[1] - 2 * crossed
    if min(n, m) < 3:
        return KID(float(value), float("nan"))

    variance = _jackknifed(within[0], between[0], m) + _jackknifed(within[1], between[1], n)
    return KID(float(value), float(np.sqrt(variance)))


def _sums_of_others(features):
    """Returns for each example the sum of the kernel with all others, `[N]`."""
    own = (np.sum(features**2, axis=1) / features.shape[1] + 1) ** 3
    return _kernel_sums(features, features) - own


def _kernel_sums(a, b):
    """Returns for each example of a the sum of the kernel with those of b, `[N]`."""
    sums = [((part @ b.T / a.shape[1] + 1) ** 3).sum(axis=1) for part in _blocks(a, len(b))]
    return np.concatenate(sums)


def _jackknifed(within, between, others):
    """Returns the part of the variance that comes from one of the two sets.

    Args:
        within: for each example the sum of the kernel with the others of its set, `[N]`.
        between: the same with those of the other set, `[N]`.
        others: the size of the other set.
    """
    n = len(within)
    left_out = (within.sum() - 2 * within) / ((n - 1) * (n - 2))
    left_out -= 2 * (between.sum() - between) / ((n - 1) * others)
    return (n - 1) / n * np.sum((left_out - left_out.mean()) ** 2)


def precision_recall(
    real: npt.ArrayLike, generated: npt.ArrayLike, neighbours: int = 3
) -> PrecisionRecall:
    """Computes the improved precision and recall of samples [3].

    A set's manifold is the union of balls around its features, each up to the feature's k-th
    nearest neighbour in the set. Precision is the share of generated features within the real
    manifold, recall the share of real features within the generated one. Both depend on the
    number of examples: take as many generated as real ones, and compare at equal numbers.

    Args:
        real: features of real examples, `[N, F]`.
        generated: features of generated examples, `[M, F]`.
        neighbours: k.

    Returns:
        Both shares.

    Raises:
        InputError: features that are not finite, of two widths, or of no more than k examples.
    """
    k = arguments.whole_number("neighbours", neighbours, 1)
    a, b = _pair(real, generated, least=k + 1)
    center = a.mean(axis=0)  # near which squares are small, and so is their rounding
    a, b = a - center, b - center
    return PrecisionRecall(precision=_covered(b, a, k), recall=_covered(a, b, k))


def _covered(features, manifold, k):
    """Returns the share of features that lie in a ball of a manifold."""
    near = [np.partition(part, k, axis=1)[:, k] for part in _squared(manifold, manifold)]
    radii = np.concatenate(near)
    inside = [np.any(part <= radii, axis=1) for part in _squared(features, manifold)]
    return float(np.mean(np.concatenate(inside)))


def _squared(a, b) -> Iterator[np.ndarray]:
    """Yields blocks of the squared distances from a to b, `[n, M]`."""
    of_b = np.sum(b**2, axis=1)
    for part in _blocks(a, len(b)):
        norms = np.sum(part**2, axis=1)[:, None] + of_b
        found = norms - 2 * part @ b.T
        # The same example twice is at distance 0, whatever the rounding of its squares.
        yield np.where(found < _ROUNDING * norms, 0.0, found)


def _blocks(features, columns) -> Iterator[np.ndarray]:
    """Yields blocks of rows, of which each is compared with so many columns."""
    rows = max(1, _AT_ONCE // max(1, columns))
    for first in range(0, len(features), rows):
        yield features[first : first + rows]


def _pair(real, generated, least):
    """Returns two sets of features in float64, once they are known to be comparable."""
    found = [
        _checked(name, features, least)
        for name, features in (("real", real), ("generated", generated))
    ]
    widths = [features.shape[1] for features in found]
    if widths[0] != widths[1]:
        received = f"{widths[0]} real and {widths[1]} generated ones"
        raise invalid("as many features of both sets", received, "take them from one network")
    return found


def _checked(name, features, least):
    found = np.asarray(features, np.float64)
    if found.ndim != 2 or len(found) < least or not found.shape[1]:
        raise invalid(
            f"{name} features [N, F] of at least {least} examples",
            f"shape {list(found.shape)}",
            "give more examples, each as one row of features",
        )
    if not np.isfinite(found).all():
        row = int(np.argmin(np.isfinite(found).all(axis=1)))
        fix = "leave out what the network cannot take"
        raise invalid(f"finite {name} features", f"{found[row].max()} in row {row}", fix)
    return found
