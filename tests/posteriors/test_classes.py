"""Latents in classes, and their relaxation, against enumeration and closed forms."""

import keras
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference, matches
from tests.gradients.test_gradients import estimates, within
from tests.support import zoo
from tests.support.noise import N, stream
from tfvae import (
    evaluation,
    gradients,
    posteriors,
    priors,
)
from tfvae.models import defaults


@pytest.fixture(scope="module")
def classes():
    """Two groups of three classes, away from where they start."""
    vae = tfvae.mlp_vae(
        (4, 4, 1),
        6,
        (5,),
        posterior=posteriors.Categorical(3),
        prior=priors.Categorical(3, learn_weights=True),
        seed=0,
    )
    rng = np.random.default_rng(2)
    for weight in vae.trainable_weights:
        weight.assign(0.5 * weight + rng.normal(0, 0.15, weight.shape).astype(np.float32))
    return vae


def test_classes_sum_to_one_and_draw_as_often_as_they_should(classes):
    values = classes.posterior.enumerate_support(6)
    assert values.shape == (9, 6) and len(np.unique(values, axis=0)) == 9
    q = classes.encode(zoo.binary(4))
    assert largest_difference(tf.reduce_sum(q.prob(values[:, None]), axis=0), tf.ones(4)) < 1e-5
    p = classes.prior.distribution()
    params = tf.tile(classes.encoder_params(zoo.binary(1), None, False), [N, 1])
    for draws, probabilities in (
        (classes.prior.sample(stream()), p.prob(values)),
        (classes.posterior.sample(params, stream()), q.prob(values[:, None])[:, 0]),
    ):
        found = (draws.numpy()[:, None] == values[None]).all(-1).sum(0)
        probabilities = probabilities.numpy().astype(np.float64)
        assert scipy.stats.chisquare(found, N * probabilities / probabilities.sum()).pvalue > 1e-3
    log_ratio = q.log_prob(values[:, None]) - p.log_prob(values)[:, None]
    exact = tf.reduce_sum(q.prob(values[:, None]) * log_ratio, axis=0)
    assert largest_difference(q.kl_divergence(p), exact) < 1e-5


def exact_terms(vae, x):
    """By enumeration with the model's public parts: the ELBO and log p(x), `[B]`."""
    values = vae.posterior.enumerate_support(6)[:, None]
    q = vae.encode(x)
    log_likelihood = vae.decode(np.tile(values, (1, len(x), 1))).log_prob(x)
    log_joint = log_likelihood + vae.prior.distribution().log_prob(values)
    log_q = q.log_prob(values)
    elbo = tf.reduce_sum(tf.exp(log_q) * (log_joint - log_q), axis=0)
    return elbo, tf.reduce_logsumexp(log_joint, axis=0)


def test_enumeration_is_the_bound_and_importance_sampling_the_likelihood(classes):
    x = zoo.binary(6)
    elbo, log_likelihood = exact_terms(classes, x)
    assert isinstance(classes.estimator, gradients.Enumeration)
    classes.compile(run_eagerly=True)
    found = classes.evaluate(x, verbose=0, return_dict=True)
    assert found["elbo"] == pytest.approx(float(tf.reduce_mean(elbo)), abs=1e-4)
    assert found["loss"] == pytest.approx(-found["elbo"], abs=1e-4)
    sampled = tfvae.evaluation.log_likelihood(classes, x, 8)  # of 9 values
    assert largest_difference(sampled, log_likelihood) < 1.0
    assert (log_likelihood > elbo).numpy().all()


@pytest.mark.parametrize("numbers", [2**20, 80])
def test_the_likelihood_of_few_classes_is_counted_if_that_costs_no_more_than_samples(
    classes, monkeypatch, numbers
):
    """The sum over all nine values, at once or in chunks of 5, whatever the seed."""
    monkeypatch.setattr(evaluation, "_AT_ONCE", {"CPU": numbers, "GPU": numbers})
    x = zoo.binary(6)
    elbo, log_likelihood = exact_terms(classes, x)
    for num_samples in (9, 5000):
        found = [evaluation.estimate(classes, x, num_samples, seed) for seed in (0, 1)]
        assert all(np.array_equal(a, b) for a, b in zip(*found))
        assert largest_difference(found[0].log_likelihood, log_likelihood) < 1e-5
        assert largest_difference(found[0].elbo, elbo) < 1e-5
        assert largest_difference(found[0].gap, log_likelihood - elbo) < 1e-5
        assert found[0].distortion == pytest.approx(-(found[0].elbo + found[0].rate), abs=1e-9)
    report = evaluation.evaluate(classes, x, 5000)
    assert (report.exact, report.num_samples) == (True, 9)
    few = evaluation.evaluate(classes, x, 8)
    assert (few.exact, few.num_samples) == (False, 8)
    several = [evaluation.log_likelihood(classes, x, 8, seed) for seed in (0, 1)]
    assert not np.array_equal(*several)


def test_the_score_function_expects_the_gradient_of_the_enumeration(classes):
    x = tf.constant(zoo.binary(6))
    exact, encoder = estimates(classes, x, tfvae.ELBO(), gradients.Enumeration(), 1)
    found, _ = estimates(classes, x, tfvae.ELBO(10), gradients.ScoreFunction(), 400)
    for part in (slice(None, encoder), slice(encoder, None)):
        assert within(found[:, part], exact[0, part])
        stderr = found[:, part].std(axis=0) / 20
        assert np.abs(exact[0, part]).max() > 10 * stderr.max()
    variables = [v.value for v in classes.trainable_variables]
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(exact_terms(classes, x)[0])
    by_hand = np.concatenate([np.ravel(g) for g in tape.gradient(loss, variables)])
    assert largest_difference(exact[0], by_hand) < 1e-4


