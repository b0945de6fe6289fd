"""Each public argument of posteriors and priors, at other values than its default and its edges.

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
from tests.arguments import COVERED, covers
from tests.conftest import largest_difference, matches
from tests.test_pieces import stream
from tfvae import flows, gradients, likelihoods, objectives, posteriors, priors, regularizers

MODULES = (flows, gradients, likelihoods, objectives, posteriors, priors, regularizers)
BUILDERS = (tfvae.mlp_vae, tfvae.conv_vae, tfvae.hierarchical_vae)
BASES = {objectives.Objective, regularizers.Regularizer}  # whose arguments are their subclasses'
OTHER_FILES = ("likelihoods", "objectives", "builders")


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
        importlib.import_module(f"tests.test_arguments_of_{name}")
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
    assert np.array_equal(posterior.values(6), values)
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
    with pytest.raises(ValueError, match=matches("divides")):
        make(num_classes).build(6)


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
    """A model with a VampPrior that has seen `fit`, and the data."""
    x = np.random.default_rng(0).random((20, 4), np.float32)
    prior = priors.VampPrior(count, seed=seed)
    vae = tfvae.mlp_vae((4,), 2, (3,), prior=prior, likelihood=likelihoods.Normal(), seed=0)
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


# ---- layers and flows


def affine(inputs, outputs, seed):
    """A network `[B, inputs] -> [B, 2 outputs]` and the mean and scale it gives, by hand."""
    rng = np.random.default_rng(seed)
    network = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(2 * outputs)])
    kernel, bias = 0.4 * rng.normal(size=(inputs, 2 * outputs)), rng.normal(size=2 * outputs)
    network.set_weights([kernel, bias])

    def normal(z):
        loc, raw = np.split(z @ kernel + bias, 2, axis=-1)
        return scipy.stats.norm(loc, np.log1p(np.exp(raw)))

    return network, normal


@covers(posteriors.BottomUp, "networks")
@covers(priors.Hierarchy, "networks", "top")
@pytest.mark.parametrize("top", [None, priors.GaussianMixture])
def test_layers_are_normals_by_their_networks_under_the_top(top):
    (down, p_below), (up, q_above) = affine(2, 3, 1), affine(3, 2, 2)
    top = top and top(4, spread=2.0)
    prior = built(priors.Hierarchy([down], top), [2, 3])
    posterior = built(posteriors.BottomUp([up]), [2, 3])
    rng = np.random.default_rng(3)
    z = [rng.normal(size=(5, size)).astype(np.float32) for size in (2, 3)]
    above = scipy.stats.norm.logpdf(z[0]).sum(-1)
    if top is not None:
        components = scipy.stats.norm(top.loc.numpy(), 1.0).logpdf(z[0][:, None]).sum(-1)
        above = scipy.special.logsumexp(components, axis=1) - np.log(4)
    expected = above + p_below(z[0]).logpdf(z[1]).sum(-1)
    assert prior.distribution().log_prob(z).numpy() == pytest.approx(expected, rel=1e-4)
    params = rng.normal(size=(5, 6)).astype(np.float32)
    loc, raw = np.split(params.astype(np.float64), 2, axis=-1)
    expected = scipy.stats.norm(loc, np.log1p(np.exp(raw))).logpdf(z[1]).sum(-1)
    expected += q_above(z[1]).logpdf(z[0]).sum(-1)
    found = posterior.distribution(params).log_prob(z).numpy()
    assert found == pytest.approx(expected, rel=1e-4)


class Shift(flows.Flow):
    """z + 2, plus the sum of the context where there is one."""

    def build(self, latent_dim, context_size=0):
        self.given = latent_dim, context_size
        self.built = True

    def _shift(self, context):
        return 2.0 + (0.0 if context is None else tf.reduce_sum(context, axis=-1, keepdims=True))

    def forward(self, x, context=None):
        return x + self._shift(context), tf.zeros_like(x[..., 0])

    def inverse(self, y, context=None):
        return y - self._shift(context), tf.zeros_like(y[..., 0])


@covers(posteriors.Flow, "flow", "base", "context_size")
@pytest.mark.parametrize("context_size", [0, 3])
@pytest.mark.parametrize("base", [None, posteriors.FullNormal])
def test_a_posterior_by_a_flow_has_its_base_its_map_and_its_context(base, context_size):
    base = base and base()
    posterior = built(posteriors.Flow(Shift(), base, context_size), 2)
    size = 4 if base is None else 5  # 2 D, or D + D (D + 1) / 2
    assert posterior.flow.given == (2, context_size)
    assert posterior.params_size(2) == size + context_size
    rng = np.random.default_rng(4)
    params = rng.normal(size=(6, size + context_size)).astype(np.float32)
    z = rng.normal(size=(6, 2)).astype(np.float32)
    moved = z - 2 - params[:, size:].sum(-1, keepdims=True)
    plain = (base or posteriors.DiagonalNormal()).distribution(params[:, :size])
    found, expected = posterior.distribution(params).log_prob(z), plain.log_prob(moved)
    assert largest_difference(found, expected) < 1e-4
    assert largest_difference(posterior.location(params), plain.mean() + z - moved) < 1e-5


@covers(priors.Flow, "flow", "base")
@pytest.mark.parametrize("base", [None, lambda: priors.GaussianMixture(3, spread=2.0)])
def test_a_prior_by_a_flow_has_its_base_and_its_map(base):
    base = base and base()
    prior = built(priors.Flow(Shift(), base), 2)
    plain = base or built(priors.StandardNormal(), 2)
    z = np.random.default_rng(5).normal(size=(6, 2)).astype(np.float32)
    expected = plain.distribution().log_prob(z - 2)
    assert largest_difference(prior.distribution().log_prob(z), expected) < 1e-5
    assert largest_difference(prior.sample(stream(6)), plain.sample(stream(6)) + 2) < 1e-5
