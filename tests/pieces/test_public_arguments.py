"""Each public argument of classes and mixtures, at other values than its default and its edges.

A test names with `covers` the arguments whose effect it asserts, by a formula; those of the other
pieces and of the builders are in files beside this. The first test finds an argument without one.
"""

import importlib
import inspect
import itertools

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference, matches
from tests.support.arguments import COVERED, covers
from tfvae import flows, gradients, likelihoods, objectives, posteriors, priors, regularizers

MODULES = (flows, gradients, likelihoods, objectives, posteriors, priors, regularizers)
BUILDERS = (
    tfvae.mlp_vae,
    tfvae.conv_vae,
    tfvae.conv1d_vae,
    tfvae.table_vae,
    tfvae.hierarchical_vae,
)
BASES = {objectives.Objective, regularizers.Regularizer}  # whose arguments are their subclasses'
OTHER_FILES = (
    "flows.test_arguments_of_flows",
    "likelihoods.test_arguments_of_likelihoods",
    "likelihoods.test_columns",
    "models.test_arguments_of_builders",
    "objectives.test_arguments_of_objectives",
    "priors.test_conditional",
)


def public_arguments():
    """`(class or function, argument)` of all that a user constructs models of."""
    makers = list(BUILDERS)
    for module in MODULES:
        found = inspect.getmembers(module, inspect.isclass)
        makers += [c for name, c in found if c.__module__.startswith(module.__name__)]
    for maker in set(makers) - BASES:
        if maker.__name__.startswith("_"):
            continue
        signature = inspect.signature(maker.__init__ if inspect.isclass(maker) else maker)
        for name, parameter in signature.parameters.items():
            kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
            if name != "self" and parameter.kind not in kinds:
                yield maker, name


def test_every_public_argument_has_a_test_of_its_effect():
    for name in OTHER_FILES:
        importlib.import_module(f"tests.{name}")
    assert set(public_arguments()) - COVERED == set()
    assert len(COVERED) > 70


def built(piece, *shape):
    piece.build(*shape)
    return piece


# ---- classes


def log_concrete(x, logits, temperature):
    """Maddison et al. 2017, equation 10, of groups `[..., G, C]` that are summed."""
    count = logits.shape[-1]
    total = scipy.special.logsumexp(logits - temperature * np.log(x), axis=-1, keepdims=True)
    each = logits - (temperature + 1) * np.log(x)
    found = scipy.special.gammaln(count) + (count - 1) * np.log(temperature)
    return (found + (each - total).sum(-1, keepdims=True)).sum(axis=(-2, -1))


LOGITS = np.array([0.5, -1.0, 0.2, 1.5, 0.0, -0.7])


