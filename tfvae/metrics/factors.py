"""Scores of disentanglement from codes and known factors of the data: MIG, DCI, SAP.

Codes are `[N, D]`, one number for each latent, such as the means of q(z|x). Factors are `[N, F]`,
whole numbers that stand for the values of each factor.

References:
    [1] Chen et al., Isolating sources of disentanglement in VAEs. NeurIPS 2018. arXiv:1802.04942.
        (MIG)
    [2] Eastwood & Williams, A framework for the quantitative evaluation of disentangled
        representations. ICLR 2018. (DCI)
    [3] Kumar et al., Variational inference of disentangled latent concepts from unlabeled
        observations. ICLR 2018. arXiv:1711.00848. (SAP)
    [4] Locatello et al., Challenging common assumptions in the unsupervised learning of
        disentangled representations. ICML 2019. arXiv:1811.12359. (the choices that [1-3] leave)
"""

import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfvae.errors import invalid
from tfvae.validation import arguments

_BINS = 20  # of a code, as in [4]
_TREES = 100
_CONSTANT = 1e-12  # the variance of a code that says nothing


class DCI(NamedTuple):
    """The scores of `dci`, from 0 to 1.

    Attributes:
        disentanglement: to what extent a latent matters for one factor alone.
        completeness: to what extent a factor is held by one latent alone.
        informativeness: share of the factors' values that are told right from the codes, on
            examples that the predictors were not fitted to.
    """

    disentanglement: float
    completeness: float
    informativeness: float


def mig(codes: npt.ArrayLike, factors: npt.ArrayLike, bins: int = _BINS) -> float:
    """Computes the mutual information gap [1].

    For each factor, the mutual information with the latent that tells most of it less that with
    the second, over the factor's entropy; the mean over factors. Codes are cut into bins of equal
    width, as in [4]; [1] integrates q(z|x) in place of that.

    Args:
        codes: `[N, D]`, D from 2.
        factors: `[N, F]`, whole numbers.
        bins: how many bins.

    Returns:
        From 0 to 1, where each factor is told in full by one latent and not at all by another.

    Raises:
        InputError: arrays of other shapes, a factor of one value, or a code that is not finite.
    """
    codes, factors = checked(codes, factors)
    count = arguments.whole_number("bins", bins, 2)
    binned = [_binned(code, count) for code in codes.T]
    gaps = []
    for factor in factors.T:
        told = sorted(_mutual_information(code, factor) for code in binned)
        gaps.append((told[-1] - told[-2]) / _mutual_information(factor, factor))
    return float(np.mean(gaps))


def _binned(code, count):
    edges = np.histogram_bin_edges(code, count)
    return np.digitize(code, edges[1:-1])


def _mutual_information(a, b):
    """Returns the mutual information of two lists of whole numbers, in nats."""
    _, a = np.unique(a, return_inverse=True)
    _, b = np.unique(b, return_inverse=True)
    joint = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(joint, (a, b), 1 / len(a))
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    there = joint > 0
    return float(np.sum(joint[there] * np.log(joint[there] / independent[there])))


def dci(codes: npt.ArrayLike, factors: npt.ArrayLike, seed: int = 0) -> DCI:
    """Computes disentanglement, completeness and informativeness [2].

    For each factor a forest of 100 random trees, of which each split looks at all latents, is
    fitted to every second example of a random order, and tells the factor of the others. The
    importances of its inputs (mean decrease of impurity) go into `dci_of_importances`.

    Args:
        codes: `[N, D]`, D from 2.
        factors: `[N, F]`, whole numbers, F from 2.
        seed: seed of the order and of the trees.

    Raises:
        InputError: arrays of other shapes, a factor of one value, fewer than two factors, a code
            that is not finite, or no scikit-learn.
    """
    codes, factors = checked(codes, factors)
    forests = _scikit_learn("ensemble")
    seed = arguments.seed("seed", seed)
    fitted, others = _halves(len(codes), seed)
    importances, right = [], []
    for factor in factors.T:
        # Where a split sees some latents alone, those that say nothing gain importance.
        forest = forests.RandomForestClassifier(_TREES, max_features=None, random_state=seed)
        forest.fit(codes[fitted], factor[fitted])
        importances.append(forest.feature_importances_)
        right.append(forest.score(codes[others], factor[others]))
    return DCI(*dci_of_importances(np.transpose(importances)), float(np.mean(right)))


def dci_of_importances(importances: npt.ArrayLike) -> tuple[float, float]:
    """Computes the D and the C of DCI from the importance of each latent for each factor [2].

    With P the importances of a latent as shares, disentanglement is one less their entropy to the
    base F, weighted by the latent's share of all importance. With P those of a factor,
    completeness is one less their entropy to the base D, weighted by the factor's share.

    Args:
        importances: `[D, F]`, from 0, both at least 2.

    Returns:
        (disentanglement, completeness), from 0 to 1.

    Raises:
        InputError: another shape, negative or infinite numbers, or zeros alone.
    """
    found = np.asarray(importances, np.float64)
    is_valid = found.ndim == 2 and min(found.shape) >= 2 and np.isfinite(found).all()
    if not is_valid or found.min() < 0 or found.sum() <= 0:
        received = f"shape {list(found.shape)}" + (f", from {found.min():g}" if found.size else "")
        fix = "give two latents and two factors at least"
        raise invalid("importances [D, F] from 0, not all 0", received, fix)
    return _purity(found), _purity(found.T)


