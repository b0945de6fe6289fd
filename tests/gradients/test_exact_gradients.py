"""Every sensible objective with every estimator: its expected gradient is the exact one.

The expectation is a sum over nodes of quadrature, or over all values of z, so that no noise hides
an error. References are in float64, see `tests/quadrature.py`.
"""

import math
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tests.conftest import largest_difference, matches
from tests.gradients.test_gradients import estimates
from tests.models.test_linear_gaussian import SIGMA as SIGMA_OF_MODEL
from tests.models.test_linear_gaussian import LinearGaussian
from tests.support import quadrature, scales, zoo
from tests.support.quadrature import CLASSES, SIGMA, SIZE, Classes, Diagonal, Flow, Hierarchy
from tfvae import gradients, likelihoods, objectives, posteriors, random, regularizers
from tfvae.models import forward_pass
from tfvae.ops import noise

tfd = tfp.distributions

STEP = 4  # of the schedules in the zoo, which rise from 0.1 to 1 in 10 steps
RISEN = 0.1 + 0.9 * STEP / 10


def log_mean_exp(values, axis=0):
    return tf.reduce_logsumexp(values, axis) - math.log(values.shape[axis])


def distortion(draws):
    return -tf.reduce_mean(draws.log_p_x, axis=0)


def sampled_rate(draws):
    return tf.reduce_mean(draws.log_q - draws.log_p_z, axis=0)


def rate(draws):
    return sampled_rate(draws) if draws.kl is None else draws.kl


def iwae(draws, step=0):
    return -log_mean_exp(draws.log_weights)


def miwae(draws, step=0):
    groups = tf.reshape(draws.log_weights, [-1, 2, draws.log_weights.shape[1]])
    return -tf.reduce_mean(log_mean_exp(groups), axis=0)


def renyi(draws, step=0):
    return -log_mean_exp(0.3 * draws.log_weights) / 0.3


def tvo(draws, step=0):
    """Its three intervals end at 0.04, 0.2 and 1."""
    total = 0.0
    for start, end in ((0.0, 0.04), (0.04, 0.2), (0.2, 1.0)):
        powers = tf.exp(start * draws.log_weights)
        mean = tf.reduce_sum(powers * draws.log_weights, 0) / tf.reduce_sum(powers, 0)
        total -= (end - start) * mean
    return total


def norm(draws):
    """Of the mean over K, z of all layers."""
    return 0.1 * tf.reduce_mean(tf.reduce_sum(draws.z**2, axis=-1) / 2.0, axis=0)


# name in the zoo: (the objective with fewer latents, its loss by hand).
CASES = {
    "elbo": (objectives.ELBO(2), lambda d, _: distortion(d) + rate(d)),
    "elbo_schedule": (
        objectives.ELBO(2, beta=zoo._SCHEDULE),
        lambda d, _: distortion(d) + RISEN * rate(d),
    ),
    "elbo_monte_carlo": (
        objectives.ELBO(2, analytic_rate=False),
        lambda d, _: distortion(d) + sampled_rate(d),
    ),
    "elbo_free_bits": (
        objectives.ELBO(2, free_bits=0.01),
        lambda d, _: distortion(d) + rate(d),
    ),
    "elbo_free_bits_sampled": (
        objectives.ELBO(2, free_bits=0.01, analytic_rate=False),
        lambda d, _: distortion(d) + sampled_rate(d),
    ),
    "elbo_capacity": (
        objectives.ELBO(2, beta=5.0, capacity=zoo._SCHEDULE),
        lambda d, _: distortion(d) + 5.0 * abs(rate(d) - RISEN),
    ),
    "iwae": (objectives.IWAE(2), iwae),
    "miwae": (objectives.MIWAE(2, 2), miwae),
    "piwae": (objectives.PIWAE(2, 2), iwae),
    "ciwae": (
        objectives.CIWAE(2, mix=0.2),
        lambda d, _: 0.2 * -tf.reduce_mean(d.log_weights, axis=0) + 0.8 * iwae(d),
    ),
    "renyi": (objectives.Renyi(0.7, 2), renyi),
    "tvo": (objectives.TVO(3, 2, first=0.04), tvo),
    "autoencoder": (
        objectives.ELBO(2, beta=0.0) + 0.1 * regularizers.LatentNorm(),
        lambda d, _: distortion(d) + norm(d),
    ),
}
# These compare examples with each other, see `test_penalties_of_a_batch_...`.
OF_A_BATCH = {"wae", "beta_tc"}
KINDS = {"diagonal": Diagonal, "flow": Flow, "hierarchy": Hierarchy, "classes": Classes}


