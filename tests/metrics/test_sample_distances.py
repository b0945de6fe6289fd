"""Distances of samples beside independent computations on the same features."""

import numpy as np
import pytest
import scipy.linalg
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors

from tests.conftest import matches
from tfvae import metrics
from tfvae.metrics import sample_distances


def features(n, m, f, seed=0):
    """Two sets of features, correlated and of different shapes."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(f, f))
    return rng.normal(size=(n, f)) @ mixing, 1.3 * rng.normal(size=(m, f)) ** 2 @ mixing + 0.5


@pytest.mark.parametrize("sizes", [(200, 150, 8), (60, 60, 30)])
def test_fid_is_that_of_a_matrix_root(sizes):
    real, drawn = features(*sizes)
    covariances = [np.cov(x, rowvar=False) for x in (real, drawn)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    apart = np.sum((real.mean(0) - drawn.mean(0)) ** 2)
    expected = apart + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert metrics.fid(real, drawn) == pytest.approx(expected, rel=1e-7)


def test_fid_of_normals_has_a_closed_form():
    """For commuting covariances it is |m1 - m2|^2 + sum (s1 - s2)^2."""
    rng = np.random.default_rng(1)
    whitened = rng.normal(size=(40, 5))
    whitened -= whitened.mean(0)
    whitened = np.linalg.qr(whitened)[0] * np.sqrt(39)  # of mean 0 and covariance 1, exactly
    s, t, shift = np.arange(1.0, 6), np.arange(5.0, 0, -1), np.full(5, 0.5)
    assert metrics.fid(whitened * s, whitened * t + shift) == pytest.approx(40 + 1.25)


def test_fid_of_fewer_examples_than_features_is_sound():
    real, drawn = features(10, 12, 50)
    assert metrics.fid(real, real) == pytest.approx(0, abs=1e-6)
    expected = fid_by_eigenvalues(real, drawn)
    assert metrics.fid(real, drawn) == pytest.approx(expected, rel=1e-6)


def fid_by_eigenvalues(real, drawn):
    """The trace of the root as the sum of roots of the eigenvalues of C1^(1/2) C2 C1^(1/2)."""
    first, second = (np.cov(x, rowvar=False) for x in (real, drawn))
    values, vectors = np.linalg.eigh(first)
    half = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(half @ second @ half), 0)).sum()
    apart = np.sum((real.mean(0) - drawn.mean(0)) ** 2)
    return apart + np.trace(first) + np.trace(second) - 2 * shared


def test_kid_is_the_mean_over_pairs(monkeypatch):
    monkeypatch.setattr(sample_distances, "_AT_ONCE", 100)  # several blocks
    real, drawn = features(30, 25, 6)
    found = metrics.kid(real, drawn)
    assert found.value == pytest.approx(kid_by_pairs(real, drawn), rel=1e-9)

    left_out = [
        [kid_by_pairs(np.delete(real, i, 0), drawn) for i in range(30)],
        [kid_by_pairs(real, np.delete(drawn, j, 0)) for j in range(25)],
    ]
    variance = sum((len(d) - 1) * np.var(d) for d in left_out)
    assert found.stderr == pytest.approx(np.sqrt(variance), rel=1e-6)


def kid_by_pairs(real, drawn):
    """The unbiased estimate, by scikit-learn's kernel."""
    kernels = [
        polynomial_kernel(a, b, degree=3, gamma=1 / real.shape[1], coef0=1)
        for a, b in ((real, real), (drawn, drawn), (real, drawn))
    ]
    within = [k[~np.eye(len(k), dtype=bool)].mean() for k in kernels[:2]]
    return sum(within) - 2 * kernels[2].mean()


def test_the_error_of_kid_is_the_spread_of_repeated_estimates():
    rng = np.random.default_rng(0)
    found = [
        metrics.kid(rng.normal(size=(100, 3)), rng.normal(size=(80, 3)) + 0.4) for _ in range(300)
    ]
    spread = np.std([each.value for each in found])
    assert np.mean([each.stderr for each in found]) == pytest.approx(spread, rel=0.15)


def test_precision_and_recall_are_those_of_nearest_neighbours(monkeypatch):
    monkeypatch.setattr(sample_distances, "_AT_ONCE", 500)
    rng = np.random.default_rng(2)
    real, drawn = rng.normal(size=(120, 4)), 0.6 * rng.normal(size=(90, 4)) + 0.7
    found = metrics.precision_recall(real, drawn, neighbours=3)
    assert found.precision == pytest.approx(covered(drawn, real, 3))
    assert found.recall == pytest.approx(covered(real, drawn, 3))
    assert found.precision > found.recall + 0.2  # narrow samples: true to the data, without variety


def covered(points, manifold, k):
    """By scikit-learn's neighbours, the first of which is the point itself."""
    distances, _ = NearestNeighbors(n_neighbors=k + 1).fit(manifold).kneighbors(manifold)
    inside = [
        np.any(np.linalg.norm(manifold - point, axis=1) <= distances[:, k]) for point in points
    ]
    return np.mean(inside)


def test_examples_that_are_the_same_lie_within():
    rng = np.random.default_rng(0)
    different = 1e4 * rng.normal(size=(40, 70))
    real = rng.permutation(different.repeat(4, axis=0))  # radii of 0
    assert metrics.precision_recall(real, rng.permutation(real)) == (1, 1)


WRONG = {
    "one example": (np.zeros((1, 3)), np.zeros((5, 3))),
    "no rows": (np.zeros(5), np.zeros((5, 3))),
    "two widths": (np.zeros((5, 3)), np.zeros((5, 4))),
    "not finite": (np.zeros((5, 3)), np.array([[0.0, np.nan, 0.0]] * 5)),
}


@pytest.mark.parametrize("measure", [metrics.fid, metrics.kid, metrics.precision_recall])
@pytest.mark.parametrize("pair", WRONG.values(), ids=WRONG)
def test_features_that_cannot_be_compared_are_refused(measure, pair):
    with pytest.raises(ValueError, match=matches("features")):
        measure(*pair)
