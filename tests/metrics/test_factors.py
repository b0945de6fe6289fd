"""Scores of disentanglement beside formulas by hand and scikit-learn's."""

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mutual_info_score
from sklearn.svm import LinearSVC

from tests.conftest import matches
from tfvae import metrics


@pytest.fixture(scope="module")
def known():
    """600 examples of two factors, each told by two of four codes, more or less."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, 4, 600), rng.integers(0, 3, 600)], axis=1)
    noise = rng.normal(size=(600, 4))
    codes = factors[:, [0, 0, 1, 1]] * [1.0, 0.5, 2.0, 0.0] + [0.2, 1.0, 0.5, 1.0] * noise
    return codes, factors


def test_mig_is_the_gap_of_mutual_information(known):
    codes, factors = known
    gaps = []
    for factor in factors.T:
        told = []
        for code in codes.T:
            edges = np.histogram(code, 20)[1]
            told.append(mutual_info_score(np.digitize(code, edges[:-1]), factor))
        told = np.sort(told)
        gaps.append((told[-1] - told[-2]) / entropy(np.bincount(factor)))
    assert metrics.mig(codes, factors) == pytest.approx(np.mean(gaps), abs=1e-9)


def test_mig_of_codes_that_are_the_factors_is_one(known):
    _, factors = known
    codes = np.column_stack([factors * 2.0 - 1, np.zeros(len(factors))])
    assert metrics.mig(codes, factors) == pytest.approx(
        1, abs=0.01
    )  # by chance they share a little
    doubled = np.column_stack([codes, codes])
    assert metrics.mig(doubled, factors) == pytest.approx(0, abs=1e-12)


def test_dci_follows_from_importances_by_hand():
    importances = np.array([[0.8, 0.0], [0.2, 0.4], [0.0, 0.6]])
    d2 = 1 - entropy([0.2 / 0.6, 0.4 / 0.6], base=2)  # of the second latent; the others' is 1
    c1 = 1 - entropy([0.8, 0.2], base=3)
    c2 = 1 - entropy([0.4, 0.6], base=3)
    expected = (0.8 + 0.6 * d2 + 0.6) / 2, (c1 + c2) / 2
    assert metrics.dci_of_importances(importances) == pytest.approx(expected, abs=1e-12)


def test_latents_without_importance_count_for_nothing():
    assert metrics.dci_of_importances([[1, 0], [0, 1], [0, 0]]) == (1, 1)
    assert metrics.dci_of_importances(np.ones((2, 2))) == pytest.approx((0, 0), abs=1e-12)


def test_dci_finds_which_latents_matter(known):
    codes, factors = known
    found = metrics.dci(codes[:, [0, 2]], factors)
    assert min(found) > 0.9
    turned = codes[:, [0, 2]] @ [[0.8, -0.6], [0.6, 0.8]]
    assert metrics.dci(turned, factors).disentanglement < 0.7 * found.disentanglement


def test_sap_is_the_gap_of_a_line(known):
    codes, factors = known
    gaps = []
    for factor in factors.T:
        told = [
            LinearRegression().fit(code[:, None], factor).score(code[:, None], factor)
            for code in codes.T
        ]
        told = np.sort(told)
        gaps.append(told[-1] - told[-2])
    assert metrics.sap(codes, factors) == pytest.approx(np.mean(gaps), abs=1e-9)


def test_sap_of_a_category_is_the_gap_of_a_support_vector_machine(known):
    codes, factors = known
    order = np.random.default_rng(5).permutation(len(codes))
    fitted, others = order[::2], order[1::2]
    told = []
    for code in codes.T[..., None]:
        machine = LinearSVC(C=0.01, class_weight="balanced", random_state=5)
        machine.fit(code[fitted], factors[fitted, 0])
        told.append(np.mean(machine.predict(code[others]) == factors[others, 0]))
    told = np.sort(told)
    found = metrics.sap(codes, factors[:, :1], categorical=[0], seed=5)
    assert found == pytest.approx(told[-1] - told[-2], abs=1e-12)


def test_the_score_of_factor_vae_is_that_of_voting(known):
    """Of two latents that tell one factor each, all votes are right; of mixed ones, not."""
    codes, factors = known
    assert metrics.factor_vae_score(codes[:, [0, 2]], factors) == 1
    turned = codes[:, [0, 2]] @ [[0.7, -0.7], [0.7, 0.7]]
    assert metrics.factor_vae_score(turned, factors) < 0.9


def test_the_score_of_factor_vae_by_hand():
    """One latent can stand for one factor only: votes for the other are wrong.

    The second code varies less in every group than the first, so that it gets all votes, and the
    share that is right is that of the factor that got most.
    """
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 2, (400, 2))
    codes = np.stack([rng.normal(size=400), 20.0 * (np.arange(400) == 0)], axis=1)
    found = metrics.factor_vae_score(codes, factors, votes=2000, group=8)
    assert found == pytest.approx(0.5, abs=0.03)

    # The votes that are counted are others than those that were learned from.
    single = [metrics.factor_vae_score(codes, factors, 1, 8, seed=seed) for seed in range(40)]
    assert np.mean(single) == pytest.approx(0.5, abs=0.25)


def test_the_latent_that_varies_least_votes():
    factors = np.random.default_rng(0).integers(0, 3, (400, 3))
    assert metrics.factor_vae_score(factors, factors) == 1


def test_collapsed_latents_do_not_vote(known):
    codes, factors = known
    noise = 1e-3 * np.random.default_rng(1).normal(size=(len(codes), 1))
    with_noise = np.hstack([codes[:, [0, 2]], noise])
    assert metrics.factor_vae_score(with_noise, factors) == 1
    assert metrics.factor_vae_score(1e-3 * codes, factors) == 0


Z, V = np.random.default_rng(0).normal(size=(20, 3)), np.arange(40).reshape(20, 2) % 3
WRONG = {
    "one latent": (Z[:, :1], V),
    "other rows": (Z[:10], V),
    "no table": (Z, V[:, 0]),
    "texts": (Z, V.astype(str)),
    "fractions": (Z, V + 0.5),
    "NaN": (np.where(Z > 1, np.nan, Z), V),
    "constant": (Z, V * [1, 0]),
}


@pytest.mark.parametrize("score", [metrics.mig, metrics.dci, metrics.sap, metrics.factor_vae_score])
@pytest.mark.parametrize("pair", WRONG.values(), ids=WRONG)
def test_codes_and_factors_that_do_not_fit_are_refused(score, pair):
    with pytest.raises(ValueError, match=matches("factors")):
        score(*pair)
