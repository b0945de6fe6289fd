"""Networks within posteriors and priors run as Keras' layers do, in training and in evaluation."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference
from tests.support import scales
from tests.support.nightly import nightly
from tfvae import gradients, likelihoods, objectives, posteriors, priors
from tfvae.models import forward_pass

NARROW = -6.0  # softplus of it is a deviation of 0.0025
DEVIATION = scales.exact_scale_of(NARROW)
OF_LAYERS = scales.exact_scale_of(NARROW, scales.LEAST_OF_LAYER)  # of one given another
SEED = tf.constant([1, 2])


def affine(inputs, outputs, raw_scale=NARROW, before=()):
    """Loc is the input's numbers one after another, over and over, the scale a constant."""
    kernel = np.zeros((inputs, 2 * outputs), np.float32)
    kernel[np.arange(outputs) % inputs, np.arange(outputs)] = 1.0
    bias = np.array([0.0] * outputs + [raw_scale] * outputs, np.float32)
    network = keras.Sequential([keras.Input((inputs,)), *before, keras.layers.Dense(2 * outputs)])
    network.layers[-1].set_weights([kernel, bias])
    return network


def bottom_up(upwards=(), downwards=(), **kwargs):
    """x `[B, 2]` -> z_1 = x -> z_2, which is z_1 by a network with layers `upwards` in it."""
    pieces = {"posterior": posteriors.BottomUp([affine(2, 2, before=upwards)])}
    return model(affine(2, 2), downwards, **pieces, **kwargs)


def ladder(downwards=(), **kwargs):
    """x `[B, 2]` -> z_2 = x -> z_1.

    x says almost nothing of z_1: the prior's network decides.
    """
    x = keras.Input((2,))
    encoder = keras.Model(x, [affine(2, 2)(x), affine(2, 2, raw_scale=50.0)(x)])
    return model(encoder, downwards, posterior=posteriors.Ladder(), **kwargs)


def model(encoder, downwards, **kwargs):
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    prior = priors.Hierarchy([affine(2, 2, before=downwards)])
    pieces = {"prior": prior, "likelihood": likelihoods.Normal()}
    return tfvae.VAE(encoder, decoder, **pieces, seed=1, **kwargs)


def dropout():
    return [keras.layers.Dropout(0.5, seed=3)]


def terms_of(vae, x, training, samples=2):
    x = tf.constant(x)
    return forward_pass.batch_terms(vae, x, None, samples, SEED, training, vae.estimator)


@pytest.fixture
def ones():
    return np.ones((50, 2), np.float32)


def assert_dropped(z, training):
    """Of ones: each is 1 in evaluation, in training 0 or 2, about as often."""
    z = z.numpy()
    if not training:
        assert np.abs(z - 1.0).max() < 0.1
        return
    assert np.minimum(np.abs(z), np.abs(z - 2.0)).max() < 0.1
    assert abs(z.mean() - 1.0) < 4 / np.sqrt(z.size)


ESTIMATORS = {
    "pathwise": (gradients.Pathwise, lambda: objectives.ELBO(2)),
    "sticking": (gradients.StickingTheLanding, lambda: objectives.ELBO(2)),
    "score": (gradients.ScoreFunction, lambda: objectives.IWAE(2)),
}


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("training", [True, False])
def test_dropout_acts_in_a_posterior_and_its_density_is_that_of_the_same_draw(
    training, estimator, ones
):
    make, objective = ESTIMATORS[estimator]
    vae = bottom_up(upwards=dropout(), estimator=make(), objective=objective())
    terms = terms_of(vae, ones, training)
    z_2, z_1 = terms.z
    assert_dropped(z_2, training)
    at_their_means = 4 * scipy.stats.norm(0, DEVIATION).logpdf(0.0)  # two layers of two numbers
    # Another mask would be hundreds of deviations away.
    assert (at_their_means - 30 < terms.log_posterior.numpy()).all()
    assert (terms.log_posterior.numpy() < at_their_means + 1e-3).all()


