"""Data with missing elements: the bound of those observed, and imputation, against closed forms."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tests.conftest import largest_difference, matches
from tests.models.test_linear_gaussian import SIGMA, D, LinearGaussian
from tfvae import likelihoods
from tfvae.imputation import impute


@pytest.fixture(scope="module")
def incomplete():
    """The linear-Gaussian model, two elements of each example missing, and its conditionals."""
    model = LinearGaussian()
    encoder, decoder = model.vae.encoder, model.vae.decoder
    # A broad q, since none is exact here.
    encoder.set_weights([0.5 * encoder.get_weights()[0], np.array([0.0, 0.0, 0.4, 0.4])])
    likelihood = likelihoods.Observed(likelihoods.Normal(SIGMA))
    vae = tfvae.VAE(encoder, decoder, likelihood=likelihood, seed=0)
    x = model.x.copy()
    rng = np.random.default_rng(1)
    for row in x:
        row[rng.choice(D, 2, replace=False)] = np.nan
    exact, means, variances = [], model.x.copy(), np.zeros_like(x)
    for i, row in enumerate(x):
        seen = ~np.isnan(row)
        covariance = model.covariance[np.ix_(seen, seen)]
        exact.append(scipy.stats.multivariate_normal(model.b[seen], covariance).logpdf(row[seen]))
        gain = model.covariance[np.ix_(~seen, seen)] @ np.linalg.inv(covariance)
        means[i, ~seen] = model.b[~seen] + gain @ (row[seen] - model.b[seen])
        rest = model.covariance[np.ix_(~seen, ~seen)] - gain @ model.covariance[np.ix_(seen, ~seen)]
        variances[i, ~seen] = np.diag(rest)
    return vae, x, np.array(exact), means, variances


def test_the_likelihood_is_that_of_the_observed_elements(incomplete):
    vae, x, exact, _, _ = incomplete
    assert largest_difference(tfvae.evaluation.log_likelihood(vae, x, 20_000), exact) < 0.05
    report = tfvae.evaluation.evaluate(vae, x, 2000)
    assert report.bits_per_dim is None  # of a density


def test_bits_per_dimension_are_of_what_was_observed_and_of_discrete_data_alone():
    x = np.array([[0, 1, np.nan, 1], [np.nan, 1, 0, np.nan]], np.float32)
    for base, told in ((likelihoods.Bernoulli(), True), (likelihoods.Normal(), False)):
        vae = tfvae.mlp_vae((4,), 2, (4,), likelihood=likelihoods.Observed(base))
        report = tfvae.evaluation.evaluate(vae, x, 20)
        expected = pytest.approx(report.nll / (np.log(2) * 2.5)) if told else None
        assert report.bits_per_dim == expected


def test_complete_data_have_the_likelihood_they_had(incomplete):
    model = LinearGaussian()
    likelihood = likelihoods.Observed(likelihoods.Normal(SIGMA))
    vae = tfvae.VAE(model.vae.encoder, model.vae.decoder, likelihood=likelihood)
    found, expected = (each.log_weights(model.x, 3, seed=1) for each in (vae, model.vae))
    assert largest_difference(found, expected) < 1e-5


def test_imputation_is_the_conditional_mean_and_draws_have_its_spread(incomplete):
    vae, x, _, means, variances = incomplete
    found = impute(vae, x, 8000)
    assert found.shape == x.shape and not np.isnan(found).any()
    assert (found[~np.isnan(x)] == x[~np.isnan(x)]).all()
    assert largest_difference(found, means) < 0.12
    assert np.abs(found - means).mean() < 0.01
    draws = impute(vae, x, 2000, seed=3, draws=400)
    assert draws.shape == (400, *x.shape)
    assert (draws[:, ~np.isnan(x)] == x[~np.isnan(x)]).all()
    missing = np.isnan(x)
    assert draws.mean(0)[missing] == pytest.approx(means[missing], abs=0.35)
    assert (draws.var(0)[missing] / variances[missing]).mean() == pytest.approx(1.0, abs=0.05)


def test_training_on_incomplete_digits_imputes_better_than_the_mean(digits):
    rng = np.random.default_rng(0)
    missing = rng.random(digits.x_train.shape) < 0.4
    x = np.where(missing, np.nan, digits.x_train).astype(np.float32)
    pieces = {
        "likelihood": likelihoods.Observed(likelihoods.Normal(0.2)),
        "objective": tfvae.IWAE(5),
    }
    vae = tfvae.mlp_vae(digits.event_shape, 6, (64,), **pieces, seed=0)
    vae.compile(keras.optimizers.Adam(3e-3), jit_compile=False)
    vae.fit(x, batch_size=100, epochs=15, verbose=0)
    error = ((impute(vae, x[:200], 200) - digits.x_train[:200])[missing[:200]] ** 2).mean()
    baseline = ((np.nanmean(x, axis=0) - digits.x_train[:200])[missing[:200]] ** 2).mean()
    assert error < 0.65 * baseline


def test_grey_and_one_hot_data_may_be_missing_too():
    grey = np.array([[0.0, 0.3, np.nan, 1.0]], np.float32)
    bernoulli = likelihoods.Bernoulli(dynamic_binarization=True)
    vae = tfvae.mlp_vae((4,), 2, (4,), likelihood=likelihoods.Observed(bernoulli))
    fixed, note = vae.likelihood.prepare_for_evaluation(grey)
    assert np.isnan(fixed[0, 2]) and set(fixed[0, [0, 1, 3]]) <= {0.0, 1.0} and "seed" in note
    assert impute(vae, grey, 10, draws=3).shape == (3, 1, 4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_imputation_leaves_what_was_observed_as_it_was(dtype):
    """Grey values that the model binarizes, and numbers that float32 would round."""
    grey = np.random.default_rng(0).random((5, 4)).astype(dtype)
    seen = np.random.default_rng(1).random((5, 4)) < 0.6
    x = np.where(seen, grey, np.nan)
    bernoulli = likelihoods.Bernoulli(dynamic_binarization=True)
    for base in (bernoulli, likelihoods.Normal()):
        vae = tfvae.mlp_vae((4,), 2, (4,), likelihood=likelihoods.Observed(base))
        for found in (impute(vae, x, 10), *impute(vae, x, 10, draws=2)):
            assert found.dtype == dtype
            assert np.array_equal(found[seen], grey[seen]) and not np.isnan(found).any()


def test_the_likelihood_of_a_grey_example_is_that_of_its_content_wherever_it_stands():
    """With a decoder that ignores z, nothing but the fixed draw could differ."""
    x = np.random.default_rng(0).random((6, 30)).astype(np.float32)
    bernoulli = likelihoods.Bernoulli(dynamic_binarization=True)
    vae = tfvae.mlp_vae((30,), 2, (4,), likelihood=bernoulli)
    *hidden, kernel, _ = vae.decoder.get_weights()
    vae.decoder.set_weights([*hidden, 0 * kernel, np.linspace(-2, 2, 30)])
    together = tfvae.evaluation.estimate(vae, x, 3).distortion
    alone = [tfvae.evaluation.estimate(vae, x[i : i + 1], 3).distortion[0] for i in (5, 2)]
    assert alone == pytest.approx(together[[5, 2]], abs=1e-6)


def observed():
    likelihood = likelihoods.Observed(likelihoods.Bernoulli())
    return tfvae.mlp_vae((4,), 2, (4,), likelihood=likelihood)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: likelihoods.Observed("normal"), ["normal"]),
        (lambda: impute(tfvae.mlp_vae((4,), 2, (4,)), np.array([[0, 1, np.nan, 1]]), 10), ["NaN"]),
        (lambda: impute(tfvae.mlp_vae((4,), 2, (4,)), np.zeros((1, 4)), 0), ["num_samples"]),
        (lambda: impute(tfvae.mlp_vae((4,), 2, (4,)), np.zeros((1, 4)), 10, draws=0), ["draws"]),
        (
            lambda: tfvae.evaluation.log_likelihood(observed(), [[0, 1, np.nan, 0.5]]),
            ["Observed", "NaN where missing"],
        ),
    ],
)
def test_what_cannot_be_imputed_is_refused(make, words):
    with pytest.raises(ValueError, match=matches(*words)):
        make()


class OfPositives(likelihoods.Likelihood):
    """Gamma elements of shape 2, which have no density at 0. `made` makes another one."""

    support = "numbers above 0"
    made = staticmethod(lambda params: tfp.distributions.Gamma(2.0, tf.exp(params)))

    def build(self, event_shape):
        self.rank = len(event_shape)
        self.built = True

    def distribution(self, params):
        return tfp.distributions.Independent(self.made(params), self.rank)

    def in_support(self, x):
        return x > 0


class Around(OfPositives):
    """Uniform between params + 5 and params + 7, so that no one number always has a density."""

    made = staticmethod(lambda params: tfp.distributions.Uniform(params + 5, params + 7))


class WithoutMean(OfPositives):
    """Cauchy beyond a limit: neither 0 nor a mean will do, but the mode does."""

    made = staticmethod(lambda params: tfp.distributions.Pareto(0.5, tf.exp(params)))


class OfLogs(OfPositives):
    """Log-normal, whose gradient by params at 0 is infinite: times 0 that is no number."""

    made = staticmethod(lambda params: tfp.distributions.LogNormal(params, 0.5))


LOG_DENSITIES = {
    OfPositives: lambda x, params: scipy.stats.gamma(2.0, scale=np.exp(-params)).logpdf(x),
    Around: lambda x, params: scipy.stats.uniform(params + 5, 2).logpdf(x),
    WithoutMean: lambda x, params: scipy.stats.pareto(0.5, scale=np.exp(params)).logpdf(x),
    OfLogs: lambda x, params: scipy.stats.lognorm(0.5, scale=np.exp(params)).logpdf(x),
}


@pytest.mark.parametrize("base", LOG_DENSITIES)
def test_missing_elements_of_any_base_leave_density_and_gradient_as_they_are(base):
    params = np.array([[0.3, -0.2, 0.1]], np.float32)
    x = np.array([[6.1, np.nan, 6.4]], np.float32)
    likelihood = likelihoods.Observed(base())
    likelihood.build_once((3,))
    given = tf.constant(params)
    with tf.GradientTape() as tape:
        tape.watch(given)
        found = likelihood.distribution(given).log_prob(x)
    expected = LOG_DENSITIES[base](x[0, [0, 2]], params[0, [0, 2]]).sum()
    assert found.numpy() == pytest.approx([expected], rel=1e-5)
    gradient = tape.gradient(found, given).numpy()
    assert np.isfinite(gradient).all() and gradient[0, 1] == 0
    double = likelihood.distribution(tf.constant(params.astype(np.float64))).log_prob(
        x.astype(np.float64)
    )
    assert double.numpy() == pytest.approx([expected], rel=1e-6)


def test_a_base_without_a_density_at_zero_trains_on_incomplete_data():
    x = np.random.default_rng(0).gamma(2.0, size=(64, 3)).astype(np.float32)
    x[::2, 1] = np.nan
    vae = tfvae.mlp_vae((3,), 2, (4,), likelihood=likelihoods.Observed(OfLogs()), seed=0)
    vae.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    losses = vae.fit(x, batch_size=32, epochs=5, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]


def test_the_hint_for_incomplete_data_is_that_of_the_base_for_data_of_that_shape():
    classes = likelihoods.Categorical()
    wrong = np.array([[[0.0, 2.0, 0.0], [np.nan, np.nan, np.nan]]], np.float32)
    hint = likelihoods.Observed(classes).fix_hint(wrong)
    assert hint == classes.fix_hint(np.nan_to_num(wrong)) and "3" in hint
    nothing_observed = np.full((2, 3), np.nan)
    assert likelihoods.Observed(likelihoods.Bernoulli()).fix_hint(nothing_observed)


def test_images_of_several_sizes_share_a_mixture_of_logistics_observed_or_not():
    mixture = likelihoods.DiscretizedLogisticMixture(2)
    for piece in (mixture, likelihoods.Observed(likelihoods.Normal())):
        piece.build_once((8, 8, 3))
        piece.build_once((4, 6, 3))
    with pytest.raises(ValueError, match=matches("make a new one")):
        mixture.build_once((8, 8, 1))
