"""Relaxed classes at low temperature, where most of z is 0 in float32, against float64."""

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf

import tfvae
from tfvae import gradients, posteriors, priors, random
from tfvae.models import forward_pass

C = 3
LOGITS = np.array([10.0, 0.0, -10.0])
OURS, THEIRS = 0.1, 0.5
DRAWS = 4000


def density(log_z, logits, temperature):
    """log p(z) in nats, Maddison et al. 2017, equation 10, from log z in float64."""
    powers = logits - temperature * log_z
    classes = logits.shape[-1]
    constant = scipy.special.gammaln(classes) + (classes - 1) * np.log(temperature)
    summed = powers.sum(-1) - classes * scipy.special.logsumexp(powers, axis=-1)
    return constant + summed - log_z.sum(-1)


def rate(logits, gumbel):
    raw = (logits + gumbel) / OURS
    log_z = raw - scipy.special.logsumexp(raw, axis=-1, keepdims=True)
    return (density(log_z, logits, OURS) - density(log_z, np.zeros(C), THEIRS)).mean()


@pytest.fixture(scope="module")
def expected():
    """The rate, and its gradient by the logits by central differences with the same noise."""
    gumbel = np.random.default_rng(0).gumbel(size=(200_000, C))
    moved = [
        (rate(LOGITS + 1e-4 * e, gumbel) - rate(LOGITS - 1e-4 * e, gumbel)) / 2e-4
        for e in np.eye(C)
    ]
    return rate(LOGITS, gumbel), np.array(moved)


@pytest.fixture(scope="module")
def vae():
    found = tfvae.mlp_vae(
        (4,), C, (4,), posterior=posteriors.RelaxedCategorical(initial_temperature=OURS),
        prior=priors.RelaxedCategorical(temperature=THEIRS),
    )  # fmt: skip
    assert found.latent_sizes == C
    return found


def terms_and_gradient(vae, estimator, seed=(1, 2)):
    params = tf.constant(LOGITS[None], tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(params)
        terms = forward_pass.terms_from_params(
            vae, params, tf.zeros([1, 4]), None, DRAWS, tf.constant(seed), True, estimator
        )
        rate = tf.reduce_mean(terms.log_ratio)
    return terms, tape.gradient(rate, params)[0].numpy()


@pytest.mark.parametrize("estimator", [gradients.Pathwise(), gradients.StickingTheLanding()])
def test_rate_and_gradient_are_those_of_float64(vae, expected, estimator):
    terms, gradient = terms_and_gradient(vae, estimator)
    assert (terms.z.numpy() == 0).mean() > 0.3  # or the test says nothing
    assert terms.log_ratio.numpy().mean() == pytest.approx(expected[0], rel=0.01)
    assert gradient == pytest.approx(expected[1], abs=0.15)


def test_the_density_for_the_score_function_is_that_of_float64(vae):
    terms, _ = terms_and_gradient(vae, gradients.ScoreFunction())
    log_z = terms.log_z.numpy().astype(np.float64)
    assert terms.log_posterior.numpy() == pytest.approx(density(log_z, LOGITS, OURS), rel=1e-4)
    assert terms.log_prior.numpy() == pytest.approx(density(log_z, np.zeros(C), THEIRS), rel=1e-4)


def test_evaluation_takes_the_rate_by_log_z(vae, expected):
    *hidden, kernel, _ = vae.encoder.get_weights()
    vae.encoder.set_weights([*hidden, 0 * kernel, LOGITS])
    x = np.zeros((1, 4), np.float32)
    found = tfvae.evaluation.estimate(vae, x, DRAWS).rate[0]
    assert found == pytest.approx(expected[0], rel=0.01)


def test_doubly_reparameterized_gradients_equal_the_pathwise_ones_on_average(vae):
    """Both are unbiased for IWAE, so their means over many steps agree."""
    del vae
    means = []
    for estimator in (gradients.Pathwise(), gradients.DoublyReparameterized()):
        model = tfvae.mlp_vae(
            (4,), C, (4,), seed=0, objective=tfvae.IWAE(2), estimator=estimator,
            posterior=posteriors.RelaxedCategorical(initial_temperature=0.2),
            prior=priors.RelaxedCategorical(temperature=THEIRS),
        )  # fmt: skip
        model.compile(keras.optimizers.SGD(1e-4), run_eagerly=False, jit_compile=False)
        *hidden, kernel, _ = model.encoder.get_weights()
        start = [*hidden, 0 * kernel, 0.3 * LOGITS]
        model.encoder.set_weights(start)
        model.fit(np.ones((4000, 4), np.float32), batch_size=4000, epochs=4, verbose=0)
        means.append((model.encoder.get_weights()[-1] - start[-1]) / 4e-4)

    assert means[1] == pytest.approx(means[0], abs=0.3)
    assert np.abs(means[0]).max() > 1.0


def test_a_temperature_that_is_assigned_is_that_of_density_and_draws():
    """As a posterior has them whose first temperature it is."""
    annealed, expected = (posteriors.RelaxedCategorical(initial_temperature=t) for t in (2.0, OURS))
    for posterior in (annealed, expected):
        posterior.build(C)
    annealed.temperature.assign(OURS)
    params = tf.constant(np.tile(LOGITS, (5, 1)), tf.float32)
    z = tf.constant(np.tile([0.7, 0.2, 0.1], (5, 1)), tf.float32)
    found, right = (p.distribution(params).log_prob(z).numpy() for p in (annealed, expected))
    assert found == pytest.approx(right, rel=1e-6)
    noise = random.Stream(random.seed_key(tf.constant(3)), tf.range(5))
    found, right = (p.sample(params, noise).numpy() for p in (annealed, expected))
    assert np.array_equal(found, right)
