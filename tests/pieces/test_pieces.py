"""Each density is one, each sampler agrees with its density, each KL with its estimate."""

import keras
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference, matches
from tests.support import zoo
from tests.support.noise import N, stream
from tfvae import likelihoods, posteriors, priors
from tfvae.testing import densities, subjects
from tfvae.testing.models import move_weights

CONTINUOUS = {
    "normal": likelihoods.Normal(0.7),
    "normal_per_element": likelihoods.Normal(per_element_scale=True),
    "laplace": likelihoods.Laplace(0.7),
    "student": likelihoods.StudentT(0.7, df=3.0),
    "continuous_bernoulli": likelihoods.ContinuousBernoulli(),
}
continuous = pytest.mark.parametrize("name", CONTINUOUS)


def built(name):
    likelihood = CONTINUOUS[name]
    if not likelihood.built:
        likelihood.build((1,))
    return likelihood


def params(likelihood, value):
    return np.full(likelihood.params_shape((1,)), value, np.float32)


@continuous
@pytest.mark.parametrize("value", [-2.0, 0.0, 0.4, 3.0])
def test_the_density_integrates_to_one_and_has_its_mean(name, value):
    likelihood = built(name)
    low, high = likelihood.value_range or (-400.0, 400.0)
    x = np.linspace(low, high, 800_001, dtype=np.float32)[:, None]
    log_density = likelihood.distribution(params(likelihood, value)).log_prob(x).numpy()
    density = np.exp(log_density.astype(np.float64))
    assert scipy.integrate.trapezoid(density, x[:, 0].astype(np.float64)) == pytest.approx(
        1.0, abs=2e-4
    )
    mean = scipy.integrate.trapezoid(density * x[:, 0], x[:, 0].astype(np.float64))
    assert float(likelihood.mean(params(likelihood, value))[0]) == pytest.approx(mean, abs=2e-3)


@pytest.mark.parametrize("value", [-2.0, 0.0, 3.0])
def test_bernoulli_sums_to_one(value):
    likelihood = likelihoods.Bernoulli()
    likelihood.build((1,))
    p = likelihood.distribution(np.array([value], np.float32))
    assert float(p.prob([0.0]) + p.prob([1.0])) == pytest.approx(1.0, abs=1e-6)
    draws = likelihood.draw(tf.fill([N, 1], value), stream())
    expected = float(p.prob([1.0]))
    assert float(tf.reduce_mean(draws)) == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(N))


@continuous
@pytest.mark.parametrize("value", [-2.0, 0.0, 3.0])
def test_draws_follow_the_density(name, value):
    """Kolmogorov-Smirnov against the integrated density, at a level of 0.001 and a fixed seed."""
    likelihood = built(name)
    draws = likelihood.draw(np.tile(params(likelihood, value), (N, 1)), stream()).numpy()[:, 0]
    cdf = likelihood.distribution(params(likelihood, value)).distribution.cdf
    assert scipy.stats.kstest(draws, lambda x: np.ravel(cdf(x.astype(np.float32)))).pvalue > 1e-3


@pytest.mark.parametrize("logit", [-60.0, -1.0, -1e-4, 0.0, 1e-2, 0.0999, 0.1001, 60.0])
def test_the_continuous_bernoulli_stays_accurate_at_its_ends_and_its_middle(logit):
    """The mean by its formula in double precision; draws within [0, 1]."""
    likelihood = built("continuous_bernoulli")
    exact = 0.5 if logit == 0 else 1 / -np.expm1(-logit) - 1 / logit
    exact = 0.5 + logit / 12 if abs(logit) < 1e-3 else exact
    assert float(likelihood.mean(tf.constant([logit]))[0]) == pytest.approx(exact, abs=2e-6)
    draws = likelihood.draw(tf.fill([N, 1], logit), stream()).numpy()
    assert 0 <= draws.min() <= draws.max() <= 1
    assert draws.mean() == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("prior", ["standard", "mixture", "vamp", "realnvp", "maf", "expost"])
def test_a_prior_samples_what_its_density_says(prior):
    vae = zoo._mlp("diagonal", prior, "bernoulli", "elbo", "pathwise").vae
    move_weights(vae.prior.trainable_weights, seed=1, spread=1.0)
    subject = subjects.of_prior(vae.prior, zoo.LATENT, None)
    densities.check_draws(subject, densities.check_density(subject))


@pytest.mark.parametrize("posterior", ["full", "iaf", "planar", "realnvp"])
def test_a_posterior_samples_what_its_density_says(posterior):
    posterior = zoo.POSTERIORS[posterior]()
    posterior.build(zoo.LATENT)
    move_weights(posterior.weights, seed=1, spread=0.5)
    subject = subjects.of_posterior(posterior, zoo.LATENT)
    densities.check_draws(subject, densities.check_density(subject))


def integral(distribution, size, half_width, steps):
    """Of the density over a box of R^1 or R^2, by the trapezoidal rule."""
    axis = np.linspace(-half_width, half_width, steps, dtype=np.float32)
    grid = np.stack(np.meshgrid(*[axis] * size, indexing="ij"), axis=-1).reshape(-1, size)
    density = np.exp(distribution.log_prob(grid).numpy().astype(np.float64))
    return density.sum() * float(axis[1] - axis[0]) ** size


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("prior", ["standard", "mixture", "vamp", "expost"])
def test_the_density_of_a_prior_integrates_to_one(prior, size):
    vae = tfvae.mlp_vae((4, 4, 1), size, (8,), prior=zoo.PRIORS[prior](), seed=1)
    for weight in vae.prior.trainable_weights:
        weight.assign_add(np.random.default_rng(3).normal(0, 0.5, weight.shape).astype(np.float32))
    assert integral(vae.prior.distribution(), size, 12.0, 601) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("posterior", ["diagonal", "full", "planar", "realnvp", "iaf"])