def fits(kind, objective, estimator):
    if objective.startswith("elbo_free_bits") and kind != "diagonal":
        return False  # q or p is not independent over the latents
    if kind == "classes" and estimator == "enumeration":
        return CASES[objective][0].is_expectation
    if kind == "classes" and estimator != "score":
        return False  # draws without a gradient
    more_latents = {"elbo", "elbo_free_bits", "elbo_capacity"}  # the zoo has them with K = 1
    by_score = estimator == "score" and objective in more_latents
    return by_score or objective in zoo.SENSIBLE[estimator]


# A kink whose side the latents choose has no quadrature: |rate - capacity| of a sampled rate.
def smooth(kind, objective, estimator):
    return objective != "elbo_capacity" or kind in ("diagonal", "classes")


PAIRS = [
    (kind, objective, estimator)
    for kind in KINDS
    for objective in CASES
    for estimator in zoo.ESTIMATORS
    if fits(kind, objective, estimator) and smooth(kind, objective, estimator)
]


def often(kind, objective, estimator):
    """Whether a triple is tested each time: all estimators, each with what it is made for."""
    return kind in ("diagonal", "classes") and objective in (
        "elbo",
        "elbo_monte_carlo",
        "elbo_free_bits",
        "iwae",
        "renyi",
        "tvo",
    )


def largest_error(kind, objective, estimator):
    """The largest error of a weight's gradient, beside it or a hundredth of the largest one."""
    kind = KINDS[kind]()
    made, loss = CASES[objective]
    samples = made.num_samples
    rule = {1: 40, 2: 40, 4: 12}[samples] if kind.layers == 1 else {1: 24, 2: 12, 4: 5}[samples]
    points, weights = kind.nodes(samples, rule)
    estimator = zoo.ESTIMATORS[estimator]()
    estimator.check(made, kind.vae.posterior, kind.vae.latent_sizes)
    given = points, weights
    found = quadrature.expected(kind, estimator, made, *given, STEP)
    of_encoder = miwae if objective == "piwae" else None
    exact = quadrature.reference(kind, loss, samples, *given, STEP, of_encoder)
    largest = max(np.abs(g).max() for g in exact)
    errors = [
        np.abs(a - b).max() / max(np.abs(b).max(), largest / 100) for a, b in zip(found, exact)
    ]
    return max(errors)


@pytest.mark.parametrize(
    ("kind", "objective", "estimator"),
    [
        pytest.param(*pair, marks=() if often(*pair) else pytest.mark.nightly, id="-".join(pair))
        for pair in PAIRS
    ],
)
def test_the_expected_gradient_is_the_exact_one(kind, objective, estimator):
    # Four latents have fewer nodes, and their sums over 390,000 examples fewer digits.
    coarse = CASES[objective][0].num_samples == 4
    assert largest_error(kind, objective, estimator) < (1e-2 if coarse else 2e-4)


def test_every_sensible_pair_is_among_them():
    tested = {pair[1:] for pair in PAIRS}
    sensible = {(objective, name) for name in zoo.SENSIBLE for objective in zoo.SENSIBLE[name]}
    assert sensible - tested == {(objective, "pathwise") for objective in OF_A_BATCH}


def test_an_error_of_a_tenth_of_the_rate_is_seen(monkeypatch):
    off = objectives.ELBO(2, beta=0.9), CASES["elbo"][1]
    monkeypatch.setitem(CASES, "elbo", off)
    assert largest_error("diagonal", "elbo", "score") > 1e-2


# ---- what the score function cannot do right


