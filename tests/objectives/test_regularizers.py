"""Regularizers against their definitions, written out in NumPy."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tests.conftest import largest_difference, matches
from tests.ops.test_networks_in_pieces import affine
from tests.support import scales, zoo
from tfvae import gradients, objectives, posteriors, priors, random
from tfvae.objectives.terms import Terms
from tfvae.regularizers import MMD, LatentNorm, Regularized, TotalCorrelation

tfd = tfp.distributions


def terms_of(loc, scale, seed=(3, 4)):
    """`Terms` of a batch with q(z|x_b) = N(loc_b, scale_b^2) and a standard-normal prior."""
    raw_scale = scales.raw_of(scale)
    raw = np.concatenate([loc, raw_scale], axis=1).astype(np.float32)
    prior = priors.StandardNormal()
    prior.build(loc.shape[1])
    q = posteriors.DiagonalNormal().distribution(raw)
    seed = tf.convert_to_tensor(seed)
    return Terms(None, None, None, None, q.sample(1, seed=seed), q, prior.distribution(), seed)


def test_mmd_is_the_unbiased_estimate_by_its_definition():
    terms = terms_of(np.random.default_rng(0).normal(size=(6, 2)), np.full((6, 2), 0.3))
    a = terms.z[0].numpy()
    b = terms.prior.sample(6, seed=random.seed_for(terms.seed, "penalty")).numpy()

    def kernel(x, y):
        widths = [4 * s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10)]
        return sum(w / (w + ((x - y) ** 2).sum()) for w in widths)

    pairs = [(i, j) for i in range(6) for j in range(6) if i != j]
    same = sum(kernel(s[i], s[j]) for s in (a, b) for i, j in pairs) / 30
    cross = sum(kernel(x, y) for x in a for y in b) / 36
    assert float(MMD()(terms)) == pytest.approx(same - 2 * cross, abs=1e-5)


def test_mmd_is_zero_on_average_at_the_prior_and_grows_with_the_distance():
    def values(shift):
        loc, scale = np.full((64, 2), shift), np.ones((64, 2))
        one = tf.function(lambda seed: MMD()(terms_of(loc, scale, seed)), autograph=False)
        return np.array([one(tf.constant([i, 0])) for i in range(60)])

    none, some, far = (values(s) for s in (0.0, 0.5, 2.0))
    assert abs(none.mean()) < 4 * none.std() / np.sqrt(60)
    assert 4 * some.std() / np.sqrt(60) < some.mean() < far.mean()


# ---- priors that are learned, or depend on the example

Z = np.random.default_rng(4).normal(0.4, 0.8, (30, 1))  # latents that stay as they are
WIDTHS = [2.0 * s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10)]  # for one number


def given_prior(prior, z, seed):
    """`Terms` of latents `[B, D]` and a prior."""
    return Terms(None, None, None, z=tf.constant(z[None], tf.float32), prior=prior, seed=seed)


def kernels(a, b):
    """Of each pair of vectors `[A, D]` and `[B, D]`, in float64."""
    squares = tf.reduce_sum((a[:, None] - b[None]) ** 2, axis=-1)
    return tf.add_n([width * z_size(a) / (width * z_size(a) + squares) for width in WIDTHS])


def z_size(z):
    return float(z.shape[-1])


def gradients_of_draws(prior, weights, z, repeats):
    """The gradient of `MMD` by weights, `[repeats, P]`."""

    @tf.function(autograph=False)
    def one(seed):
        with tf.GradientTape() as tape:
            found = MMD()(given_prior(prior.distribution(), z, seed))
        return tf.concat([tf.reshape(g, [-1]) for g in tape.gradient(found, weights)], 0)

    return np.stack([one(tf.constant([7, i])) for i in range(repeats)])


def assert_unbiased(found, exact):
    """Within 5 standard errors, which are small beside the gradient."""
    exact = np.concatenate([np.ravel(g) for g in exact])
    stderr = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - exact) < 5 * stderr + 1e-6).all()
    assert np.abs(exact).max() > 10 * stderr.max()


def expectation_of_mmd(points, shares, z):
    """Of p with atoms or nodes `[S, D]` and their probabilities `[S]`, without what p leaves."""
    within = tf.reduce_sum(shares[:, None] * shares * kernels(points, points))
    between = tf.reduce_mean(kernels(tf.constant(z), points), axis=0)
    return within - 2.0 * tf.reduce_sum(shares * between)


def test_mmd_gives_a_mixture_prior_its_whole_gradient_the_weights_too():
    """Against Gauss-Hermite quadrature in each component."""
    prior = priors.GaussianMixture(3)
    prior.build(1)
    prior.logits.assign([0.5, -0.3, 0.2])
    prior.loc.assign([[-1.5], [0.2], [2.0]])
    weights = [v.value for v in (prior.logits, prior.loc, prior.raw_scale)]
    nodes, node_shares = np.polynomial.hermite_e.hermegauss(60)
    logits, loc, raw = wide = [tf.constant(w.numpy(), tf.float64) for w in weights]
    with tf.GradientTape() as tape:
        tape.watch(wide)
        points = tf.reshape(loc + scales.scale_of(raw) * nodes, [-1, 1])
        shares = tf.nn.softmax(logits)[:, None] * (node_shares / node_shares.sum())
        value = expectation_of_mmd(points, tf.reshape(shares, [-1]), Z)
    exact = tape.gradient(value, wide)

    assert_unbiased(gradients_of_draws(prior, weights, Z, 600), exact)


def test_mmd_gives_a_prior_over_classes_the_gradient_of_its_weights():
    """Whose draws have no gradient; against the sum over the classes."""
    prior = priors.Categorical(learn_weights=True)
    prior.build(3)
    prior.logits.assign(np.reshape([0.8, -0.4, 0.1], prior.logits.shape))
    z = np.eye(3)[[0, 1, 2, 2, 2, 1, 2, 2, 0, 2]]
    wide = tf.constant(prior.logits.numpy(), tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(wide)
        shares = tf.nn.softmax(tf.reshape(wide, [-1]))
        value = expectation_of_mmd(tf.eye(3, dtype=tf.float64), shares, z)
    exact = [tape.gradient(value, wide)]

    assert_unbiased(gradients_of_draws(prior, [prior.logits.value], z, 800), exact)


def test_mmd_trains_the_top_of_a_hierarchy_by_the_score_alone():
    """Draws of a mixture have a part of their gradient, which may not be added to the score's.

    z_2 is of the mixture and z_1 = z_2 + N(0, width^2), so that both are known at the nodes.
    """
    top = priors.GaussianMixture(2)
    prior = priors.Hierarchy([affine(1, 1, raw_scale=0.0)], top=top)
    prior.build([1, 1])
    top.loc.assign([[-1.0], [1.5]])
    z = np.random.default_rng(5).normal(0.4, 0.8, (200, 2))
    nodes, shares = np.polynomial.hermite_e.hermegauss(12)
    shares = shares / shares.sum()
    loc = tf.constant(top.loc.numpy(), tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(loc)
        above = (loc + scales.exact_scale_of(top.raw_scale.numpy()) * nodes)[..., None]
        below = above + scales.exact_scale_of(0.0, scales.LEAST_OF_LAYER) * nodes
        points = tf.stack([tf.broadcast_to(above, below.shape), below], axis=-1)
        both = np.tile(np.outer(shares, shares).ravel() / 2, 2)
        value = expectation_of_mmd(tf.reshape(points, [-1, 2]), tf.constant(both), z)

    exact = [tape.gradient(value, loc)]
    assert_unbiased(gradients_of_draws(prior, [top.loc.value], z, 100), exact)


def test_mmd_of_a_flow_over_a_mixture_trains_the_mixture_too():
    vae, x, _ = zoo.BUILDERS["diagonal-maf"]()
    weights = [v.value for v in vae.prior.trainable_variables]
    with tf.GradientTape() as tape:
        found = MMD()(vae.terms(x, 1, seed=1))

    assert all(tf.norm(g) > 0 for g in tape.gradient(found, weights)[-3:])


LOCS = tf.constant(np.linspace(-20, 20, 12)[:, None] * np.ones(2), tf.float32)  # of y, [B, D]
NEAR = tfd.Independent(tfd.Normal(LOCS, 0.5), 1)


LAYERS_GIVEN_Y = tfd.JointDistributionSequential(
    [NEAR, lambda z: tfd.Independent(tfd.Normal(z, 1.0), 1)]
)
LOWER_LAYER_GIVEN_Y = tfd.JointDistributionSequential(
    [
        tfd.Independent(tfd.Normal([0.0, 0.0], 1.0), 1),
        lambda z: tfd.Independent(tfd.Normal(z + LOCS, 1.0), 1),
    ]
)


@pytest.mark.parametrize(
    ("prior", "shape"),
    [(NEAR, []), (LAYERS_GIVEN_Y, []), (LOWER_LAYER_GIVEN_Y, [12])],
    ids=["one_layer", "all_layers", "lower_layer"],
)
def test_mmd_is_zero_on_average_where_each_posterior_is_the_prior_given_y(prior, shape):
    @tf.function(autograph=False)
    def one(seed):
        z = prior.sample(shape, seed=seed)
        terms = Terms(None, None, None, prior=prior, seed=seed + 1)
        return MMD()(terms._replace(z=tf.nest.map_structure(lambda part: part[None], z)))

    values = np.array([one(tf.constant([i, 5])) for i in range(60)])
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(len(values))
    assert np.abs(values).max() < 1.0  # a kernel of two near points is 7


@pytest.mark.parametrize("prior", [tfd.Independent(tfd.Normal([0.0, 0.0], 1.0), 1), NEAR[:1]])
def test_one_example_makes_no_pair_and_costs_nothing(prior):
    assert float(MMD()(given_prior(prior, np.ones((1, 2)), tf.constant([1, 2])))) == 0.0


@pytest.mark.parametrize("dataset_size", [1, 1000])
def test_total_correlation_is_its_definition(dataset_size):
    rng = np.random.default_rng(1)
    loc, scale = rng.normal(size=(5, 3)), rng.uniform(0.2, 1.0, (5, 3))
    terms = terms_of(loc, scale)
    z = terms.z[0].numpy()
    log_q = scipy.stats.norm(loc[None], scale[None]).logpdf(z[:, None])  # [z, q, D]
    offset = np.log(dataset_size * 5)
    joint = scipy.special.logsumexp(log_q.sum(-1), axis=1) - offset
    marginals = (scipy.special.logsumexp(log_q, axis=1) - offset).sum(-1)
    found = TotalCorrelation(dataset_size=dataset_size)(terms)
    assert largest_difference(found, joint - marginals) < 1e-3


def test_total_correlation_tells_dependent_latents_from_independent_ones():
    """A Gaussian aggregate of correlation r has -log(1 - r^2) / 2 nats of it."""
    rng = np.random.default_rng(2)
    loc = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 3000)
    scale = np.full((3000, 2), 0.1)
    found = float(tf.reduce_mean(TotalCorrelation()(terms_of(loc, scale))))
    variance = 1 + 0.1**2
    assert found == pytest.approx(-0.5 * np.log(1 - (0.9 / variance) ** 2), abs=0.06)
    independent = terms_of(rng.normal(size=(3000, 2)), scale)
    assert float(tf.reduce_mean(TotalCorrelation()(independent))) == pytest.approx(0.0, abs=0.06)


def test_a_sum_is_an_objective_that_saves_and_weighs_its_parts():
    sum_ = tfvae.ELBO(2, beta=0.5) + 3.0 * MMD() + TotalCorrelation(2.0)
    assert isinstance(sum_, Regularized)
    assert [r.weight for r in sum_.regularizers] == [3.0, 2.0]
    vae, x, _ = zoo.BUILDERS["diagonal-standard"]()
    terms = vae.terms(x, 2, seed=1)
    parts = 3.0 * MMD()(terms) + 2.0 * tf.reduce_mean(TotalCorrelation()(terms))
    assert largest_difference(sum_(terms), tfvae.ELBO(2, beta=0.5)(terms) + parts) < 1e-4
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(sum_))
    assert largest_difference(again(terms), sum_(terms)) == 0


RISE = keras.optimizers.schedules.PolynomialDecay(0.0, 10, end_learning_rate=1.0)


def test_a_factor_multiplies_the_weight_that_is_there():
    assert (2.0 * MMD(3.0)).weight == 6.0
    assert (MMD(3.0) * 2.0).weight == (np.float32(2.0) * MMD(3.0)).weight == 6.0
    assert (2.0 * (0.5 * TotalCorrelation(dataset_size=7))).dataset_size == 7


def test_a_penalty_may_stand_before_the_objective():
    def of(sum_):
        return sum_.objective.num_samples, [type(r) for r in sum_.regularizers]

    assert of(MMD() + tfvae.ELBO(3)) == of(tfvae.ELBO(3) + MMD()) == (3, [MMD])
    both = tfvae.ELBO(3) + LatentNorm() + MMD()
    assert of(MMD() + (LatentNorm() + tfvae.ELBO(3))) == of(both) == (3, [LatentNorm, MMD])


def test_a_penalty_is_added_at_any_step_and_to_the_loss_of_the_encoder():
    vae, x, _ = zoo.BUILDERS["diagonal-standard"]()
    terms = vae.terms(x, 6, seed=1)
    penalty = 3.0 * np.mean(terms.z.numpy() ** 2) * terms.z.shape[-1] / 2

    rising = tfvae.ELBO(6, beta=RISE)
    assert (
        largest_difference((rising + LatentNorm(3.0))(terms, 4), rising(terms, 4) + penalty) < 1e-3
    )
    piwae = objectives.PIWAE(2, 3)
    found = (piwae + LatentNorm(3.0)).encoder_loss(terms, 4)
    assert largest_difference(found, piwae.encoder_loss(terms, 4) + penalty) < 1e-3
    assert (tfvae.ELBO(6) + LatentNorm()).encoder_loss(terms, 4) is None


def test_the_norm_is_of_the_latents_of_all_layers():
    vae, x, _ = zoo.BUILDERS["ladder"]()
    terms = vae.terms(x, 2, seed=1)
    norms = sum((layer.numpy() ** 2).sum(axis=-1) for layer in terms.z) / 2

    assert len(terms.z) == 3
    assert float(LatentNorm()(terms)) == pytest.approx(norms.mean(), rel=1e-5)


@pytest.mark.parametrize("penalty", [MMD, LatentNorm, TotalCorrelation])
def test_the_score_function_refuses_a_penalty_of_z(penalty):
    objective = tfvae.ELBO(2, analytic_rate=False) + penalty()
    with pytest.raises(ValueError, match=matches("log-weights", "Pathwise")):
        tfvae.mlp_vae((4,), 2, (3,), objective=objective, estimator=gradients.ScoreFunction())


@pytest.mark.nightly
def test_mmd_pulls_the_aggregate_posterior_to_the_prior(digits):
    def discrepancy(objective):
        keras.utils.set_random_seed(0)
        likelihood = tfvae.likelihoods.Bernoulli(dynamic_binarization=True)
        pieces = {"likelihood": likelihood, "objective": objective}
        vae = tfvae.mlp_vae(digits.event_shape, 2, (32,), **pieces, seed=0)
        vae.compile(keras.optimizers.Adam(5e-3), jit_compile=False)
        vae.fit(digits.x_train, batch_size=100, epochs=8, verbose=0)
        return float(MMD()(vae.terms(digits.x_test, 1, seed=1)))

    pulled = discrepancy(tfvae.ELBO(beta=0.0) + 100.0 * MMD())
    assert pulled < 0.2 * discrepancy(tfvae.ELBO(beta=0.0))


@pytest.mark.parametrize(
    "make", [lambda: MMD(float("nan")), lambda: TotalCorrelation(dataset_size=0), lambda: 3 + MMD()]
)
def test_settings_out_of_range_are_refused(make):
    with pytest.raises(ValueError, match=matches()):
        make()


def test_total_correlation_wants_a_factorized_posterior():
    vae, x, _ = zoo.BUILDERS["full-standard"]()
    with pytest.raises(ValueError, match=matches("TotalCorrelation", "MultivariateNormalTriL")):
        TotalCorrelation()(vae.terms(x, 1))