def test_the_density_of_a_posterior_integrates_to_one(posterior):
    posterior = zoo.POSTERIORS[posterior]()
    posterior.build(2)
    for weight in posterior.weights:
        weight.assign_add(np.random.default_rng(3).normal(0, 0.3, weight.shape).astype(np.float32))
    raw = np.random.default_rng(2).normal(0, 0.5, size=(1, posterior.params_size(2)))
    raw = raw.astype(np.float32)
    assert integral(posterior.distribution(raw), 2, 12.0, 601) == pytest.approx(1.0, abs=5e-3)


def test_mixture_components_come_as_often_as_their_weights():
    """Chi-squared at a level of 0.001."""
    prior = priors.GaussianMixture(5)
    prior.build(2)
    prior.logits.assign([0.0, 1.0, -1.0, 2.0, 0.5])
    weights = tf.nn.softmax(prior.logits)
    found = np.bincount(prior.choose(stream(), weights), minlength=5)
    expected = N * scipy.special.softmax(prior.logits.numpy().astype(np.float64))
    assert scipy.stats.chisquare(found, expected).pvalue > 1e-3


@pytest.mark.parametrize("posterior", [posteriors.DiagonalNormal(), posteriors.FullNormal()])
def test_a_posterior_has_the_closed_form_divergence_and_a_sampler_of_its_own(posterior):
    raw = np.random.default_rng(2).normal(size=(1, posterior.params_size(3))).astype(np.float32)
    q = posterior.distribution(raw)
    p = priors.StandardNormal()
    p.build(3)
    z = q.sample(200_000, seed=tf.constant([3, 4]))
    difference = q.log_prob(z) - p.distribution().log_prob(z)
    stderr = float(tf.math.reduce_std(difference)) / np.sqrt(len(z))
    divergence = float(q.kl_divergence(p.distribution())[0])
    assert divergence == pytest.approx(float(tf.reduce_mean(difference)), abs=4 * stderr)
    drawn = posterior.sample(np.tile(raw, (N, 1)), stream()).numpy()
    stderr = float(tf.reduce_max(q.stddev())) / np.sqrt(N)
    assert largest_difference(drawn.mean(0), q.mean()[0]) < 5 * stderr
    assert largest_difference(np.cov(drawn.T), np.cov(z[:, 0].numpy().T)) < 0.1


def test_vamp_starts_from_data_and_stays_in_range(digits):
    likelihood = likelihoods.Bernoulli(dynamic_binarization=True)
    pieces = {"prior": priors.VampPrior(6), "likelihood": likelihood}
    vae = tfvae.mlp_vae(digits.event_shape, 3, (8,), **pieces, seed=0)
    assert vae.prior.initialized == 0
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    vae.fit(digits.x_train[:100], epochs=1, verbose=0)
    start = vae.prior.pseudo_inputs.numpy()
    assert all((digits.x_train[:100] == u).all(axis=(1, 2, 3)).any() for u in start)
    vae.fit(digits.x_test, epochs=1, verbose=0)
    assert np.array_equal(vae.prior.pseudo_inputs.numpy(), start)
    expected = vae.encode(start).mean()
    vae.prior.pseudo_inputs.assign(start * 3 - 1)
    found = vae.prior.distribution().components_distribution.mean()
    assert largest_difference(found, expected) > 1e-3
    clipped = vae.encode(np.clip(start * 3 - 1, 0, 1)).mean()
    assert largest_difference(found, clipped) < 1e-6


def test_vamp_begins_with_the_mean_where_an_element_is_missing_and_learns_it():
    x = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    x[::3, 0], x[:, 3] = np.nan, np.nan
    likelihood = likelihoods.Observed(likelihoods.Normal(1.0))
    vae = tfvae.mlp_vae(4, 2, (8,), likelihood=likelihood, prior=priors.VampPrior(40), seed=0)
    vae.compile(keras.optimizers.SGD(1.0), jit_compile=False)
    vae.prior.initialize(x)  # of as many as there are, each is one
    start = vae.prior.pseudo_inputs.numpy()
    begun = np.sort(start[:, 0])
    expected = np.where(np.isnan(x[:, 0]), np.nanmean(x[:, 0]), x[:, 0])
    assert largest_difference(begun, np.sort(expected)) < 1e-6 and (start[:, 3] == 0).all()
    vae.fit(x, verbose=0)
    changed = np.abs(vae.prior.pseudo_inputs.numpy() - start)
    assert np.isfinite(changed).all() and (changed.max(axis=0) > 1e-6).all()


def test_vamp_trains_its_pseudo_inputs():
    vae, x, _ = zoo.BUILDERS["diagonal-vamp"]()
    vae.compile(keras.optimizers.SGD(1.0), jit_compile=False)
    vae.prior.initialize(x)
    before = vae.prior.pseudo_inputs.numpy()
    vae.fit(x, verbose=0)
    assert largest_difference(vae.prior.pseudo_inputs, before) > 1e-6


@pytest.mark.parametrize(
    "make",
    [
        lambda: priors.GaussianMixture(0),
        lambda: priors.GaussianMixture(3, spread=0.0),
        lambda: priors.VampPrior(2.5),
        lambda: likelihoods.StudentT(df=0),
        lambda: likelihoods.Laplace(-1.0),
    ],
)
def test_settings_out_of_range_are_refused(make):
    with pytest.raises(ValueError, match=matches()):
        make()
