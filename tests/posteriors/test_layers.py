"""Latents in several layers, against linear models whose posterior is exact."""

import keras
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference, matches
from tests.gradients.test_gradients import estimates
from tests.support import scales
from tests.support.nightly import nightly
from tests.support.noise import N, stream
from tfvae import (
    gradients,
    posteriors,
    priors,
    random,
)


class Chain:
    """z_2 ~ N(0, 1), z_1 = a z_2 + s e_1, x = w z_1 + t e.

    Every distribution is normal, and each q can be exact.
    """

    A, S, T = 0.8, 0.6, 0.5
    W = np.array([1.0, -0.7, 0.4])

    def __init__(self, ladder, error=0.0):
        marginal = self.A**2 + self.S**2  # of z_1
        self.covariance = marginal * np.outer(self.W, self.W) + self.T**2 * np.eye(3)
        rng = np.random.default_rng(0)
        self.x = rng.multivariate_normal(np.zeros(3), self.covariance, 30).astype(np.float32)
        likelihood_precision = self.W @ self.W / self.T**2
        gain = self.W / self.T**2  # x @ gain = precision * mean of z_1 by the likelihood
        gain = gain + error
        down = normal_network(1, 1, [[self.A]], self.S)
        prior = priors.Hierarchy([down])
        if ladder:
            ours = gain / likelihood_precision, likelihood_precision**-0.5
            variance = self.S**2 + 1 / likelihood_precision  # of the likelihood's z_1 given z_2
            precision = 1 + self.A**2 / variance
            top = self.A / variance / precision * ours[0], precision**-0.5
            inputs = keras.Input((3,))
            networks = [normal_network(3, 1, kernel[:, None], s) for kernel, s in (top, ours)]
            params = [network(inputs) for network in networks]
            encoder, posterior = keras.Model(inputs, params), posteriors.Ladder()
        else:
            precision = 1 / marginal + likelihood_precision
            encoder = normal_network(3, 1, (gain / precision)[:, None], precision**-0.5)
            up = 1 + self.A**2 / self.S**2
            upwards = normal_network(1, 1, [[self.A / self.S**2 / up]], up**-0.5)
            posterior = posteriors.BottomUp([upwards])
        decoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(3, use_bias=False)])
        decoder.set_weights([self.W[None]])
        likelihood = tfvae.likelihoods.Normal(self.T)
        self.vae = tfvae.VAE(encoder, decoder, posterior, prior, likelihood, seed=0)

    def log_likelihood(self):
        return scipy.stats.multivariate_normal(np.zeros(3), self.covariance).logpdf(self.x)


def normal_network(inputs, outputs, kernel, scale):
    """A linear network that gives N(x @ kernel, scale^2)."""
    network = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(2 * outputs)])
    kernel = np.asarray(kernel, np.float32)
    raw = scales.raw_of(scale)
    network.set_weights([np.concatenate([kernel, 0 * kernel], axis=1), np.array([0.0, raw])])
    return network


@pytest.mark.parametrize("ladder", [False, nightly(True)])
def test_at_the_exact_posterior_of_two_layers_every_log_weight_is_the_log_likelihood(ladder):
    chain = Chain(ladder)
    log_weights = chain.vae.log_weights(chain.x, 7, seed=1)
    assert largest_difference(log_weights, np.broadcast_to(chain.log_likelihood(), (7, 30))) < 2e-4
    given = chain.vae, chain.x, tfvae.ELBO(1)
    sticking, encoder = estimates(*given, gradients.StickingTheLanding(), 3)
    pathwise, _ = estimates(*given, gradients.Pathwise(), 3)
    assert np.abs(sticking[:, :encoder]).max() < 1e-3
    assert np.abs(pathwise[:, :encoder]).max() > 1e-2


@pytest.mark.nightly
@pytest.mark.parametrize("ladder", [True, False])
def test_importance_sampling_over_two_layers_finds_the_likelihood(ladder):
    chain = Chain(ladder, error=0.6)
    found = tfvae.evaluation.log_likelihood(chain.vae, chain.x, 5000)
    assert largest_difference(found, chain.log_likelihood()) < 0.02
    bound = chain.vae.log_weights(chain.x, 500, seed=1).numpy().mean()
    assert bound < chain.log_likelihood().mean() - 0.005