def test_the_estimator_of_classes_is_chosen_by_how_many_values_there_are():
    few = {"posterior": posteriors.Categorical(), "prior": priors.Categorical()}
    vae = tfvae.mlp_vae((4, 4, 1), 3, (4,), **few)
    assert isinstance(vae.estimator, gradients.Enumeration)
    many = {"posterior": posteriors.Categorical(10), "prior": priors.Categorical(10)}
    vae = tfvae.mlp_vae((4, 4, 1), 200, (4,), objective=tfvae.ELBO(4), **many)
    assert isinstance(vae.estimator, gradients.ScoreFunction)
    for size, expected in ((64, gradients.Enumeration), (65, gradients.ScoreFunction)):
        posterior = posteriors.Categorical()
        posterior.build(size)
        assert isinstance(defaults.estimator(posterior, size), expected)

    for estimator in (gradients.Enumeration(), gradients.Pathwise()):
        with pytest.raises(ValueError, match=matches("Categorical")):
            tfvae.mlp_vae((4, 4, 1), 200, (4,), **many, estimator=estimator)
    few = {"posterior": posteriors.Categorical(), "prior": priors.Categorical()}
    with pytest.raises(ValueError, match=matches("expectations", "IWAE")):
        tfvae.mlp_vae((4, 4, 1), 3, (4,), **few, objective=tfvae.IWAE(3))


@pytest.mark.parametrize("temperature", [0.4, 1.0])
def test_relaxed_classes_integrate_to_one_and_draw_from_their_density(temperature):
    prior = priors.RelaxedCategorical(2, temperature, learn_weights=True)
    prior.build(2)
    prior.logits.assign([0.7, -0.2])
    p = prior.distribution()
    edge = scipy.special.expit(np.linspace(-60, 60, 200_001))  # finer where the density is steep
    points = np.stack([edge, scipy.special.expit(np.linspace(60, -60, 200_001))], axis=-1)
    density = np.exp(p.log_prob(points.astype(np.float32)).numpy().astype(np.float64))
    below = scipy.integrate.cumulative_trapezoid(density, edge, initial=0)
    assert below[-1] == pytest.approx(1.0, abs=5e-3)
    draws = prior.sample(stream()).numpy()[:, 0]
    assert scipy.stats.kstest(draws, lambda z: np.interp(z, edge, below)).pvalue > 1e-3
    assert scipy.stats.ks_2samp(draws, p.sample(N, seed=[1, 2]).numpy()[:, 0]).pvalue > 1e-3
    # Maddison et al. 2017, proposition 1b.
    assert (draws > 0.5).mean() == pytest.approx(scipy.special.expit(0.9), abs=0.015)


def test_the_largest_of_relaxed_classes_comes_as_often_as_its_weight():
    """Proposition 1b of Maddison et al. 2017, for three classes: no symmetry hides a sign."""
    prior = priors.RelaxedCategorical(3, 0.5, learn_weights=True)
    prior.build(3)
    prior.logits.assign([1.5, 0.0, -1.0])
    found = np.bincount(prior.sample(stream()).numpy().argmax(1), minlength=3)
    expected = N * scipy.special.softmax(np.array([1.5, 0.0, -1.0]))
    assert scipy.stats.chisquare(found, expected).pvalue > 1e-3


def test_relaxed_classes_stay_finite_where_a_class_vanishes():
    vae = zoo.BUILDERS["relaxed-relaxed"]().vae
    params = tf.constant([[80.0, 0.0, -80.0]])
    with tf.GradientTape() as tape:
        tape.watch(params)
        q = vae.posterior.distribution(params)
        z, log_q = q.experimental_sample_and_log_prob(20, seed=[1, 2])
        loss = tf.reduce_sum(log_q - vae.prior.distribution().log_prob(tf.identity(z)))
    assert np.isfinite(loss) and np.isfinite(tape.gradient(loss, params)).all()


def test_the_temperature_anneals_by_a_callback_and_is_saved(tmp_path):
    vae, x, _ = zoo.BUILDERS["relaxed-relaxed"]()
    vae.compile(run_eagerly=True)

    def halve(epoch, logs):
        vae.posterior.temperature.assign(0.5**epoch)

    anneal = keras.callbacks.LambdaCallback(on_epoch_begin=halve)
    vae.fit(x, epochs=3, verbose=0, callbacks=[anneal])
    vae.save(tmp_path / "m.keras")
    assert float(tfvae.load_model(tmp_path / "m.keras").posterior.temperature) == 0.25


def test_the_location_of_classes_is_the_most_probable_one_of_each_group():
    posterior = posteriors.Categorical(3)
    posterior.build(6)
    logits = tf.constant([[0.1, 2.0, 1.9, -1.0, -3.0, -1.5]])
    assert posterior.point_estimate(logits).numpy().tolist() == [[0, 1, 0, 1, 0, 0]]
    assert posterior.encode_outputs(logits)["loc"].numpy().tolist() == [[0, 1, 0, 1, 0, 0]]
