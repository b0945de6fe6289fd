"""Closed forms: a linear decoder with normal noise has exact p(x), p(z|x) and gradients.

    z ~ N(0, I),  x = W z + b + sigma eps:   p(x) = N(b, C),  C = W W' + sigma^2 I
    p(z|x) = N(M^-1 W'(x - b), sigma^2 M^-1),  M = W'W + sigma^2 I

W has orthogonal columns, so that the posterior is diagonal and an encoder can be exact.
"""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference
from tests.support import scales

D, LATENT, SIGMA = 6, 2, 0.7


class LinearGaussian:
    """The model in closed form, and the VAE of the same numbers."""

    def __init__(self, shift=0.0, stretch=1.0):
        rng = np.random.default_rng(3)
        basis, _ = np.linalg.qr(rng.normal(size=(D, LATENT)))
        self.w = basis * np.array([1.5, 0.8])  # [D, LATENT], orthogonal columns
        self.b = rng.normal(size=D)
        self.covariance = self.w @ self.w.T + SIGMA**2 * np.eye(D)
        self.precision = np.diag(self.w.T @ self.w) + SIGMA**2  # diagonal of M
        self.x = rng.multivariate_normal(self.b, self.covariance, 40).astype(np.float32)
        self.scale = stretch * SIGMA / np.sqrt(self.precision)
        self.gain = self.w / self.precision  # [D, LATENT]
        self.offset = shift - self.b @ self.gain
        self.vae = self._vae()

    def loc(self):
        return self.x @ self.gain + self.offset

    def log_likelihood(self):
        return scipy.stats.multivariate_normal(self.b, self.covariance).logpdf(self.x)

    def gap(self):
        """KL(q(z|x) || p(z|x)), [N]."""
        exact_loc = (self.x - self.b) @ self.gain
        exact_scale = SIGMA / np.sqrt(self.precision)
        ratio = (self.scale / exact_scale) ** 2
        squares = ((self.loc() - exact_loc) / exact_scale) ** 2
        return 0.5 * (ratio + squares - 1 - np.log(ratio)).sum(axis=1)

    def _vae(self):
        raw_scale = scales.raw_of(self.scale)
        encoder = keras.Sequential([keras.Input((D,)), keras.layers.Dense(2 * LATENT)])
        kernel = np.concatenate([self.gain, np.zeros((D, LATENT))], axis=1)
        encoder.set_weights([kernel, np.concatenate([self.offset, raw_scale])])
        decoder = keras.Sequential([keras.Input((LATENT,)), keras.layers.Dense(D)])
        decoder.set_weights([self.w.T, self.b])
        return tfvae.VAE(encoder, decoder, likelihood=tfvae.likelihoods.Normal(SIGMA), seed=0)


@pytest.fixture(scope="module")
def wrong():
    """A posterior that is off, so that there is a gap."""
    return LinearGaussian(shift=0.3, stretch=1.3)


@pytest.fixture(scope="module")
def exact():
    return LinearGaussian()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_log_likelihood_by_importance_sampling_is_the_exact_one(seed):
    """Within 0.02 nats in every example, from a posterior that is a little off."""
    model = LinearGaussian(shift=0.1, stretch=1.15)
    assert model.gap().min() > 0.03
    found = tfvae.evaluation.log_likelihood(model.vae, model.x, num_samples=5000, seed=seed)
    assert largest_difference(found, model.log_likelihood()) < 0.02


def test_log_likelihood_minus_elbo_is_the_divergence_from_the_posterior(wrong):
    """Within 4 standard errors of the 20,000-sample estimate, and those below 0.03 nats."""
    log_weights = wrong.vae.log_weights(wrong.x, 20_000, seed=2).numpy()
    gap = wrong.log_likelihood() - log_weights.mean(axis=0)
    stderr = log_weights.std(axis=0) / np.sqrt(len(log_weights))
    assert stderr.max() < 0.03
    assert (np.abs(gap - wrong.gap()) < 4 * stderr).all()
    assert wrong.gap().min() > 10 * stderr.max()


def test_at_the_exact_posterior_every_log_weight_is_the_log_likelihood(exact):
    for num_samples in (1, 3, 50):
        log_weights = exact.vae.log_weights(exact.x, num_samples, seed=num_samples)
        assert log_weights.shape == (num_samples, len(exact.x))
        expected = np.broadcast_to(exact.log_likelihood(), log_weights.shape)
        assert largest_difference(log_weights, expected) < 2e-4


def test_evaluate_reports_the_exact_numbers(wrong):
    report = tfvae.evaluation.evaluate(wrong.vae, wrong.x, num_samples=5000)
    exact = wrong.log_likelihood()
    assert report.nll == pytest.approx(-exact.mean(), abs=0.02)
    assert report.nll_stderr == pytest.approx(exact.std(ddof=1) / np.sqrt(len(exact)), rel=0.02)
    assert report.gap == pytest.approx(wrong.gap().mean(), abs=0.03)
    assert report.elbo == pytest.approx(-report.rate - report.distortion, abs=1e-6)
    kl = 0.5 * (wrong.scale**2 + wrong.loc() ** 2 - 1 - 2 * np.log(wrong.scale)).sum(axis=1)
    assert report.rate == pytest.approx(kl.mean(), abs=1e-4)
    assert report.bits_per_dim is None  # of a density
    assert report.active_units == (wrong.loc().var(axis=0) > 0.01).sum() == LATENT