@covers(posteriors.Categorical, "num_classes")
@covers(priors.Categorical, "num_classes", "learn_weights")
@pytest.mark.parametrize(("num_classes", "groups"), [(None, 1), (6, 1), (3, 2), (2, 3)])
def test_classes_come_in_groups_of_their_number(num_classes, groups):
    posterior = built(posteriors.Categorical(num_classes), 6)
    logits = LOGITS.reshape(groups, -1)
    values = np.eye(6 // groups)[list(itertools.product(range(6 // groups), repeat=groups))]
    expected = (values * scipy.special.log_softmax(logits, axis=-1)).sum(axis=(1, 2))
    values = values.reshape(len(values), 6).astype(np.float32)
    assert np.array_equal(posterior.enumerate_support(6), values)
    found = posterior.distribution(tf.constant(LOGITS, tf.float32)).log_prob(values)
    assert largest_difference(found, expected) < 1e-5

    for learn_weights in (False, True):
        prior = built(priors.Categorical(num_classes, learn_weights=learn_weights), 6)
        found = prior.distribution().log_prob(values)
        assert largest_difference(found, -groups * np.log(6 / groups)) < 1e-5
        assert [w.shape for w in prior.trainable_weights] == [(6,)] * learn_weights
        prior.logits.assign(LOGITS)
        assert largest_difference(prior.distribution().log_prob(values), expected) < 1e-5


@covers(posteriors.RelaxedCategorical, "num_classes", "initial_temperature")
@covers(priors.RelaxedCategorical, "num_classes", "temperature", "learn_weights")
@pytest.mark.parametrize(("num_classes", "groups"), [(None, 1), (3, 2)])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_relaxed_classes_have_the_density_of_their_temperature(num_classes, groups, temperature):
    z = scipy.special.softmax(np.random.default_rng(0).normal(size=(5, groups, 6 // groups)), -1)
    expected = log_concrete(z, LOGITS.reshape(groups, -1), temperature)
    z = z.reshape(5, 6).astype(np.float32)
    posterior = built(posteriors.RelaxedCategorical(num_classes, temperature), 6)
    found = posterior.distribution(tf.constant(LOGITS, tf.float32)).log_prob(z)
    assert largest_difference(found, expected) < 1e-4
    for learn_weights in (False, True):
        weights = {"learn_weights": learn_weights}
        prior = built(priors.RelaxedCategorical(num_classes, temperature, **weights), 6)
        assert [w.shape for w in prior.trainable_weights] == [(6,)] * learn_weights
        prior.logits.assign(LOGITS)
        assert largest_difference(prior.distribution().log_prob(z), expected) < 1e-4


@covers(posteriors.Categorical, "num_classes")
@pytest.mark.parametrize("make", [posteriors.Categorical, priors.RelaxedCategorical])
@pytest.mark.parametrize("num_classes", [0, 1, 4, 7, 2.0])
def test_numbers_of_classes_that_do_not_divide_the_latent_are_refused(make, num_classes):
    with pytest.raises((ValueError, TypeError), match=matches("(divides|whole number from 2)")):
        make(num_classes).build(6)


@pytest.mark.parametrize("make", [posteriors.Categorical, priors.RelaxedCategorical])
def test_a_latent_of_one_number_is_no_class(make):
    with pytest.raises(ValueError, match=matches("from 2", "latent size 1")):
        make().build(1)


# ---- mixtures


@covers(priors.GaussianMixture, "num_components", "spread")
@pytest.mark.parametrize("num_components", [1, 4])
def test_a_mixture_has_its_components_and_starts_with_its_spread(num_components):
    narrow, wide = (built(priors.GaussianMixture(num_components, s), 2) for s in (0.5, 3.0))
    assert largest_difference(wide.loc, 6 * narrow.loc) < 1e-5
    many = built(priors.GaussianMixture(5000, spread=3.0), 2)
    assert many.loc.numpy().std() == pytest.approx(3.0, rel=0.03)
    z = np.random.default_rng(1).normal(size=(5, 2)).astype(np.float32)
    components = scipy.stats.norm(wide.loc.numpy(), 1.0).logpdf(z[:, None]).sum(-1)
    expected = scipy.special.logsumexp(components, axis=1) - np.log(num_components)
    assert largest_difference(wide.distribution().log_prob(z), expected) < 1e-3


def encoded(seed, count):
    """A model with a VampPrior that has seen `fit`, and the data.

    Dropout in its encoder is for x in training alone, and never for the pseudo-inputs.
    """
    x = np.random.default_rng(0).random((20, 4), np.float32)
    layers = keras.layers
    encoder = keras.Sequential([keras.Input((4,)), layers.Dropout(0.5), layers.Dense(4)])
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(4)])
    pieces = {"prior": priors.VampPrior(count, seed=seed), "likelihood": likelihoods.Normal()}
    vae = tfvae.VAE(encoder, decoder, **pieces, seed=0)
    vae.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    vae.fit(x, batch_size=20, verbose=0)
    return vae, x


@covers(priors.VampPrior, "num_components", "seed")
@pytest.mark.parametrize("count", [1, 20])
def test_a_vamp_prior_starts_as_so_many_examples_chosen_by_its_seed(count):
    chosen = []
    for seed in (0, 1, 1):
        vae, x = encoded(seed, count)
        u = vae.prior.pseudo_inputs.numpy()
        assert u.shape == (count, 4)
        chosen.append([int(np.flatnonzero((x == one).all(axis=1))[0]) for one in u])
        q = vae.encode(u)
        z = np.random.default_rng(1).normal(size=(5, 2)).astype(np.float32)
        expected = scipy.special.logsumexp(q.log_prob(z[:, None]), axis=1) - np.log(count)
        assert largest_difference(vae.prior.distribution().log_prob(z), expected) < 1e-4
    assert chosen[0] != chosen[1] == chosen[2]
    assert all(len(set(rows)) == count for rows in chosen)


@covers(priors.ExPostMixture, "num_components", "seed")
@pytest.mark.parametrize("num_components", [1, 3])
def test_an_ex_post_mixture_is_that_of_scikit_learn_with_its_number_and_seed(num_components):
    from sklearn.mixture import GaussianMixture

    rng = np.random.default_rng(3)
    x = (rng.normal(size=(60, 4)) + 4 * rng.integers(0, 3, (60, 1))).astype(np.float32)
    posterior, objective = posteriors.Deterministic(), tfvae.ELBO(beta=0.0)
    pieces = {"posterior": posterior, "objective": objective, "likelihood": likelihoods.Normal()}
    vae = tfvae.mlp_vae((4,), 2, (3,), **pieces, seed=0)
    for seed in (0, 5):
        prior = priors.ExPostMixture(num_components, seed).fit(vae, x)
        exact = GaussianMixture(num_components, random_state=seed).fit(vae.encode(x).mean())
        assert largest_difference(prior.probabilities, exact.weights_) < 1e-5
        assert largest_difference(prior.loc, exact.means_) < 1e-4
        tril = prior.scale_tril.numpy()
        assert largest_difference(tril @ tril.transpose(0, 2, 1), exact.covariances_) < 1e-3
    # And of the latents, where q has a spread.
    vae = tfvae.mlp_vae((4,), 2, (3,), likelihood=likelihoods.Normal(), seed=0)
    means = [priors.ExPostMixture(1, seed).fit(vae, x).loc.numpy() for seed in (0, 0, 1)]
    assert np.array_equal(means[0], means[1])
    assert largest_difference(means[0], means[2]) > 1e-3
