"""Latents without a density, in a flow, and pieces that do not go together."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference, matches
from tests.posteriors.test_layers import normal_network
from tfvae import (
    flows,
    objectives,
    posteriors,
    priors,
    random,
    regularizers,
)


def test_an_autoencoder_learns_and_gets_a_prior_afterwards(digits, tmp_path):
    vae = tfvae.mlp_vae(
        digits.event_shape,
        8,
        (64,),
        posterior=posteriors.Deterministic(),
        likelihood=tfvae.likelihoods.Normal(0.2),
        objective=tfvae.ELBO(beta=0.0) + 0.01 * regularizers.LatentNorm(),
        seed=0,
    )
    vae.compile(keras.optimizers.Adam(3e-3), jit_compile=False)
    history = vae.fit(digits.x_train, batch_size=100, epochs=15, verbose=0).history
    assert set(history) == {"loss", "distortion"}
    assert history["distortion"][-1] < history["distortion"][0] - 20
    z = vae.encode(digits.x_train).mean().numpy()
    penalty = history["loss"][-1] - history["distortion"][-1]
    assert 0.5 * (z**2).sum(1).mean() * 0.01 == pytest.approx(penalty, rel=0.1)

    prior = priors.ExPostMixture(10).fit(vae, digits.x_train)
    better = vae.with_prior(prior)
    now, before = prior.distribution(), vae.prior.distribution()
    gain = tf.reduce_mean(now.log_prob(z)) - tf.reduce_mean(before.log_prob(z))
    assert float(gain) > 1
    found = better.sample_latent(5000, seed=1).numpy()
    assert largest_difference(found.mean(0), z.mean(0)) < 0.15 * z.std()
    assert largest_difference(np.cov(found.T), np.cov(z.T)) < 0.2 * z.var()
    better.compile()
    better.save(tmp_path / "rae.keras")
    loaded = tfvae.load_model(tmp_path / "rae.keras")
    assert largest_difference(loaded.sample(3, seed=1), better.sample(3, seed=1)) < 1e-6
    for question in (tfvae.evaluation.log_likelihood, tfvae.evaluation.evaluate):
        with pytest.raises(ValueError, match=matches("density", "Deterministic")):
            question(better, digits.x_test, 10)


def test_an_ex_post_mixture_has_the_density_that_scikit_learn_fitted(digits_vae, digits):
    from sklearn.mixture import GaussianMixture

    x = (digits.x_train[:400] > 0.5).astype(np.float32)
    prior = priors.ExPostMixture(3, seed=4).fit(digits_vae, x)
    z = digits_vae.encode(x).sample(seed=random.seed_for(tf.constant([4, 0]), "aggregate")).numpy()
    exact = GaussianMixture(3, random_state=4).fit(z).score_samples(z)
    assert largest_difference(prior.distribution().log_prob(z), exact) < 2e-3
    held_out = (digits.x_test > 0.5).astype(np.float32)
    log_likelihood = tfvae.evaluation.log_likelihood
    ours = log_likelihood(digits_vae.with_prior(prior), held_out, 200).mean()
    theirs = log_likelihood(digits_vae, held_out, 200).mean()
    assert np.isfinite(ours) and abs(ours - theirs) < 3


def test_an_ex_post_mixture_draws_each_of_many_examples_on_its_own():
    """q = N(+-100, I), by turns of 1,024 examples: the means of the two are independent."""
    count, size = 1024, 2
    encoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2 * size)])
    kernel, bias = [100.0] * size + [0.0] * size, [0.0] * size + [np.log(np.e - 1)] * size
    encoder.set_weights([np.array([kernel]), np.array(bias)])
    decoder = keras.Sequential([keras.Input((size,)), keras.layers.Dense(1)])
    vae = tfvae.VAE(encoder, decoder, likelihood=tfvae.likelihoods.Normal(), seed=0)
    x = np.repeat([[-1.0], [1.0]], count, axis=0).astype(np.float32)

    found = np.sort(priors.ExPostMixture(2).fit(vae, x).loc.numpy(), axis=0)
    difference = found[1] - found[0] - 200.0
    stderr = np.sqrt(2 / count)
    assert 0.01 * stderr < np.abs(difference).max() < 4 * stderr


@pytest.mark.parametrize(
    "objective",
    [
        tfvae.ELBO(),
        tfvae.IWAE(3),
        tfvae.ELBO(beta=0.0) + regularizers.TotalCorrelation(),
        objectives.CIWAE(3),
    ],
)
def test_objectives_that_need_a_density_are_refused_without_one(objective):
    with pytest.raises(ValueError, match=matches("density", "Deterministic")):
        tfvae.mlp_vae((4, 4, 1), 2, (4,), posterior=posteriors.Deterministic(), objective=objective)


def test_penalties_of_the_networks_are_in_the_loss():
    penalized = keras.layers.Dense(4, kernel_regularizer=keras.regularizers.L2(0.5))
    encoder = keras.Sequential([keras.Input((6,)), penalized])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(6)])
    vae = tfvae.VAE(encoder, decoder, likelihood=tfvae.likelihoods.Normal(), seed=0)
    for weight in decoder.weights:
        weight.assign(0 * weight)
    before = encoder.weights[0].numpy()
    vae.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    # No gradient reaches the kernel but the penalty's.
    vae.fit(np.zeros((4, 6), np.float32), verbose=0)
    assert largest_difference(encoder.weights[0], before * (1 - 0.1 * 2 * 0.5)) < 1e-6


def vae_of(latent_dim=2, **pieces):
    return tfvae.mlp_vae((4,), latent_dim, (4,), **pieces)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: tfvae.hierarchical_vae((4,), (3,)), ["two layers"]),
        (lambda: priors.Hierarchy([]), ["networks"]),
        (
            lambda: priors.Hierarchy([normal_network(1, 1, [[1.0]], 1.0)], top=priors.VampPrior(3)),
            ["VampPrior"],
        ),
        (
            lambda: vae_of(3, posterior=posteriors.VonMisesFisher()),
            ["unit vectors", "StandardNormal"],
        ),
        (lambda: vae_of(3, prior=priors.Categorical()), ["one-hot", "DiagonalNormal"]),
        (
            lambda: vae_of(1, posterior=posteriors.VonMisesFisher(), prior=priors.UniformSphere()),
            ["2"],
        ),
        (
            lambda: vae_of(7, posterior=posteriors.Categorical(3), prior=priors.Categorical(3)),
            ["divides"],
        ),
        (lambda: posteriors.RelaxedCategorical(3, 0.0), ["temperature"]),
        (lambda: priors.RelaxedCategorical(3, -1.0), ["temperature"]),
        (lambda: priors.ExPostMixture(0), ["num_components"]),
        (
            lambda: vae_of(
                posterior=posteriors.Deterministic(),
                prior=priors.VampPrior(3),
                objective=tfvae.ELBO(beta=0.0),
            ),
            ["VampPrior"],
        ),
    ],
)
def test_pieces_that_make_no_sense_together_are_refused(make, words):
    with pytest.raises(ValueError, match=matches(*words)):
        make()


def test_a_flow_is_told_the_context_of_each_example_when_it_is_sampled():
    """Two examples that differ in their context alone, under the same noise."""
    posterior = posteriors.Flow(flows.InverseAutoregressive(), context_size=4)
    posterior.build_once(3)
    rng = np.random.default_rng(0)
    for weight in posterior.weights:
        weight.assign(rng.normal(size=weight.shape) * 0.5)
    size = posterior.params_size(3)
    params = np.zeros((2, size), np.float32)
    params[1, -4:] = [2.0, -2.0, 1.0, 3.0]
    noise = random.Stream(random.seed_key(tf.constant(3)), tf.zeros([2], tf.int32))
    drawn = posterior.sample(tf.constant(params), noise).numpy()
    assert np.abs(drawn[0] - drawn[1]).max() > 1e-2