def test_the_score_function_refuses_free_bits_of_a_rate_by_the_latents():
    objective = objectives.ELBO(2, free_bits=0.1, analytic_rate=False)
    with pytest.raises(ValueError, match=matches("closed form", "free_bits=0.1", "analytic_rate")):
        tfvae.mlp_vae((4,), 2, (3,), objective=objective, estimator=gradients.ScoreFunction())


@keras.saving.register_keras_serializable("test_exact_gradients")
class Laplace(posteriors.DiagonalNormal):
    """A posterior without a closed form of the rate."""

    def distribution(self, params):
        return tfd.Independent(tfd.Laplace(*self.loc_scale(params)), 1)


def test_the_score_function_refuses_free_bits_where_the_rate_has_no_closed_form():
    made = {"posterior": Laplace(), "estimator": gradients.ScoreFunction()}
    vae = tfvae.mlp_vae((4,), 2, (3,), objective=objectives.ELBO(2, free_bits=0.1), **made)
    vae.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    with pytest.raises(ValueError, match=matches("closed form", "free_bits=0.1")):
        vae.fit(zoo.binary(4, (4,)), verbose=0)


# ---- penalties that compare the examples of a batch, at noise that is the same in both


class Plane(Diagonal):
    """Two numbers in one layer."""

    layers = 2

    def make(self, **pieces):
        decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(SIZE)])
        likelihood = likelihoods.Normal(SIGMA)
        return tfvae.VAE(self.encoder(4), decoder, likelihood=likelihood, **pieces)


def by_hand(values, x, eps, drawn):
    """Loss by hand: ELBO + 4 TC + MMD, its TC and MMD, of one latent an example, `[B, 2]`."""
    kernel, bias, out, out_bias = values
    loc, raw = tf.split(x @ kernel + bias, 2, axis=-1)
    scale = scales.scale_of(raw)
    z = loc + scale * eps
    kl = tf.reduce_sum(0.5 * (scale**2 + loc**2 - 1.0) - tf.math.log(scale), axis=-1)
    sigma = tf.constant(SIGMA, tf.float64)
    log_p_x = tf.reduce_sum(quadrature.log_normal(x, z @ out + out_bias, sigma), axis=-1)
    pairs = quadrature.log_normal(z[:, None], loc[None], scale[None])  # [B of z, B of q, 2]
    joint = tf.reduce_logsumexp(tf.reduce_sum(pairs, -1), 1) - math.log(len(x))
    marginals = tf.reduce_logsumexp(pairs, 1) - math.log(len(x))
    tc = tf.reduce_mean(joint - tf.reduce_sum(marginals, -1))

    def kernels(a, b):
        squares = tf.reduce_sum((a[:, None] - b[None]) ** 2, axis=-1)
        return tf.add_n([w / (w + squares) for w in (0.4, 0.8, 2.0, 4.0, 8.0, 20.0, 40.0)])

    def others(matrix):
        return tf.reduce_sum(matrix - tf.linalg.diag(tf.linalg.diag_part(matrix))) / (
            len(x) * (len(x) - 1)
        )

    mmd = others(kernels(z, z)) + others(kernels(drawn, drawn))
    mmd -= 2.0 * tf.reduce_mean(kernels(z, drawn))
    return {
        "beta_tc": tf.reduce_mean(kl - log_p_x) + 4.0 * tc + mmd,
        "wae": -tf.reduce_mean(log_p_x) + 10.0 * mmd,
    }


@pytest.mark.parametrize("name", sorted(OF_A_BATCH))
def test_penalties_of_a_batch_have_the_gradient_of_their_formulas(name):
    vae = Plane().vae
    x = np.random.default_rng(5).normal(size=(6, SIZE)).astype(np.float32)
    eps = np.random.default_rng(6).normal(size=(6, 2)).astype(np.float32)
    seed = random.seed_for(tf.constant([1, 2]), "penalty")
    drawn = vae.prior.distribution().sample(len(x), seed=seed).numpy()
    values = [v.value for v in vae.trainable_variables]
    estimator, objective = gradients.Pathwise(), zoo.OBJECTIVES[name]()
    known = mock.patch.object(noise, "normal", lambda shape, seed: tf.reshape(eps, shape))
    with known, tf.GradientTape(persistent=True) as tape:
        terms = forward_pass.batch_terms(vae, x, None, 1, [1, 2], True, estimator)
        losses = [tf.reduce_mean(loss) for loss in estimator.losses(objective, terms, 0)]
    found = estimator.gradients(tape, losses, terms, values, [True] * 4)

    wide = [tf.constant(v.numpy(), tf.float64) for v in values]
    with tf.GradientTape() as tape:
        tape.watch(wide)
        total = by_hand(wide, *(a.astype(np.float64) for a in (x, eps, drawn)))[name]
    assert float(losses[0]) == pytest.approx(float(total), rel=1e-5)
    for a, b in zip(found, tape.gradient(total, wide)):
        assert largest_difference(a, b) < 1e-5 * max(1.0, np.abs(b).max())


