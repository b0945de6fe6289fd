"""Each public argument of likelihoods: see `test_public_arguments`."""

import math

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference, matches
from tests.likelihoods.test_likelihoods import LEVELS, level_probs
from tests.support.arguments import covers
from tests.support.noise import stream
from tfvae import likelihoods

N = 20_000


def built(likelihood, event_shape=(3,)):
    likelihood.build(event_shape)
    return likelihood


# ---- locations and scales

# What each is by SciPy: of x, location and scale.
REFERENCES = {
    likelihoods.Normal: lambda x, loc, scale: scipy.stats.norm(loc, scale).logpdf(x),
    likelihoods.Laplace: lambda x, loc, scale: scipy.stats.laplace(loc, scale).logpdf(x),
    likelihoods.StudentT: lambda x, loc, scale: scipy.stats.t(4.0, loc, scale).logpdf(x),
}
SCALES = [0.01, 0.5, 30.0]
every_location = pytest.mark.parametrize("make", REFERENCES)


@covers(likelihoods.Normal, "scale", "learn_scale", "per_element_scale")
@covers(likelihoods.Laplace, "scale", "learn_scale", "per_element_scale")
@covers(likelihoods.StudentT, "scale", "learn_scale", "per_element_scale")
@every_location
@pytest.mark.parametrize("scale", SCALES)
def test_a_scale_is_fixed_or_learned_or_of_each_element(make, scale):
    rng = np.random.default_rng(0)
    loc = rng.normal(size=(5, 3)).astype(np.float32)
    x = loc + scale * rng.normal(size=(5, 3)).astype(np.float32)
    expected = REFERENCES[make](x, loc, scale).sum(-1)
    fixed, learned = built(make(scale)), built(make(scale, learn_scale=True))
    assert (fixed.trainable_weights, len(learned.trainable_weights)) == ([], 1)
    for likelihood in (fixed, learned):
        assert largest_difference(likelihood.distribution(loc).log_prob(x), expected) < 2e-3
        assert likelihood.params_shape((2, 3)) == (2, 3)
        assert largest_difference(likelihood.mean(loc), loc) == 0
    learned.log_scale.assign(math.log(2 * scale))
    expected = REFERENCES[make](x, loc, 2 * scale).sum(-1)
    assert largest_difference(learned.distribution(loc).log_prob(x), expected) < 2e-3

    per_element = built(make(123.0, per_element_scale=True))  # a scale that is not used
    assert per_element.params_shape((2, 3)) == (2, 6)
    raw = rng.normal(size=(5, 3)).astype(np.float32)
    params = np.concatenate([loc, raw], axis=-1)
    expected = REFERENCES[make](x, loc, np.log1p(np.exp(raw)) + 1e-3).sum(-1)
    assert per_element.distribution(params).log_prob(x).numpy() == pytest.approx(expected, rel=1e-4)
    assert largest_difference(per_element.mean(params), loc) == 0


@every_location
def test_draws_have_the_scale(make):
    """Of the same noise, three times the scale is three times the distance from the location."""
    loc = tf.fill([N, 3], 2.0)
    one, three = (built(make(scale)).draw(loc, stream(N)) - 2.0 for scale in (1.0, 3.0))
    assert three.numpy() == pytest.approx(3 * one.numpy(), rel=1e-4, abs=1e-4)
    density = np.exp(REFERENCES[make](np.linspace(-300, 300, 600_001), 0.0, 1.0))
    median_distance = np.interp(0.75, np.cumsum(density) * 1e-3, np.linspace(-300, 300, 600_001))
    assert np.median(np.abs(one)) == pytest.approx(median_distance, rel=0.03)


@covers(likelihoods.Normal, "optimal_scale")
@pytest.mark.parametrize("scale", SCALES)
def test_an_optimal_scale_is_the_first_value_and_then_that_of_the_batch(scale):
    likelihood = built(likelihoods.Normal(scale, optimal_scale=True))
    assert likelihood.trainable_weights == []
    rng = np.random.default_rng(1)
    loc = rng.normal(size=(2, 5, 3)).astype(np.float32)
    x = rng.normal(size=(5, 3)).astype(np.float32)
    expected = scipy.stats.norm(loc, scale).logpdf(x).sum(-1)
    assert likelihood.distribution(loc).log_prob(x).numpy() == pytest.approx(expected, rel=1e-4)
    best = np.sqrt(((x - loc) ** 2).mean())
    expected = scipy.stats.norm(loc, best).logpdf(x).sum(-1)
    for found in (likelihood.training_distribution(loc, x), likelihood.distribution(loc)):
        assert found.log_prob(x).numpy() == pytest.approx(expected, rel=1e-4)


