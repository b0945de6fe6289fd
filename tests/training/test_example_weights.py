"""An example of weight 0 is an example that is not there, wherever the examples of a batch meet."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tests.conftest import largest_difference, matches
from tests.objectives.test_regularizers import terms_of
from tests.support import zoo
from tests.support.nightly import nightly
from tfvae import likelihoods, objectives, posteriors, random, regularizers

PRESENT = 7
WEIGHTS = np.array([0.5, 2.0, 1.0, 1.0, 0.25, 3.0, 1.0], np.float32)
# One latent each: then the noise of a row does not depend on how many rows come after it.
_OF_THE_ZOO = ("elbo", "elbo_free_bits", "elbo_capacity", "autoencoder", "wae", "beta_tc")
OBJECTIVES = {
    **{name: zoo.OBJECTIVES[name] for name in _OF_THE_ZOO},
    "iwae": lambda: objectives.IWAE(1),
    "free_bits_monte_carlo": lambda: objectives.ELBO(free_bits=0.1, analytic_rate=False),
}
LIKELIHOODS = {
    **zoo.LIKELIHOODS,
    "observed_optimal": (
        lambda: likelihoods.Observed(likelihoods.Normal(optimal_scale=True)),
        lambda: np.where(np.isnan(zoo.incomplete()), np.nan, zoo.real()),
    ),
}
UNBOUNDED = ("normal", "laplace", "student", "observed_optimal")
PAIRS = [
    *[("beta_tc", likelihood) for likelihood in LIKELIHOODS],
    *[(objective, "observed_optimal") for objective in OBJECTIVES if objective != "beta_tc"],
]


def one_step(vae, x, weights, y=None):
    """The logs of one step of descent at a rate of 1, and the change of all weights.

    Afterwards the weights are as they were.
    """
    before = [variable.numpy() for variable in vae.variables]
    start = vae.get_weights()
    batch = [None if part is None else tf.constant(part) for part in (x, y, weights)]
    logs = vae.train_step(tuple(batch))
    changes = [np.ravel(after - first) for after, first in zip(vae.get_weights(), start)]
    change = np.concatenate(changes)
    logs = {name: float(value) for name, value in logs.items()}
    for variable, value in zip(vae.variables, before):  # the state of the noise too
        variable.assign(value)
    vae.reset_metrics()
    vae.optimizer.iterations.assign(0)
    vae.steps_trained.assign(0)
    return logs, change


def assert_absent_rows_change_nothing(vae, x, y=None):
    vae.compile(keras.optimizers.SGD(1.0))
    vae.optimizer.build(vae.trainable_variables)
    ones = np.ones(PRESENT, np.float32)
    for stated, among_others in ((None, ones), (WEIGHTS, WEIGHTS)):
        rows = None if y is None else y[:PRESENT]
        logs, change = one_step(vae, x[:PRESENT], stated, rows)
        absent = np.zeros(len(x) - PRESENT, np.float32)
        found, found_change = one_step(vae, x, np.concatenate([among_others, absent]), y)
        assert found == pytest.approx(logs, rel=1e-5, abs=1e-5)
        assert found_change == pytest.approx(change, rel=1e-4, abs=2e-5)
        assert abs(change).max() > 1e-3


@pytest.mark.parametrize(("objective", "likelihood"), PAIRS)
def test_rows_of_weight_0_change_neither_loss_nor_gradient(objective, likelihood):
    make_likelihood, data = LIKELIHOODS[likelihood]
    x = data().astype(np.float32)
    if likelihood.startswith(UNBOUNDED):
        x[PRESENT:] *= 100.0
    pieces = {"likelihood": make_likelihood(), "objective": OBJECTIVES[objective]()}
    vae = tfvae.mlp_vae(x.shape[1:], zoo.LATENT, (8,), **pieces, seed=1)
    assert_absent_rows_change_nothing(vae, x)


@pytest.mark.parametrize(
    "name",
    [
        "iaf-vamp",
        "conditional",
        "enumeration",
        *(nightly(name) for name in ("diagonal-mixture", "sphere-sphere", "ladder")),
    ],
)
def test_rows_of_weight_0_change_nothing_whatever_the_pieces(name):
    wae = objectives.ELBO() + 10.0 * regularizers.MMD()
    y = None
    if name == "ladder":
        vae = zoo._hierarchical(ladder=True, objective=wae).vae
    elif name == "enumeration":
        vae = zoo.BUILDERS["enumeration_elbo_monte_carlo"]().vae
    elif name == "conditional":
        vae, _, y = zoo.BUILDERS["conditional"]()
    else:
        posterior, prior = name.split("-")
        pieces = {"posterior": zoo.POSTERIORS[posterior](), "prior": zoo.PRIORS[prior]()}
        vae = tfvae.mlp_vae(zoo.SHAPE, zoo.LATENT, (8,), **pieces, objective=wae, seed=1)
    assert_absent_rows_change_nothing(vae, zoo.binary(), y)


@pytest.mark.parametrize("form", ["arrays", "dataset"])
def test_a_prior_does_not_begin_with_rows_of_weight_0(form):
    x = np.concatenate([np.zeros((8, 6)), np.full((40, 6), 50.0)]).astype(np.float32)
    weights = np.repeat([1.0, 0.0], [8, 40]).astype(np.float32)
    likelihood = tfvae.likelihoods.Normal(1.0)
    prior = tfvae.priors.VampPrior(6)
    vae = tfvae.mlp_vae(6, 2, (4,), likelihood=likelihood, prior=prior, seed=1)
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    if form == "arrays":
        vae.fit(x, sample_weight=weights, verbose=0)
    else:
        data = tf.data.Dataset.from_tensors((x, np.zeros(48, np.float32), weights))
        vae.fit(data.map(lambda x, y, w: (x, None, w)), verbose=0)
    pseudo = next(v for v in vae.prior.trainable_variables if "pseudo" in v.path)
    assert np.abs(pseudo.numpy()).max() < 10.0


def test_a_row_of_weight_0_may_have_no_finite_loss():
    x = zoo.real()
    x[PRESENT:] = 3e38  # whose square is infinite, and the sums in the first layer
    pieces = {
        "likelihood": likelihoods.Normal(optimal_scale=True),
        "objective": zoo.OBJECTIVES["elbo_free_bits"](),
    }
    vae = tfvae.mlp_vae(zoo.SHAPE, zoo.LATENT, (8,), **pieces, seed=1)
    assert_absent_rows_change_nothing(vae, x)


@pytest.mark.parametrize("objective", ["elbo_free_bits", "beta_tc", "wae"])
def test_a_batch_in_which_no_example_counts_leaves_the_weights_as_they_are(objective):
    pieces = {
        "likelihood": likelihoods.Normal(optimal_scale=True),
        "objective": OBJECTIVES[objective](),
    }
    vae = tfvae.mlp_vae(zoo.SHAPE, zoo.LATENT, (8,), **pieces, seed=1)
    vae.compile(keras.optimizers.SGD(1.0))
    logs, change = one_step(vae, zoo.real(), np.zeros(12, np.float32))
    assert not change.any()
    assert logs["loss"] == 0.0


# ---- the parts against their definitions, with weights


def weighted(terms):
    return terms._replace(example_weights=tf.constant(WEIGHTS))


@pytest.fixture
def terms():
    rng = np.random.default_rng(0)
    return terms_of(rng.normal(size=(PRESENT, 2)), rng.uniform(0.2, 1.0, (PRESENT, 2)))


def kernel(a, b):
    return sum(w / (w + ((a - b) ** 2).sum()) for w in (0.4, 0.8, 2.0, 4.0, 8.0, 20.0, 40.0))


def average_over_pairs(points, weights):
    """sum over i != j of w_i w_j k(i, j) / sum over i != j of w_i w_j."""
    pairs = [(i, j) for i in range(len(points)) for j in range(len(points)) if i != j]
    shares = [weights[i] * weights[j] for i, j in pairs]
    return np.average([kernel(points[i], points[j]) for i, j in pairs], weights=shares)


def test_mmd_weights_pairs_of_examples_by_both_weights(terms):
    z = terms.z[0].numpy()
    drawn = terms.prior.sample(PRESENT, seed=random.seed_for(terms.seed, "penalty")).numpy()
    across = np.average([np.mean([kernel(a, b) for b in drawn]) for a in z], weights=WEIGHTS)
    within = average_over_pairs(z, WEIGHTS) + average_over_pairs(drawn, np.ones(PRESENT))
    expected = within - 2 * across
    assert float(regularizers.MMD()(weighted(terms))) == pytest.approx(expected, abs=1e-5)


def test_total_correlation_is_of_the_mixture_with_the_weights_of_the_examples(terms):
    q = terms.posterior.distribution
    z = terms.z[0].numpy()
    normal = scipy.stats.norm(q.loc.numpy()[None], q.scale.numpy()[None])
    log_q = normal.logpdf(z[:, None])  # [z, q, D]
    shares = (WEIGHTS / WEIGHTS.sum())[None]
    joint = scipy.special.logsumexp(log_q.sum(-1), axis=1, b=shares)
    marginals = scipy.special.logsumexp(log_q, axis=1, b=shares[..., None]).sum(-1)
    found = regularizers.TotalCorrelation()(weighted(terms))
    assert largest_difference(found, joint - marginals) < 1e-4
    total = objectives.ELBO(beta=0.0) + regularizers.TotalCorrelation()
    loss = total(weighted(terms)._replace(log_likelihood=tf.zeros([1, PRESENT])))
    assert loss.numpy() == pytest.approx(np.average(joint - marginals, weights=WEIGHTS), abs=1e-4)


def test_the_norm_of_latents_and_free_bits_are_weighted_means(terms):
    z = terms.z.numpy()
    expected = np.average((z[0] ** 2).sum(-1) / 2, weights=WEIGHTS)
    assert float(regularizers.LatentNorm()(weighted(terms))) == pytest.approx(expected, rel=1e-5)

    q = terms.posterior.distribution
    loc, scale = q.loc.numpy(), q.scale.numpy()
    rate = 0.5 * (scale**2 + loc**2 - 1) - np.log(scale)  # [B, D]
    per_latent = np.average(rate, axis=0, weights=WEIGHTS)
    bits = float(per_latent.mean())
    given = weighted(terms)._replace(
        log_likelihood=tf.zeros([1, PRESENT]), analytic_rate=tf.constant(rate.sum(-1))
    )
    found = objectives.ELBO(free_bits=bits)(given)
    assert found.numpy() == pytest.approx(np.maximum(per_latent, bits).sum(), rel=1e-5)


@pytest.mark.parametrize("observed", [False, True])
def test_the_optimal_scale_is_the_weighted_mean_square(observed):
    rng = np.random.default_rng(0)
    x, loc = rng.normal(size=(PRESENT, 4)), rng.normal(size=(3, PRESENT, 4))
    if observed:
        x[rng.random(x.shape) < 0.3] = np.nan
    likelihood = likelihoods.Normal(optimal_scale=True)
    likelihood = likelihoods.Observed(likelihood) if observed else likelihood
    likelihood.build((4,))
    squares = np.nan_to_num((x - loc) ** 2) * WEIGHTS[:, None]
    expected = squares.sum() / (3 * (~np.isnan(x) * WEIGHTS[:, None]).sum())
    batch = tf.constant(loc, tf.float32), tf.constant(x, tf.float32)
    likelihood.training_distribution(*batch, tf.constant(WEIGHTS))
    normal = likelihood.base if observed else likelihood
    scale = float(normal.distribution(tf.zeros([1, 4])).distribution.scale)
    assert scale == pytest.approx(np.sqrt(expected), rel=1e-5)


class BatchMean(likelihoods.Normal):
    """One that fits to the batch and knows nothing of weights."""

    def training_distribution(self, params, x):
        return self.distribution(params + tf.reduce_mean(x - params))


@pytest.mark.parametrize("wrap", [lambda base: base, likelihoods.Observed])
def test_a_likelihood_that_fits_to_batches_without_weights_is_refused_beside_them(wrap):
    vae = tfvae.mlp_vae(zoo.SHAPE, zoo.LATENT, (8,), likelihood=wrap(BatchMean()), seed=1)
    vae.compile(run_eagerly=True)
    vae.train_on_batch(zoo.real())
    with pytest.raises(ValueError, match=matches("example_weights", "BatchMean")):
        vae.train_step((tf.constant(zoo.real()), None, tf.ones([12])))


def test_a_single_example_is_no_pair_and_has_no_discrepancy(terms):
    alone = terms_of(np.array([[3.0, -2.0]]), np.array([[0.1, 0.1]]))
    assert float(regularizers.MMD()(alone)) == 0.0
    among_absent = terms._replace(example_weights=tf.constant([0.0, 0, 0, 2, 0, 0, 0]))
    assert float(regularizers.MMD()(among_absent)) == 0.0


def test_mmd_draws_each_partner_from_the_prior_of_its_own_example():
    """z ~ p(z|y) exactly, with priors far apart: the discrepancy is 0 on average."""
    rng = np.random.default_rng(0)
    loc = rng.normal(size=(40, 2)) * 5.0

    def value(i):
        terms = terms_of(loc, np.ones((40, 2)), (i, 0))
        prior = tfp.distributions.MultivariateNormalDiag(tf.constant(loc, tf.float32))
        return float(regularizers.MMD()(terms._replace(prior=prior)))

    values = np.array([value(i) for i in range(30)])
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(30) < 0.1


def test_a_regularizer_may_stand_on_either_side(terms):
    assert (regularizers.MMD() * 2).weight == 2.0
    sum_ = regularizers.MMD() * 2 + (objectives.ELBO(beta=0.0) + regularizers.LatentNorm())
    given = terms._replace(log_likelihood=tf.zeros([1, PRESENT]))
    expected = 2.0 * regularizers.MMD()(terms) + regularizers.LatentNorm()(terms)
    assert largest_difference(sum_(given), expected) < 1e-5
    with pytest.raises(ValueError, match=matches("objective")):
        regularizers.MMD() + 3


# ---- what is logged


def autoencoder(**kwargs):
    """A model without noise, whose distortion is a function of x alone."""
    pieces = {"posterior": posteriors.Deterministic(), "objective": objectives.ELBO(beta=0.0)}
    likelihood = likelihoods.Normal(0.5)
    return tfvae.mlp_vae((4,), 2, (3,), **pieces, likelihood=likelihood, seed=1, **kwargs)


def test_the_loss_of_a_batch_is_divided_by_the_examples_there_are_and_counts_for_as_many():
    vae = autoencoder()
    x = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    weights = np.array([1, 2, 0, 0.5, 0, 0, 3, 0, 0, 0], np.float32)  # of batches of 4, 4 and 2
    distortion = -vae.decode(vae.encode(x).mean()).log_prob(x).numpy()
    loss = (weights * distortion).sum() / 4  # four examples are there
    expected = {"loss": loss, "distortion": np.average(distortion, weights=weights)}
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    found = vae.evaluate(x, sample_weight=weights, batch_size=4, verbose=0, return_dict=True)
    assert found == pytest.approx(expected, rel=1e-5)
    history = vae.fit(x, sample_weight=weights, batch_size=4, shuffle=False, verbose=0).history
    logs = {name: values[0] for name, values in history.items()}
    assert logs == pytest.approx(expected, rel=1e-5)