@pytest.mark.parametrize("ladder", [True, nightly(False)])
@pytest.mark.parametrize(
    ("objective", "estimator"),
    [
        (tfvae.IWAE(4), gradients.DoublyReparameterized()),
        nightly(tfvae.ELBO(4), gradients.StickingTheLanding()),
        nightly(tfvae.ELBO(4), gradients.ScoreFunction()),
    ],
)
def test_the_estimators_agree_over_two_layers(ladder, objective, estimator):
    """In a ladder of weights that belong to the path that q and p share, too."""
    chain = Chain(ladder, error=0.3)
    expected, _ = estimates(chain.vae, chain.x, objective, gradients.Pathwise(), 800, seed=1)
    found, _ = estimates(chain.vae, chain.x, objective, estimator, 800, seed=2)
    spread = np.sqrt((expected.var(axis=0, ddof=1) + found.var(axis=0, ddof=1)) / 800)
    assert (np.abs(expected.mean(axis=0) - found.mean(axis=0)) < 5 * spread + 1e-4).all()
    assert np.abs(expected.mean(axis=0)).max() > 10 * np.median(spread)


def test_layers_are_sampled_as_their_density_says():
    chain = Chain(ladder=True)
    z = chain.vae.sample_latent(N, seed=3)
    assert [part.shape for part in z] == [(N, 1), (N, 1)]
    joint = np.cov(np.concatenate(z, axis=1).T)
    exact = np.array([[1, chain.A], [chain.A, chain.A**2 + chain.S**2]])
    assert largest_difference(joint, exact) < 0.03
    assert scipy.stats.kstest(z[1][:, 0], scipy.stats.norm(0, exact[1, 1] ** 0.5).cdf).pvalue > 1e-3
    for ladder in (False, True):
        vae = Chain(ladder).vae
        params = vae.encoder_params(chain.x[:1], None, False)
        params = tf.nest.map_structure(lambda p: tf.tile(p, [N, 1]), params)
        ours = np.concatenate(vae.posterior.sample(params, stream()), axis=1)
        theirs = vae.encode(chain.x[:1]).sample(N, seed=[1, 2])
        theirs = np.concatenate([part[:, 0] for part in theirs], axis=1)
        assert largest_difference(ours.mean(0), theirs.mean(0)) < 0.03
        assert largest_difference(np.cov(ours.T), np.cov(theirs.T)) < 0.03


@pytest.mark.parametrize("ladder", [True, False])
def test_layers_of_posterior_and_prior_have_noise_of_their_own(ladder):
    """All means 0: what is correlated is the noise, under one seed."""
    vae = tfvae.hierarchical_vae((6,), (2, 2, 2), (4,), ladder=ladder, seed=0)
    for weight in (*vae.prior.weights, *vae.posterior.weights):
        weight.assign(tf.zeros_like(weight))
    sizes = vae.posterior.params_size(vae.latent_sizes)
    params = tf.nest.map_structure(lambda size: tf.zeros([N, size]), sizes)
    noise = random.Stream(random.seed_key(tf.constant(3)), tf.range(N))
    drawn = [*vae.posterior.sample(params, noise), *vae.prior.sample(noise)]
    found = np.corrcoef(np.concatenate([part.numpy() for part in drawn], axis=1).T)
    assert np.abs(found - np.eye(12)).max() < 6 / np.sqrt(N)


def test_the_stream_of_a_seed_ends_where_its_numbers_are_drawn_for_all_layers():
    vae = tfvae.hierarchical_vae((4,), (5, 3, 2), (4,))
    last = 2**32 // (5 + 3 + 2) - 1
    vae.sample_latent(1, seed=0, start=last)
    with pytest.raises(ValueError, match=matches(r"n\) \* 10 of")):
        vae.sample_latent(1, seed=0, start=last + 1)


def test_the_scales_of_a_bottom_up_summary_are_in_the_order_of_its_layers():
    """z_1 has the encoder's scale, and comes last; z_2 that of the network, and comes first."""
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    network.set_weights([np.zeros((1, 2)), np.array([0.0, 3.0])])
    posterior = posteriors.BottomUp([network])
    posterior.build([1, 1])
    found = posterior.encode_outputs(tf.constant([[0.5, -1.0]]))
    scales = [float(found[f"scale_{layer}"][0, 0]) for layer in (0, 1)]
    assert scales == pytest.approx(np.logaddexp(0.0, [3.0, -1.0]), rel=1e-5)