def test_bounds_are_ordered(wrong):
    log_weights = wrong.vae.log_weights(wrong.x, 20_000, seed=5)

    def iwae(k):
        groups = tf.reshape(log_weights, [-1, k, len(wrong.x)])
        return float(tf.reduce_mean(tf.reduce_logsumexp(groups, axis=1) - np.log(k)))

    bounds = [iwae(1), iwae(5), iwae(50), wrong.log_likelihood().mean()]
    assert bounds == sorted(bounds)
    assert bounds[1] - bounds[0] > 0.1
    assert bounds[3] - bounds[2] < 0.05


@pytest.mark.parametrize("analytic_rate", [True, False])
def test_the_reparameterized_gradient_is_the_gradient_of_the_exact_bound(wrong, analytic_rate):
    """By every weight of encoder and decoder: within 5 standard errors, and those small."""
    vae, x = wrong.vae, tf.constant(wrong.x)
    variables = [v.value for v in vae.trainable_variables]
    objective = tfvae.ELBO(num_samples=400, analytic_rate=analytic_rate)

    def estimate(seed):
        with tf.GradientTape() as tape:
            terms = vae.terms(x, objective.num_samples, seed=seed)
            loss = tf.reduce_mean(objective(terms))
        return np.concatenate([np.ravel(g) for g in tape.gradient(loss, variables)])

    with tf.GradientTape() as tape:
        loss = _exact_negative_elbo(vae, x)
    exact = np.concatenate([np.ravel(g) for g in tape.gradient(loss, variables)])
    estimates = np.stack([estimate(seed) for seed in range(30)])
    stderr = estimates.std(axis=0, ddof=1) / np.sqrt(len(estimates))
    assert stderr.max() < 0.02
    assert np.abs(exact).max() > 50 * stderr.max()
    assert (np.abs(estimates.mean(axis=0) - exact) < 5 * stderr + 1e-5).all()


def test_a_linear_vae_trained_by_fit_reaches_the_maximum_likelihood_of_probabilistic_pca(digits):
    """On the 64 grey values of the digits, within 0.1 nats.

    Lucas et al. 2019, section 4: the ELBO adds no local optima. Tipping & Bishop 1999, equation 7:
    with eigenvalues l_1 >= ... >= l_D of the covariance and q latents,
    log L / N = -(sum_{i<=q} log l_i + (D - q) log s + D log 2 pi + D) / 2,  s = mean of the others.
    """
    latent = 3
    noise = np.random.default_rng(0).normal(0, 0.05, (len(digits.x_train), 64))
    x = digits.x_train.reshape(-1, 64) + noise
    eigenvalues = np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1]
    rest = eigenvalues[latent:].mean()
    log_determinant = np.log(eigenvalues[:latent]).sum() + (64 - latent) * np.log(rest)
    terms = log_determinant + 64 * np.log(2 * np.pi) + 64
    encoder = keras.Sequential([keras.Input((64,)), keras.layers.Dense(2 * latent)])
    decoder = keras.Sequential([keras.Input((latent,)), keras.layers.Dense(64)])
    likelihood = tfvae.likelihoods.Normal(0.5, learn_scale=True)
    vae = tfvae.VAE(encoder, decoder, likelihood=likelihood, seed=0)
    epochs = 150
    steps = epochs * -(-len(x) // 100)
    schedule = keras.optimizers.schedules.CosineDecay(1e-2, steps)
    vae.compile(keras.optimizers.Adam(schedule), jit_compile=False)
    vae.fit(x, batch_size=100, epochs=epochs, verbose=0)
    report = tfvae.evaluation.evaluate(vae, x, num_samples=50)
    assert -report.nll == pytest.approx(-terms / 2, abs=0.1)
    assert report.elbo == pytest.approx(-terms / 2, abs=0.1)


def _exact_negative_elbo(vae, x):
    """E_q[-log p(x|z)] + KL(q || p) of the linear model, by hand."""
    kernel, bias = (v.value for v in vae.encoder.trainable_variables)
    w, b = (v.value for v in vae.decoder.trainable_variables)
    loc, raw_scale = tf.split(x @ kernel + bias, 2, axis=1)
    variance = scales.scale_of(raw_scale) ** 2
    squares = tf.reduce_sum((x - loc @ w - b) ** 2, 1) + tf.reduce_sum(variance @ w**2, 1)
    distortion = 0.5 * squares / SIGMA**2 + D * np.log(SIGMA * np.sqrt(2 * np.pi))
    rate = 0.5 * tf.reduce_sum(variance + loc**2 - 1 - tf.math.log(variance), 1)
    return tf.reduce_mean(distortion + rate)