@pytest.mark.parametrize("training", [True, False])
def test_dropout_acts_in_a_prior(training, ones):
    terms = terms_of(bottom_up(downwards=dropout()), ones, training)
    z_2, z_1 = (part.numpy().astype(np.float64) for part in terms.z)
    above = scipy.stats.norm(0, 1).logpdf(z_2).sum(-1)
    below = terms.log_prior.numpy() - above
    factors = np.array([[a, b] for a in (0, 2) for b in (0, 2)]) if training else np.ones((1, 2))
    possible = np.array([scipy.stats.norm(f * z_2, OF_LAYERS).logpdf(z_1).sum(-1) for f in factors])
    chosen = np.abs(possible - below).argmin(axis=0)
    assert np.abs(possible - below).min(axis=0).max() < 1e-3 * np.abs(below).max()
    assert len(np.unique(chosen)) == len(factors)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_acts_in_a_ladder_through_the_path_of_the_prior(training, ones):
    vae = ladder(downwards=dropout())
    z_1 = terms_of(vae, ones, training).z[1]
    assert_dropped(z_1, training)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_acts_in_a_decoder(training, ones):
    """Its outputs are 1, as x is; in training 0 or 2, which are both 1 away."""
    layer = keras.layers.Dense(2, kernel_initializer="zeros", bias_initializer="ones")
    decoder = keras.Sequential([keras.Input((2,)), layer, *dropout()])
    vae = tfvae.VAE(affine(2, 2), decoder, likelihood=likelihoods.Normal(1.0), seed=1)
    found = terms_of(vae, ones, training).log_likelihood
    expected = 2 * scipy.stats.norm.logpdf(1.0 if training else 0.0)
    assert largest_difference(found, np.full(found.shape, expected)) < 1e-5


PASSES = {  # how often the network runs on the batch in a step
    "posterior": (lambda layers, **kwargs: bottom_up(upwards=layers, **kwargs), 1),
    "prior": (lambda layers, **kwargs: bottom_up(downwards=layers, **kwargs), 1),
    "ladder": (lambda layers, **kwargs: ladder(downwards=layers, **kwargs), 2),  # in q and in p
}


@pytest.mark.parametrize(
    ("where", "estimator"),
    [
        ("posterior", "pathwise"),
        ("prior", "pathwise"),
        nightly("ladder", "sticking"),
        nightly("posterior", "sticking"),
        nightly("prior", "sticking"),
        nightly("ladder", "pathwise"),
    ],
)
def test_moving_statistics_move_in_training_by_the_batch_and_not_in_evaluation(where, estimator):
    """The input of the network is x, but for a narrow noise."""
    make, passes = PASSES[where]
    layer = keras.layers.BatchNormalization(momentum=0.5)
    estimate, objective = ESTIMATORS[estimator]
    vae = make([layer], estimator=estimate(), objective=objective())
    x = np.random.default_rng(0).normal(3.0, 2.0, (40, 2)).astype(np.float32)
    # Both ways of running; the second takes seconds to trace.
    eagerly = estimator == "pathwise"
    vae.compile(keras.optimizers.SGD(0.0), run_eagerly=eagerly, jit_compile=False)
    vae.evaluate(x, verbose=0)
    assert largest_difference(layer.moving_mean, np.zeros(2)) == 0
    vae.fit(x, batch_size=40, verbose=0)
    share = 1 - 0.5**passes
    assert largest_difference(layer.moving_mean, share * x.mean(axis=0)) < 0.01
    assert largest_difference(layer.moving_variance, (1 - share) + share * x.var(axis=0)) < 0.05
    moved = layer.moving_mean.numpy()
    vae.evaluate(x, verbose=0)
    vae.log_weights(x, 2)
    vae.sample(3)
    assert np.array_equal(layer.moving_mean, moved)
