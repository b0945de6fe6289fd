"""Each estimator's expected gradient on the linear-Gaussian model, against exact ones if known."""

import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.models.test_linear_gaussian import LinearGaussian, _exact_negative_elbo
from tests.support.nightly import nightly
from tfvae import gradients, objectives
from tfvae.models import forward_pass


@pytest.fixture(scope="module")
def wrong():
    return LinearGaussian(shift=0.3, stretch=1.3)


def estimates(vae, x, objective, estimator, repeats, seed=0):
    """Gradients by every weight, `[repeats, P]`, and how many of the P are the encoder's.

    The encoder's come first.
    """
    pairs = zip(vae.loop_hooks.belong_to_encoder(), vae.trainable_variables)
    encoders_first = sorted(pairs, key=lambda pair: not pair[0])
    of_encoder = [mine for mine, _ in encoders_first]
    variables = [v.value for _, v in encoders_first]
    samples = objective.num_samples

    @tf.function(autograph=False)
    def one(pair):
        with tf.GradientTape(persistent=True) as tape:
            terms = forward_pass.batch_terms(vae, x, None, samples, pair, True, estimator)
            means = [tf.reduce_mean(loss) for loss in estimator.losses(objective, terms, 0)]
        found = estimator.gradients(tape, means, terms, variables, of_encoder)
        return tf.concat([tf.reshape(g, [-1]) for g in found], 0)

    found = np.stack([one(tf.constant([seed, i])) for i in range(repeats)])
    return found, sum(int(tf.size(v)) for v, mine in zip(variables, of_encoder) if mine)


def exact_gradient(vae, x):
    variables = [v.value for v in vae.trainable_variables]
    with tf.GradientTape() as tape:
        loss = _exact_negative_elbo(vae, x)
    return np.concatenate([np.ravel(g) for g in tape.gradient(loss, variables)])


def within(found, expected, errors=5.0, floor=1e-5):
    """Whether the mean of the estimates is the expected gradient, within standard errors."""
    stderr = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    return (np.abs(found.mean(axis=0) - expected) < errors * stderr + floor).all()


@pytest.mark.parametrize(
    ("estimator", "objective", "repeats"),
    [
        (gradients.Pathwise(), tfvae.ELBO(200), 100),
        (gradients.StickingTheLanding(), tfvae.ELBO(200), 100),
        (gradients.ScoreFunction(), tfvae.ELBO(20), 400),
        nightly(gradients.ScoreFunction(), tfvae.ELBO(20, analytic_rate=False), 400),
    ],
)
def test_the_elbo_gradient_is_that_of_the_exact_bound(wrong, estimator, objective, repeats):
    """For the weights of encoder and decoder apart, within 5 standard errors.

    The standard errors are small beside the gradient.
    """
    exact = exact_gradient(wrong.vae, tf.constant(wrong.x))
    found, encoder = estimates(wrong.vae, wrong.x, objective, estimator, repeats)
    stderr = found.std(axis=0, ddof=1) / np.sqrt(repeats)
    for part in (slice(None, encoder), slice(encoder, None)):
        assert within(found[:, part], exact[part])
        assert np.abs(exact[part]).max() > 10 * stderr[part].max()


@pytest.mark.parametrize(
    "estimator",
    [
        gradients.DoublyReparameterized(),
        nightly(gradients.ScoreFunction()),
    ],
)
def test_the_iwae_gradient_is_that_of_the_pathwise_estimator(wrong, estimator):
    """Encoder and decoder apart: the decoder's has the IWAE weights, squared ones would bias it."""
    objective = tfvae.IWAE(8)
    expected, encoder = estimates(wrong.vae, wrong.x, objective, gradients.Pathwise(), 1500, seed=1)
    found, _ = estimates(wrong.vae, wrong.x, objective, estimator, 1500, seed=2)
    spread = np.sqrt((expected.var(axis=0, ddof=1) + found.var(axis=0, ddof=1)) / 1500)
    difference = np.abs(expected.mean(axis=0) - found.mean(axis=0))
    assert (difference < 5 * spread + 1e-5).all()
    for part in (slice(None, encoder), slice(encoder, None)):
        assert np.abs(expected.mean(axis=0)[part]).max() > 10 * spread[part].max()


def test_doubly_reparameterized_leaves_the_decoder_the_iwae_gradient_sample_by_sample(wrong):
    objective = tfvae.IWAE(8)
    pathwise, encoder = estimates(wrong.vae, wrong.x, objective, gradients.Pathwise(), 3)
    doubly, _ = estimates(wrong.vae, wrong.x, objective, gradients.DoublyReparameterized(), 3)
    assert np.abs(pathwise[:, encoder:] - doubly[:, encoder:]).max() < 1e-4
    assert np.abs(pathwise[:, :encoder] - doubly[:, :encoder]).max() > 1e-2


def test_sticking_the_landing_has_no_noise_at_the_exact_posterior():
    exact = LinearGaussian()
    given = exact.vae, exact.x, tfvae.ELBO(1)
    sticking, encoder = estimates(*given, gradients.StickingTheLanding(), 5)
    pathwise, _ = estimates(*given, gradients.Pathwise(), 5)
    assert np.abs(sticking[:, :encoder]).max() < 1e-4
    assert np.abs(pathwise[:, :encoder]).max() > 1e-2


@pytest.mark.nightly
def test_more_samples_raise_the_signal_to_noise_of_dreg_and_lower_that_of_iwae(wrong):
    """Rainforth et al. 2018, section 3: the encoder's ratio falls as 1 / sqrt(K); DReG's grows."""

    def ratio(estimator, k):
        found, encoder = estimates(wrong.vae, wrong.x[:4], tfvae.IWAE(k), estimator, 400)
        found = found[:, :encoder]
        return np.median(np.abs(found.mean(axis=0)) / found.std(axis=0))

    doubly = {k: ratio(gradients.DoublyReparameterized(), k) for k in (2, 128)}
    pathwise = {k: ratio(gradients.Pathwise(), k) for k in (2, 128)}
    assert doubly[128] > 1.5 * doubly[2]
    assert pathwise[128] < 0.7 * pathwise[2]


def test_piwae_trains_the_decoder_by_iwae_and_the_encoder_by_miwae(wrong):
    def of(objective):
        return estimates(wrong.vae, wrong.x, objective, gradients.Pathwise(), 2)

    piwae, encoder = of(objectives.PIWAE(3, 4))
    miwae, _ = of(objectives.MIWAE(3, 4))
    iwae, _ = of(tfvae.IWAE(12))
    assert np.abs(piwae[:, :encoder] - miwae[:, :encoder]).max() < 1e-5
    assert np.abs(piwae[:, encoder:] - iwae[:, encoder:]).max() < 1e-5
    assert np.abs(miwae - iwae).max() > 1e-3
