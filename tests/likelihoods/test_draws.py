"""Draws of every likelihood from the stream, over its range of parameters, against SciPy.

Each is a Kolmogorov-Smirnov test of 20,000 draws at a level of 0.001, with a fixed seed. Of
discrete values, the part of the CDF that a value spans is filled with uniforms. The CDF at the
draws is then uniform, if they are right.
"""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from scipy.special import expit, softmax

from tests.likelihoods.test_likelihoods import LEVELS, colour, level_probs
from tests.support.noise import N, stream
from tfvae import likelihoods

LEVEL = 1e-3


def drawn(likelihood, params, event_shape=(1,)):
    """Draws of one event under `params`, float64 `[N, *event]`."""
    if not likelihood.built:
        likelihood.build(event_shape)
    params = np.tile(np.asarray(params, np.float32), (N,) + (1,) * np.ndim(params))
    return likelihood.draw(tf.constant(params), stream()).numpy().astype(np.float64)


def passes(uniform):
    assert scipy.stats.kstest(uniform, "uniform").pvalue > LEVEL


def filled(below, probability):
    """The CDF at discrete draws, uniform within the step of each."""
    return below + np.random.default_rng(0).random(len(below)) * probability


# Of location 0 and scale 1, by name: the likelihood of a scale, and the exact distribution.
DFS = (0.2, 1.0, 3.0, 30.0, 1e3, 1e5, 1e7, 1e12, 1e30)
FAMILIES = {
    "normal": (likelihoods.Normal, scipy.stats.norm),
    "laplace": (likelihoods.Laplace, scipy.stats.laplace),
    **{
        f"student_{df:g}": (
            lambda scale, df=df, **options: likelihoods.StudentT(scale, df=df, **options),
            scipy.stats.t(df),
        )
        for df in DFS
    },
}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e6])
def test_draws_of_a_location_and_a_scale_are_those_of_scipy(name, scale):
    make, exact = FAMILIES[name]
    x = drawn(make(scale), [0.0])[:, 0]
    assert np.isfinite(x).all() and (x == 0.0).mean() < 1e-3
    passes(exact.cdf(x / scale))
    shifted = drawn(make(1.0, per_element_scale=True), [2.0, scale])[:, 0]
    width = np.logaddexp(0.0, scale) + 1e-3
    if width > 1e-2:
        passes(exact.cdf((shifted - 2.0) / width))


@pytest.mark.parametrize("loc", [-3.0, 0.0, 20.0])
@pytest.mark.parametrize("scale", [0.01, 0.6, 5.0])
def test_draws_of_the_log_normal_are_those_of_scipy(loc, scale):
    x = drawn(likelihoods.LogNormal(scale), [loc])[:, 0]
    assert np.isfinite(x).all() and (x > 0.0).all()
    passes(scipy.stats.norm(loc, scale).cdf(np.log(x)))


@pytest.mark.parametrize("unit", [1e-3, 10.0, 1e6])
@pytest.mark.parametrize("share", [-2.0, 0.0, 20.0])
def test_draws_in_other_units_are_those_of_scipy(share, unit):
    """Of an offset of so many units."""
    x = drawn(likelihoods.Rescaled(likelihoods.Normal(0.5), share * unit, unit), [0.3])[:, 0]
    passes(scipy.stats.norm((share + 0.3) * unit, 0.5 * unit).cdf(x))


def continuous_bernoulli_cdf(x, logit):
    """By the density exp(logit x), integrated, in double precision."""
    if logit == 0.0:
        return x
    # A positive logit by its mirror image, so that no exponential overflows.
    if logit > 0.0:
        return 1.0 - continuous_bernoulli_cdf(1.0 - x, -logit)
    return np.expm1(logit * x) / np.expm1(logit)


MIDDLE = [0.0, 1e-30, 1e-8, 1e-6, 1e-4, 9.9e-4, 1.01e-3, 2e-3, 0.01, 0.03, 0.1, 0.3, 0.5, 1.0]


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("size", [*MIDDLE, 3.0, 17.0, 89.0, 1e4])
def test_draws_of_the_continuous_bernoulli_are_within_its_ends_and_those_of_its_formula(size, sign):
    logit = float(np.float32(sign * size))
    x = drawn(likelihoods.ContinuousBernoulli(), [logit])[:, 0]
    assert 0.0 <= x.min() <= x.max() <= 1.0
    passes(continuous_bernoulli_cdf(x, logit) if logit < 90.0 else np.exp(-logit * (1.0 - x)))


class Constant:
    """Noise of one sample whose uniforms are all the same."""

    def __init__(self, u):
        self.u = u

    def uniform(self, size):
        return tf.fill([1, size], self.u)


