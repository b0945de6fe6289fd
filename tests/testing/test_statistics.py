"""The numbers behind the checks, against SciPy and counting."""

import numpy as np
import pytest
import scipy.special
import scipy.stats

from tfvae.testing import statistics

N = 20_000
RNG = np.random.default_rng(0)


def two_modes(z):
    """0.7 N(-3, 0.05^2) + 0.3 N(4, 1), of independent numbers."""
    logs = [
        np.log(share) + scipy.stats.norm(loc, scale).logpdf(z).sum(-1)
        for share, loc, scale in ((0.7, -3.0, 0.05), (0.3, 4.0, 1.0))
    ]
    return scipy.special.logsumexp(logs, axis=0)


def of_two_modes(size):
    narrow = RNG.random(N) < 0.7
    loc, scale = np.where(narrow, -3.0, 4.0), np.where(narrow, 0.05, 1.0)
    return loc[:, None] + scale[:, None] * RNG.normal(size=(N, size))


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("factor", [1.0, 0.9])
def test_an_integral_follows_narrow_modes_and_knows_its_error(size, factor):
    found = statistics.mass(lambda z: np.log(factor) + two_modes(z), of_two_modes(size), N, seed=1)
    assert abs(found.value - factor) < 5 * found.error
    assert found.error < (0.02 if size < 4 else 0.06)
    assert found.points.shape == (N, size) and found.weights.min() >= 0
    expected = 0.7 * -3.0 + 0.3 * 4.0
    mean = (found.weights @ found.points / found.weights.sum())[0]
    assert mean == pytest.approx(expected, abs=0.3)


def test_an_integral_has_heavy_tails_in_it():
    cauchy = scipy.stats.cauchy(2.0, 3.0)
    draws = cauchy.rvs(size=(N, 1), random_state=1)
    found = statistics.mass(lambda z: cauchy.logpdf(z).sum(-1), draws, N, seed=1)
    assert found.value == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_an_integral_over_a_sphere_is_that_of_von_mises_and_fisher(size):
    exact = scipy.stats.vonmises_fisher(np.eye(size)[0], 2.0)
    found = statistics.sphere(lambda z: exact.logpdf(z), size, N, seed=1)
    assert found.value == pytest.approx(1.0, abs=5 * found.error)
    assert found.error < 0.02


def test_a_distance_is_that_of_kolmogorov_and_smirnov():
    a, b = RNG.normal(size=700), RNG.normal(0.2, 1.1, size=900)
    allowed = np.sqrt(-np.log(statistics.LEVEL / 2) / 2) * np.sqrt(1 / 700 + 1 / 900)
    expected = scipy.stats.ks_2samp(a, b).statistic
    assert statistics.distance(a, b) * allowed == pytest.approx(expected, abs=1e-12)
    twice = np.concatenate([b, b[:100]])  # a weight of 2 is a point that is there twice
    weights = np.where(np.arange(900) < 100, 2.0, 1.0)
    effective = weights.sum() ** 2 / (weights**2).sum()
    allowed = np.sqrt(-np.log(statistics.LEVEL / 2) / 2) * np.sqrt(1 / 700 + 1 / effective)
    expected = scipy.stats.ks_2samp(a, twice).statistic
    assert statistics.distance(a, b, weights) * allowed == pytest.approx(expected, abs=1e-12)


def test_counts_and_what_was_not_drawn_are_within_chance():
    exact = scipy.stats.geom(0.02)
    values, counts = np.unique(exact.rvs(size=N, random_state=3), return_counts=True)
    missing, chance = statistics.unseen(counts)
    assert 1 - exact.pmf(values).sum() == pytest.approx(missing, abs=chance)
    assert chance < 2e-3
    _, of_many = np.unique(RNG.integers(50_000, size=N), return_counts=True)
    missing, chance = statistics.unseen(of_many)
    assert 1 - len(of_many) / 50_000 == pytest.approx(missing, abs=chance)
    assert statistics.off_by_chance(counts, N * exact.pmf(values)) < 1
    assert statistics.off_by_chance(counts, N * scipy.stats.geom(0.025).pmf(values)) > 1