@covers(likelihoods.StudentT, "df")
@pytest.mark.parametrize("df", [0.5, 3.0, 1000.0])
def test_students_t_has_its_degrees_of_freedom(df):
    likelihood = built(likelihoods.StudentT(0.7, df=df))
    x = np.linspace(-20, 20, 9).repeat(3).reshape(9, 3).astype(np.float32)
    expected = scipy.stats.t(df, 1.0, 0.7).logpdf(x).sum(-1)
    found = likelihood.distribution(np.ones((9, 3), np.float32)).log_prob(x)
    assert found.numpy() == pytest.approx(expected, rel=1e-4)
    drawn = (likelihood.draw(tf.zeros([N, 1]), stream(N)) / 0.7).numpy()[:, 0]
    assert scipy.stats.kstest(drawn, scipy.stats.t(df).cdf).pvalue > 1e-4


@covers(likelihoods.DiscretizedLogistic, "scale", "learn_scale", "per_element_scale")
@pytest.mark.parametrize("scale", [0.01, 0.5])
def test_the_scale_of_levels_is_fixed_or_learned_or_of_each_element(scale):
    x = LEVELS[[0, 3, 100, 255], None].astype(np.float32)
    params = np.full((4, 1), -0.2, np.float32)  # 0.3, less a half

    def expected(scale):
        return np.log(level_probs(0.3, scale)[[0, 3, 100, 255]])

    fixed = built(likelihoods.DiscretizedLogistic(scale), (1,))
    learned = built(likelihoods.DiscretizedLogistic(scale, learn_scale=True), (1,))
    for likelihood in (fixed, learned):
        found = likelihood.distribution(params).log_prob(x)
        assert largest_difference(found, expected(scale)) < 1e-3
    learned.log_scale.assign(math.log(0.2))
    assert largest_difference(learned.distribution(params).log_prob(x), expected(0.2)) < 1e-3
    assert (len(fixed.trainable_weights), len(learned.trainable_weights)) == (0, 1)
    each = built(likelihoods.DiscretizedLogistic(9.0, per_element_scale=True), (1,))
    assert each.params_shape((2, 1)) == (2, 2)
    raw = np.full((4, 1), math.log(math.expm1(scale)), np.float32)
    least = 0.5 * math.exp(-7)
    found = each.distribution(np.concatenate([params, raw], axis=-1)).log_prob(x)
    assert largest_difference(found, expected(scale + least)) < 1e-3


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan, "1"])
@pytest.mark.parametrize("make", [*REFERENCES, likelihoods.DiscretizedLogistic])
def test_scales_that_are_not_positive_and_finite_are_refused(make, scale):
    with pytest.raises(ValueError, match=matches("scale")):
        make(scale)
    with pytest.raises(ValueError, match=matches("learn_scale", "per_element_scale")):
        make(learn_scale=True, per_element_scale=True)


# ---- levels, counts, binary data


@covers(likelihoods.DiscretizedLogisticMixture, "num_components")
@pytest.mark.parametrize("count", [1, 3])
def test_a_mixture_of_levels_is_that_of_so_many_components(count):
    """Each of a location and a weight of its own, in one channel."""
    likelihood = built(likelihoods.DiscretizedLogisticMixture(count), (1, 1, 1))
    assert likelihood.params_shape((5, 4, 1)) == (5, 4, count * 3)
    assert likelihood.params_shape((5, 4, 3)) == (5, 4, count * 10)
    logits, means = np.linspace(-1, 1, count), np.linspace(-0.3, 0.3, count)
    params = np.concatenate([logits, means, np.full(count, -3.0)]).astype(np.float32)
    weights = np.exp(logits) / np.exp(logits).sum()
    probs = sum(w * level_probs(0.5 + m, 0.5 * math.exp(-3)) for w, m in zip(weights, means))
    x = LEVELS.reshape(256, 1, 1, 1).astype(np.float32)
    found = likelihood.distribution(np.broadcast_to(params, (256, 1, 1, 3 * count))).log_prob(x)
    assert np.exp(found) == pytest.approx(probs, abs=1e-5)