@pytest.mark.parametrize("u", [0.0, 2.0**-23, 1e-3, 0.3, 0.5, 0.999, 1.0 - 2.0**-23])
def test_the_continuous_bernoulli_inverts_its_cdf_to_the_last_digits(u):
    """The quantile log(1 + u (e^l - 1)) / l in double precision, both ends of u included.

    A draw of a positive logit is the mirror image of one of the negative logit.
    """
    u = np.float32(np.round(u * 2**23) / 2**23)
    sizes = np.concatenate([[0.0], np.geomspace(1e-7, 80.0, 400)])
    logits = np.concatenate([-sizes, sizes]).astype(np.float32)
    likelihood = likelihoods.ContinuousBernoulli()
    found = likelihood.draw(tf.constant(logits[None]), Constant(u)).numpy()[0]
    steep = -np.maximum(np.abs(logits.astype(np.float64)), 1e-30)
    low = np.log1p(np.float64(u) * np.expm1(steep)) / steep
    exact = np.where(logits > 0, 1.0 - low, low)
    assert np.abs(found - exact).max() < 3e-7
    assert 0.0 <= found.min() <= found.max() <= 1.0


@pytest.mark.parametrize("logit", [-1e4, -17.0, -3.0, 0.0, 1e-3, 3.0, 17.0, 1e4])
def test_draws_of_the_bernoulli_come_as_often_as_their_probability(logit):
    ones = int(drawn(likelihoods.Bernoulli(), [logit]).sum())
    assert scipy.stats.binomtest(ones, N, max(expit(logit), 2.0**-23)).pvalue > LEVEL


@pytest.mark.parametrize("size", [0.0, 1e-3, 1.0, 5.0, 1e4])
def test_draws_of_categories_come_as_often_as_their_probability(size):
    logits = size * np.array([0.3, -1.0, 0.7, 0.1], np.float32)
    category = drawn(likelihoods.Categorical(), logits, (4,)).argmax(axis=-1)
    probs = softmax(logits.astype(np.float64))
    passes(filled((np.cumsum(probs) - probs)[category], probs[category]))


@pytest.mark.parametrize("loc", [-1e4, -0.2, 0.0, 0.3, 0.5, 1.0, 1.3])
@pytest.mark.parametrize("scale", [1e-6, 5e-4, 0.004, 0.05, 1.0, 50.0, 1e6])
def test_draws_of_levels_come_as_often_as_their_probability(loc, scale):
    level = np.round(255 * drawn(likelihoods.DiscretizedLogistic(scale), [loc - 0.5])[:, 0])
    probs = level_probs(float(np.float32(loc - 0.5)) + 0.5, scale)
    level = level.astype(int)
    passes(filled((np.cumsum(probs) - probs)[level], probs[level]))


@pytest.mark.parametrize("log_scale", [-7.0, -3.0, 0.0, 7.0])
def test_draws_of_a_mixture_of_levels_come_as_often_as_their_probability(log_scale):
    likelihood, params = colour(3, 1)
    rows = params.reshape(3, 3)
    rows[2] = log_scale
    level = np.round(255 * drawn(likelihood, params)[:, 0, 0, 0]).astype(int)
    weights, scale = softmax(rows[0].astype(np.float64)), 0.5 * np.exp(np.float64(log_scale))
    probs = sum(
        w * level_probs(0.5 + m, scale) for w, m in zip(weights, rows[1].astype(np.float64))
    )
    passes(filled((np.cumsum(probs) - probs)[level], probs[level]))
    assert LEVELS[level].min() >= 0.0


# Means of thousands are in `test_likelihoods`: a draw takes time in proportion to the count.
def counts(likelihood, log_params, exact):
    x = drawn(likelihood, log_params)[:, 0]
    passes(filled(exact.cdf(x - 1), exact.pmf(x)))


@pytest.mark.parametrize("mean", [1e-6, 1e-3, 0.1, 1.0, 30.0, 300.0])
def test_draws_of_the_poisson_are_those_of_scipy(mean):
    counts(likelihoods.Poisson(), [np.log(mean)], scipy.stats.poisson(mean))


@pytest.mark.parametrize("mean", [1e-3, 1.0, 30.0])
@pytest.mark.parametrize("r", [0.1, 1.0, 10.0, 1e3, 1e6])
def test_draws_of_the_negative_binomial_are_those_of_scipy(mean, r):
    likelihood = likelihoods.NegativeBinomial(per_element_dispersion=True)
    counts(likelihood, np.log([mean, r]), scipy.stats.nbinom(r, r / (r + mean)))


@pytest.mark.parametrize("df", [1e-3, 0.2, 3.0, 1e3, 1e7, 1e30, 1e38, 1e200])
def test_the_density_of_student_is_that_of_scipy_for_every_df(df):
    """For a large df it is the normal's; SciPy is wrong above 1e15."""
    likelihood = likelihoods.StudentT(1.0, df=df)
    likelihood.build((1,))
    x = np.array([0.0, 0.1, 1.0, 5.0, 30.0])
    found = likelihood.distribution(tf.zeros([1])).log_prob(x[:, None].astype(np.float32))
    exact = scipy.stats.t(df).logpdf(x) if df <= 1e7 else scipy.stats.norm.logpdf(x)
    assert np.abs(found - exact).max() < 2e-4
