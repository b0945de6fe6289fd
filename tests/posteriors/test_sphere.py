"""Latents on the sphere: density, divergence, draws and gradient, against closed forms."""

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tests.conftest import largest_difference
from tests.support.nightly import nightly
from tests.support.noise import N, stream
from tfvae import (
    posteriors,
    priors,
)
from tfvae.posteriors.sphere import CosineQuadrature

tfd = tfp.distributions


@pytest.mark.parametrize("size", [2, 3, 8, 50])
def test_the_density_and_the_divergence_are_the_bessel_functions_ones(size):
    kappa = np.array([1.0, 1.7, 10.0, 300.0, 10_000.0])
    raw = np.log(np.expm1(np.minimum(kappa - 1 + 1e-9, 80)))[:, None]
    direction = np.eye(1, size).repeat(5, 0)
    params = np.concatenate([direction, raw], axis=1, dtype=np.float32)
    q = posteriors.VonMisesFisher().distribution(params)
    kappa = q.concentration.numpy().astype(np.float64)
    order = size / 2 - 1
    log_bessel = np.log(scipy.special.ive(order, kappa)) + kappa
    log_c = order * np.log(kappa) - size / 2 * np.log(2 * np.pi) - log_bessel
    assert largest_difference(q.log_prob(q.direction), log_c + kappa) < 1e-3
    ratio = scipy.special.ive(size / 2, kappa) / scipy.special.ive(order, kappa)
    area = np.log(2) + size / 2 * np.log(np.pi) - scipy.special.gammaln(size / 2)
    p = priors.UniformSphere()
    p.build(size)
    divergence = log_c + kappa * ratio + area
    assert largest_difference(q.kl_divergence(p.distribution()), divergence) < 2e-3


def cosine_cdf(size, concentration):
    """The CDF of 1 - cos of the angle between z and mu, by integration in double precision."""
    angles = np.linspace(0, np.pi, 400_001)
    log_sine = np.log(np.maximum(np.sin(angles), 1e-300))
    log_density = concentration * (np.cos(angles) - 1) + (size - 2) * log_sine
    density = np.exp(log_density - log_density.max())
    below = scipy.integrate.cumulative_trapezoid(density, angles, initial=0)

    def cdf(one_minus):
        at = np.arccos(1 - np.asarray(one_minus, np.float64))
        return np.interp(at, angles, below / below[-1])

    return cdf


@pytest.mark.parametrize("size", [2, 50, *(nightly(n) for n in (3, 8))])
@pytest.mark.parametrize("concentration", [1.01, 10.0, 300.0, 10_000.0])
def test_the_angle_follows_von_mises_and_fisher(size, concentration):
    """Kolmogorov-Smirnov at a level of 0.001, and quantiles within 2e-4 of the CDF."""
    away = (
        CosineQuadrature(tf.fill([N], concentration), size)
        .quantile(stream().uniform(1)[:, 0])
        .numpy()
    )
    cdf = cosine_cdf(size, concentration)
    assert scipy.stats.kstest(away, cdf).pvalue > 1e-3
    u = np.linspace(0.001, 0.999, 999, dtype=np.float32)
    found = cdf(CosineQuadrature(tf.fill([999], concentration), size).quantile(u))
    # More than 1 - cos resolves in float32 would be asked for by a narrower bound.
    assert largest_difference(found, u) < (2e-4 if concentration < 1000 or size > 2 else 2e-3)


@pytest.mark.parametrize(
    ("concentration", "size"),
    [
        (2.0, 2),
        nightly(40.0, 50),
        nightly(40.0, 3),
        nightly(2.0, 8),
    ],
)
def test_the_gradient_by_the_concentration_is_that_of_the_exact_mean(size, concentration):
    """E[cos] = A(kappa) = I_D/2 / I_D/2-1, and dA/dkappa = 1 - A^2 - (D - 1) A / kappa."""
    u = (tf.range(50_000, dtype=tf.float32) + 0.5) / 50_000
    kappa = tf.constant(concentration)
    with tf.GradientTape() as tape:
        tape.watch(kappa)
        cosine = 1.0 - tf.reduce_mean(CosineQuadrature(tf.fill([50_000], kappa), size).quantile(u))
    above = scipy.special.ive(size / 2, concentration)
    ratio = above / scipy.special.ive(size / 2 - 1, concentration)
    assert float(cosine) == pytest.approx(ratio, abs=1e-4)
    exact = 1 - ratio**2 - (size - 1) * ratio / concentration
    assert float(tape.gradient(cosine, kappa)) == pytest.approx(exact, rel=5e-3)


@pytest.mark.parametrize("size", [2, 3, 6])
def test_a_von_mises_fisher_posterior_points_where_it_says(size):
    posterior = posteriors.VonMisesFisher()
    raw = np.random.default_rng(1).normal(size=(1, size + 1)).astype(np.float32)
    raw[0, -1] = 5.0
    q = posterior.distribution(raw)
    mean = q.mean().numpy()[0]
    exact = tfd.VonMisesFisher(q.direction[0], q.concentration[0])
    assert largest_difference(mean, exact.mean()) < 1e-5
    for z in (q.sample(N, seed=[1, 2])[:, 0], posterior.sample(np.tile(raw, (N, 1)), stream())):
        assert largest_difference(tf.norm(z, axis=-1), tf.ones(N)) < 1e-5
        assert largest_difference(z.numpy().mean(0), mean) < 4 / np.sqrt(N)
        assert largest_difference(np.cov(z.numpy().T), exact.covariance()) < 0.02
    p = priors.UniformSphere()
    p.build(size)
    difference = q.log_prob(z[:, None])[:, 0] - p.distribution().log_prob(z)
    stderr = float(tf.math.reduce_std(difference)) / np.sqrt(N)
    divergence = float(q.kl_divergence(p.distribution())[0])
    assert divergence == pytest.approx(float(tf.reduce_mean(difference)), abs=4 * stderr)


def test_densities_on_the_circle_and_the_sphere_integrate_to_one():
    angle = np.linspace(0, 2 * np.pi, 4001)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1).astype(np.float32)
    q = posteriors.VonMisesFisher().distribution(np.array([[0.3, -1.0, 2.0]], np.float32))
    assert scipy.integrate.trapezoid(q.prob(circle[:, None])[:, 0], angle) == pytest.approx(
        1.0, abs=1e-4
    )
    p = priors.UniformSphere()
    p.build(3)
    density = float(p.distribution().prob(tf.constant([0.0, 0.6, 0.8])))
    assert density == pytest.approx(1 / (4 * np.pi), rel=1e-5)
    z = p.sample(stream()).numpy()
    for coordinate in z.T:  # Archimedes: each coordinate of the sphere in R^3 is uniform
        assert scipy.stats.kstest(coordinate, scipy.stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_what_lies_between_two_points_of_the_sphere_lies_on_it():
    rng = np.random.default_rng(0)
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in rng.normal(size=(2, 9, 4)))
    weights = np.linspace(0.0, 1.0, 9)[:, None]
    given = [tf.constant(x, tf.float32) for x in (a, b, weights)]
    found = posteriors.VonMisesFisher().interpolate(*given).numpy()
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(9), abs=1e-5)
    direction = (1 - weights) * a + weights * b
    assert (found * direction).sum(1) == pytest.approx(np.linalg.norm(direction, axis=1), abs=1e-5)