# ---- wake-sleep, written from what `Terms` says alone


@keras.saving.register_keras_serializable("test_exact_gradients")
class WakeSleep(objectives.Objective):
    """Reweighted wake-sleep: Bornschein & Bengio 2015, the wake phases of p and of q."""

    has_encoder_loss = True
    needs_reparameterized = False

    def __call__(self, terms, step=0):
        return -(tf.reduce_logsumexp(terms.log_weights, 0) - math.log(self.num_samples))

    def encoder_loss(self, terms, step=0):
        shares = tf.stop_gradient(tf.nn.softmax(terms.log_weights, axis=0))
        z = tf.nest.map_structure(tf.stop_gradient, terms.z)
        return -tf.reduce_sum(shares * terms.posterior.log_prob(z), axis=0)


def test_wake_sleep_of_classes_is_the_sum_over_their_combinations():
    kind, objective = Classes(), WakeSleep(2)
    given = kind.nodes(2, 0)

    def encoder_loss(draws, step):
        shares = tf.stop_gradient(tf.nn.softmax(draws.log_weights, axis=0))
        return -tf.reduce_sum(shares * draws.log_q, axis=0)

    gradients.Pathwise().check(objective, kind.vae.posterior, CLASSES)
    found = quadrature.expected(kind, gradients.Pathwise(), objective, *given)
    exact = quadrature.reference(kind, iwae, 2, *given, encoder_loss=encoder_loss, hold_draws=True)
    for a, b in zip(found, exact):
        assert largest_difference(a, b) < 1e-5 * max(1.0, np.abs(b).max())


def test_wake_sleep_moves_q_to_the_posterior_and_p_to_the_data_of_a_linear_model():
    """For many latents: the gradients of E_p(z|x)[-log q(z|x)] and of -log p(x), exact both."""
    model = LinearGaussian(shift=0.3, stretch=1.3)
    found, encoder = estimates(model.vae, model.x, WakeSleep(3000), gradients.Pathwise(), 12)
    kernel, bias, w, b = wide = [
        tf.constant(v.numpy(), tf.float64) for v in model.vae.trainable_variables
    ]
    x, variance = model.x.astype(np.float64), SIGMA_OF_MODEL**2 / model.precision
    centre = (x - model.b) @ model.gain
    with tf.GradientTape() as tape:
        tape.watch(wide)
        loc, raw = tf.split(x @ kernel + bias, 2, axis=1)
        scale = scales.scale_of(raw)
        cross = tf.math.log(scale) + (variance + (centre - loc) ** 2) / (2.0 * scale**2)
        covariance = tf.transpose(w) @ w + SIGMA_OF_MODEL**2 * tf.eye(x.shape[1], dtype=tf.float64)
        p_x = tfd.MultivariateNormalTriL(b, tf.linalg.cholesky(covariance))
        total = tf.reduce_mean(tf.reduce_sum(cross, axis=1)) - tf.reduce_mean(p_x.log_prob(x))
    exact = np.concatenate([np.ravel(g) for g in tape.gradient(total, wide)])

    stderr = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    for part in (slice(None, encoder), slice(encoder, None)):
        off = np.abs(found.mean(axis=0)[part] - exact[part])
        assert (off < 5 * stderr[part] + 2e-3).all()  # and the bias of K latents, of order 1 / K
        assert np.abs(exact[part]).max() > 0.05