@covers(likelihoods.NegativeBinomial, "dispersion", "per_element_dispersion")
@pytest.mark.parametrize("r", [0.01, 2.0, 1e4])
def test_a_dispersion_is_learned_for_each_element_or_given(r):
    x = np.array([[0, 1, 7], [40, 3, 0]], np.float32)
    mean = np.array([[0.3, 2.0, 5.0], [30.0, 3.0, 1.0]], np.float32)

    def expected(r):
        return scipy.stats.nbinom(r, r / (r + mean.astype(np.float64))).logpmf(x).sum(-1)

    learned = built(likelihoods.NegativeBinomial(r))
    assert [w.shape for w in learned.trainable_weights] == [(3,)]
    assert largest_difference(learned.distribution(np.log(mean)).log_prob(x), expected(r)) < 2e-2
    learned.log_dispersion.assign(np.log([1.0, 2.0, 3.0]))
    by_element = expected(np.array([1.0, 2.0, 3.0]))
    assert largest_difference(learned.distribution(np.log(mean)).log_prob(x), by_element) < 1e-3
    given = built(likelihoods.NegativeBinomial(99.0, per_element_dispersion=True))
    assert (given.params_shape((2, 3)), given.trainable_weights) == ((2, 6), [])
    params = np.log(np.concatenate([mean, np.full_like(mean, r)], axis=-1))
    assert largest_difference(given.distribution(params).log_prob(x), expected(r)) < 2e-2


@covers(likelihoods.Bernoulli, "dynamic_binarization")
def test_dynamic_binarization_draws_grey_values_and_else_they_are_refused():
    x = np.tile(np.array([0.0, 0.2, 0.9, 1.0], np.float32), (N, 1))
    binary = built(likelihoods.Bernoulli(), (4,))
    grey = built(likelihoods.Bernoulli(dynamic_binarization=True), (4,))
    assert binary.in_support(x[0]).tolist() == [True, False, False, True]
    assert grey.in_support(np.append(x[0], [-0.1, 1.1])).tolist() == [True] * 4 + [False] * 2
    drawn = grey.prepare_for_training(x, tf.constant([1, 2])).numpy()
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert drawn.mean(axis=0) == pytest.approx(x[0], abs=0.01)
    assert np.array_equal(binary.prepare_for_training(x[:, ::3], tf.constant([1, 2])), x[:, ::3])
    various = x[: N // 10].copy()  # equal examples would get equal draws
    various[:, 1] = np.random.default_rng(0).uniform(0.1, 0.3, len(various))
    fixed, note = grey.prepare_for_evaluation(various)
    assert fixed.mean(axis=0) == pytest.approx(x[0], abs=0.03)
    assert "seed" in note
    assert binary.prepare_for_evaluation(x[:, ::3])[1] is None
    with pytest.raises(ValueError, match=matches("dynamic_binarization")):
        tfvae.mlp_vae((4,), 2, (3,)).terms(x[:2], 1)


@covers(likelihoods.Observed, "base", "fill")
@pytest.mark.parametrize("fill", [0.0, 3.0])
@pytest.mark.parametrize("base", [lambda: likelihoods.Normal(0.5), likelihoods.Poisson])
def test_what_is_missing_counts_nothing_and_is_shown_as_the_fill(base, fill):
    x = np.array([[1.0, np.nan, 2.0], [np.nan, np.nan, 4.0]], np.float32)
    base = base()
    likelihood = built(likelihoods.Observed(base, fill))
    params = np.random.default_rng(2).normal(size=(2, 3)).astype(np.float32)
    if isinstance(base, likelihoods.Poisson):
        logs, shown = scipy.stats.poisson(np.exp(params)).logpmf(x), np.log1p
    else:
        logs, shown = scipy.stats.norm(params, 0.5).logpdf(x), np.asarray
    found = likelihood.distribution(params).log_prob(x)
    assert largest_difference(found, np.nansum(logs, axis=-1)) < 1e-4
    filled = shown(np.where(np.isnan(x), fill, x))
    assert largest_difference(likelihood.encoder_input(tf.constant(x)), filled) < 1e-6