def _purity(rows):
    """Returns the weighted mean over rows of one less their normalized entropy."""
    totals = rows.sum(axis=1)
    shares = rows[totals > 0] / totals[totals > 0, None]
    logs = np.log(np.where(shares > 0, shares, 1.0))
    entropies = -np.sum(shares * logs, axis=1) / np.log(rows.shape[1])
    return float(np.average(1 - entropies, weights=totals[totals > 0]))


def sap(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    categorical: Sequence[int] = (),
    seed: int = 0,
) -> float:
    """Computes the separated attribute predictability [3].

    For each factor, the score of the one latent that predicts it best less that of the second; the
    mean over factors. The score of a factor whose values have an order is the R^2 of a line; of a
    categorical one the share that a linear SVM (C = 0.01, balanced classes, as in [4]) tells right
    on the half of the examples that it was not fitted to.

    Args:
        codes: `[N, D]`, D from 2.
        factors: `[N, F]`, whole numbers; of factors with an order in that order.
        categorical: numbers of the columns of factors without an order.
        seed: seed of the order in which the examples are halved.

    Returns:
        From 0 to 1.

    Raises:
        InputError: arrays of other shapes, a factor of one value, a column that there is none, a
            code that is not finite, or no scikit-learn for a categorical factor.
    """
    codes, factors = checked(codes, factors)
    wrong = sorted(set(categorical) - set(range(factors.shape[1])))
    if wrong:
        expected = f"columns of factors from 0 to {factors.shape[1] - 1}"
        raise invalid(expected, f"categorical={wrong}", "count the columns from 0")

    gaps = []
    for column, factor in enumerate(factors.T):
        told = _told_by_svm(codes, factor, seed) if column in categorical else _r2(codes, factor)
        best = np.sort(told)
        gaps.append(best[-1] - best[-2])
    return float(np.mean(gaps))


def _r2(codes, factor):
    """Returns for each code the R^2 of a line that predicts a factor."""
    centered, wanted = codes - codes.mean(axis=0), factor - factor.mean()
    spread = np.mean(centered**2, axis=0)
    shared = centered.T @ wanted / len(wanted)
    return np.where(
        spread > _CONSTANT, shared**2 / np.maximum(spread, _CONSTANT) / np.mean(wanted**2), 0.0
    )


def _told_by_svm(codes, factor, seed):
    """Returns for each code the share of a factor's values that it tells right."""
    machines = _scikit_learn("svm")
    fitted, others = _halves(len(codes), arguments.seed("seed", seed))
    told = []
    for code in codes.T[..., None]:
        machine = machines.LinearSVC(C=0.01, class_weight="balanced", random_state=seed)
        is_constant = np.var(code) <= _CONSTANT
        told.append(
            0.0
            if is_constant
            else machine.fit(code[fitted], factor[fitted]).score(code[others], factor[others])
        )
    return np.array(told)


def checked(codes: npt.ArrayLike, factors: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Returns codes in float64 and factors as whole numbers, once they are known to fit together.

    Args:
        codes: `[N, D]`, D from 2.
        factors: `[N, F]`, whole numbers.

    Raises:
        InputError: arrays of other shapes, a factor of one value, or a code that is not finite.
    """
    z, values = np.asarray(codes, np.float64), np.asarray(factors)
    if z.ndim != 2 or values.ndim != 2 or len(z) != len(values) or z.shape[1] < 2:
        received = f"shapes {list(z.shape)} and {list(values.shape)}"
        fix = "give one row for each example, and two latents at least"
        raise invalid("codes [N, D] and factors [N, F]", received, fix)
    if values.dtype.kind not in "iub" or not np.isfinite(z).all():
        received = f"factors of {values.dtype}" if np.isfinite(z).all() else "codes with NaN"
        fix = "number the values of each factor, and take the codes of a trained model"
        raise invalid("finite codes, and factors of whole numbers", received, fix)

    constant = [column for column in range(values.shape[1]) if np.ptp(values[:, column]) == 0]
    if constant:
        fix = "leave it out"
        raise invalid("factors that vary", f"one value in column {constant[0]}", fix)
    return z, values.astype(np.int64)


def _halves(count, seed):
    order = np.random.default_rng(seed).permutation(count)
    return order[0::2], order[1::2]


def _scikit_learn(module) -> Any:
    """Returns a module of scikit-learn, which the package does without elsewhere."""
    try:
        return importlib.import_module(f"sklearn.{module}")
    except ModuleNotFoundError as error:
        fix = "pip install 'tfvae[metrics]'"
        raise invalid("scikit-learn, which this score needs", "not installed", fix) from error
