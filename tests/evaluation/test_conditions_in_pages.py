"""A conditional model page by page, its data incomplete, against a joint Gaussian.

z ~ N(0, I),  x = W z + b + C y + sigma e:   p(x|y) = N(b + C y, W W' + sigma^2 I)
"""

import keras
import numpy as np
import pytest
import scipy.stats

import tfvae
from tests.conftest import largest_difference
from tests.models.test_linear_gaussian import LATENT, SIGMA, D, LinearGaussian
from tfvae import evaluation, imputation, likelihoods

CONDITION = 2
SAMPLES, PAGE = 1500, 2  # latents of each example, examples of a page
COUNT = 7  # which fill three pages and a half


class Conditional:
    """The model, its data with elements missing, and their exact likelihood and moments."""

    def __init__(self):
        self.model = LinearGaussian()
        rng = np.random.default_rng(6)
        self.slope = 4.0 * rng.normal(size=(D, CONDITION))
        self.y = rng.normal(size=(COUNT, CONDITION)).astype(np.float32)
        self.y[-1] = self.y[0]
        centres = self.y @ self.slope.T + self.model.b
        x = centres + rng.multivariate_normal(np.zeros(D), self.model.covariance, COUNT)
        for row in x[:-1]:
            row[rng.choice(D, 2, replace=False)] = np.nan
        x[-1] = x[0]  # the same example on another page
        self.x = x.astype(np.float32)
        self.log_likelihood = []
        self.mean, self.variance = self._exact(centres)
        self.vae = self._vae()

    def _exact(self, centres):
        mean, variance = self.x.copy(), np.zeros_like(self.x)
        for row, centre, filled, spread in zip(self.x, centres, mean, variance):
            seen, hidden = ~np.isnan(row), np.isnan(row)
            covariance = self.model.covariance
            of_seen = covariance[np.ix_(seen, seen)]
            observed = scipy.stats.multivariate_normal(centre[seen], of_seen)
            self.log_likelihood.append(observed.logpdf(row[seen]))
            gain = covariance[np.ix_(hidden, seen)] @ np.linalg.inv(of_seen)
            filled[hidden] = centre[hidden] + gain @ (row[seen] - centre[seen])
            rest = covariance[np.ix_(hidden, hidden)] - gain @ covariance[np.ix_(seen, hidden)]
            spread[hidden] = np.diag(rest)
        return mean, variance

    def _vae(self):
        """Its posterior is N(0.3, 1.3^2) for every x: importance resampling has all the work."""
        x, y = keras.Input((D,)), keras.Input((CONDITION,))
        joined = keras.layers.concatenate([x, y])
        encoder = keras.Model([x, y], keras.layers.Dense(2 * LATENT)(joined))
        raw = np.log(np.expm1(1.3))
        kernel = np.zeros((D + CONDITION, 2 * LATENT))
        encoder.set_weights([kernel, np.array([0.3] * LATENT + [raw] * LATENT)])
        z, y = keras.Input((LATENT,)), keras.Input((CONDITION,))
        decoder = keras.Model([z, y], keras.layers.Dense(D)(keras.layers.concatenate([z, y])))
        decoder.set_weights([np.concatenate([self.model.w, self.slope], axis=1).T, self.model.b])
        likelihood = likelihoods.Observed(likelihoods.Normal(SIGMA))
        return tfvae.VAE(encoder, decoder, likelihood=likelihood)


@pytest.fixture(scope="module")
def conditional():
    return Conditional()


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch):
    monkeypatch.setattr(imputation, "_MAX_LATENTS_AT_ONCE", PAGE * SAMPLES)
    monkeypatch.setattr(evaluation, "_MAX_NUMBERS", PAGE * D)
    monkeypatch.setattr(evaluation, "_AT_ONCE", {"CPU": SAMPLES * D, "GPU": SAMPLES * D})


def test_the_likelihood_on_pages_of_different_conditions_is_the_exact_one(conditional):
    vae, x, y = conditional.vae, conditional.x, conditional.y
    found = evaluation.log_likelihood(vae, x, 4 * SAMPLES, y=y)
    assert largest_difference(found, conditional.log_likelihood) < 0.15


def test_pages_of_different_conditions_are_filled_with_the_conditional_mean(conditional):
    found = imputation.impute(conditional.vae, conditional.x, SAMPLES, y=conditional.y)
    missing = np.isnan(conditional.x)
    assert np.array_equal(found[~missing], conditional.x[~missing])
    assert largest_difference(found, conditional.mean) < 0.15
    exchanged = conditional.y[np.roll(np.arange(COUNT), PAGE)]  # which another page's y would be
    other = imputation.impute(conditional.vae, conditional.x, SAMPLES, y=exchanged)
    assert np.median(np.abs(other - conditional.mean)[missing]) > 1.0


def test_draws_on_pages_of_different_conditions_have_the_conditional_moments(conditional):
    draws = 400
    vae, x, y = conditional.vae, conditional.x, conditional.y
    found = imputation.impute(vae, x, SAMPLES, y=y, draws=draws)
    missing = np.isnan(x)
    assert found.shape == (draws, COUNT, D)
    assert np.array_equal(found[:, ~missing], np.tile(x[~missing], (draws, 1)))
    deviation = np.sqrt(conditional.variance[missing])
    errors = (found.mean(axis=0) - conditional.mean)[missing] / deviation
    assert np.abs(errors).max() < 5 / np.sqrt(draws) + 0.15
    ratios = found.var(axis=0)[missing] / conditional.variance[missing]
    assert np.abs(ratios - 1).max() < 5 * np.sqrt(2 / draws) + 0.1


def test_pages_have_noise_of_their_own_and_the_same_for_the_same_seed(conditional):
    """The first example and the last, on another page, are the same."""
    vae, x, y = conditional.vae, conditional.x, conditional.y
    seeds = (0, 0, 1)
    first, again, other = (imputation.impute(vae, x, SAMPLES, s, y=y, draws=3) for s in seeds)
    assert np.array_equal(first, again)
    missing = np.isnan(x[0])
    assert np.abs(first[:, 0, missing] - other[:, 0, missing]).min() > 1e-4
    assert np.abs(first[:, 0, missing] - first[:, -1, missing]).min() > 1e-4
