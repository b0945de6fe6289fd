"""Each public argument of objectives, regularizers and estimators: see `test_public_arguments`."""

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference, matches
from tests.support import zoo
from tests.support.arguments import covers
from tfvae import gradients, objectives, posteriors, priors, regularizers

K = 6


class Numbers:
    """`Terms` of a model, and the same in double precision."""

    def __init__(self):
        vae, x, _ = zoo.BUILDERS["diagonal-standard"]()
        self.terms = vae.terms(x, K, seed=1)
        self.distortion = -self.terms.log_likelihood.numpy().mean(axis=0, dtype=np.float64)
        loc, scale = self.terms.posterior.mean().numpy(), self.terms.posterior.stddev().numpy()
        self.kl = 0.5 * (scale**2 + loc**2 - 1 - 2 * np.log(scale))  # [B, D]
        self.rate = self.kl.sum(axis=1)
        log_ratio = self.terms.log_posterior - self.terms.log_prior
        self.sampled_rate = log_ratio.numpy().mean(axis=0, dtype=np.float64)
        self.log_weights = (self.terms.log_likelihood - log_ratio).numpy().astype(np.float64)
        self.z = self.terms.z.numpy()
        noise = (self.z - loc) / scale
        sampled = -np.log(scale) - noise**2 / 2 + self.z**2 / 2  # log q - log p of each latent
        self.sampled_per_latent = sampled.mean(axis=(0, 1))


@pytest.fixture(scope="module")
def numbers():
    return Numbers()


def ramp(start, end):
    return keras.optimizers.schedules.PolynomialDecay(start, 10, end_learning_rate=end)


def log_mean_exp(values, axis=0):
    return scipy.special.logsumexp(values, axis=axis) - np.log(values.shape[axis])


# ---- objectives


@covers(objectives.ELBO, "beta", "analytic_rate")
@pytest.mark.parametrize("analytic_rate", [True, False])
@pytest.mark.parametrize(("beta", "now"), [(0, 0), (0.3, 0.3), (7.0, 7.0), (ramp(0.0, 5.0), 2.0)])
def test_beta_weighs_the_rate_in_closed_form_or_of_samples(numbers, beta, now, analytic_rate):
    found = objectives.ELBO(beta=beta, analytic_rate=analytic_rate)(numbers.terms, 4)
    rate = numbers.rate if analytic_rate else numbers.sampled_rate
    assert largest_difference(found, numbers.distortion + now * rate) < 1e-3
    assert largest_difference(numbers.rate, numbers.sampled_rate) > 0.1


def test_the_elbo_is_of_the_rate_that_is_told_beside_it(numbers):
    assert numbers.terms.analytic_rate is not None
    assert largest_difference(numbers.terms.elbo, -(numbers.rate + numbers.distortion)) < 1e-3
    assert largest_difference(numbers.terms.monte_carlo_rate, numbers.rate) > 0.1


@covers(objectives.ELBO, "free_bits")
@pytest.mark.parametrize(("free_bits", "now"), [(0, 0), (0.2, 0.2), (50, 50), (ramp(0, 1.0), 0.4)])
@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_free_bits_are_the_least_that_each_latent_costs(numbers, free_bits, now, beta):
    found = objectives.ELBO(beta=beta, free_bits=free_bits)(numbers.terms, 4)
    per_latent = numbers.kl.mean(axis=0)
    rate = np.maximum(per_latent, now).sum() if now else numbers.rate
    assert largest_difference(found, numbers.distortion + beta * rate) < 1e-3
    if now:
        sampled = objectives.ELBO(beta=beta, free_bits=free_bits, analytic_rate=False)
        rate = np.maximum(numbers.sampled_per_latent, now).sum()
        found = sampled(numbers.terms, 4)
        assert largest_difference(found, numbers.distortion + beta * rate) < 1e-3


@covers(objectives.ELBO, "capacity")
@pytest.mark.parametrize(("capacity", "now"), [(0.0, 0), (1.3, 1.3), (ramp(0.0, 30.0), 12.0)])
def test_a_capacity_is_the_rate_that_costs_nothing(numbers, capacity, now):
    found = objectives.ELBO(beta=2.0, capacity=capacity)(numbers.terms, 4)
    expected = numbers.distortion + 2.0 * np.abs(numbers.rate - now)
    assert largest_difference(found, expected) < 1e-3


@covers(objectives.MIWAE, "groups", "group_size")
@covers(objectives.PIWAE, "groups", "group_size")
@pytest.mark.parametrize(("groups", "group_size"), [(1, 6), (2, 3), (6, 1)])
def test_groups_are_bounds_of_their_size_that_are_averaged(numbers, groups, group_size):
    grouped = numbers.log_weights.reshape(group_size, groups, -1)
    miwae = -log_mean_exp(grouped).mean(axis=0)
    whole = -log_mean_exp(numbers.log_weights)
    assert largest_difference(objectives.MIWAE(groups, group_size)(numbers.terms), miwae) < 1e-3
    piwae = objectives.PIWAE(groups, group_size)
    assert largest_difference(piwae(numbers.terms), whole) < 1e-3
    assert largest_difference(piwae.encoder_loss(numbers.terms), miwae) < 1e-3


@covers(objectives.CIWAE, "mix")
@pytest.mark.parametrize(("mix", "now"), [(0, 0), (0.3, 0.3), (1.0, 1.0), (ramp(1.0, 0.0), 0.6)])
def test_a_mix_is_that_share_of_the_elbo(numbers, mix, now):
    found = objectives.CIWAE(K, mix)(numbers.terms, 4)
    elbo, iwae = numbers.log_weights.mean(axis=0), log_mean_exp(numbers.log_weights)
    assert largest_difference(found, -(now * elbo + (1 - now) * iwae)) < 1e-3


@covers(objectives.Renyi, "alpha")
@pytest.mark.parametrize("alpha", [-30.0, -1, 0, 0.5, 0.9, 1 - 1e-7, 1, 1 + 1e-7, 2, 30.0])
def test_an_order_weighs_the_weights_by_their_powers(numbers, alpha):
    """The limit at 1, the ELBO, within digits: float32 would leave none of them to a power."""
    near = abs(alpha - 1) < 1e-3
    order, log_weights = 1 - alpha, numbers.log_weights
    found = objectives.Renyi(alpha, K)(numbers.terms)
    expected = log_weights.mean(axis=0) if near else log_mean_exp(order * log_weights) / order
    assert largest_difference(found, -expected) < 1e-3


def test_the_order_0_is_iwae_and_the_largest_negative_orders_the_largest_weight(numbers):
    iwae = objectives.IWAE(K)(numbers.terms)
    assert largest_difference(objectives.Renyi(0, K)(numbers.terms), iwae) < 1e-4
    largest = -numbers.log_weights.max(axis=0)
    assert largest_difference(objectives.Renyi(-1e6, K)(numbers.terms), largest) < 1e-3


@covers(objectives.TVO, "partitions", "first")
@pytest.mark.parametrize(
    ("partitions", "first", "betas"),
    [
        (1, 0.5, [0, 1]),
        (2, 0.5, [0, 0.5, 1]),
        (3, 0.01, [0, 0.01, 0.1, 1]),
        (4, 0.001, [0, 0.001, 0.01, 0.1, 1]),
    ],
)
def test_the_thermodynamic_sum_is_of_intervals_equal_in_log_beta(numbers, partitions, first, betas):
    expected = 0.0
    for start, end in zip(betas[:-1], betas[1:]):
        shares = scipy.special.softmax(start * numbers.log_weights, axis=0)
        expected -= (end - start) * (shares * numbers.log_weights).sum(axis=0)
    found = objectives.TVO(partitions, K, first)(numbers.terms)
    assert largest_difference(found, expected) < 1e-3


@keras.saving.register_keras_serializable("test_arguments_of_objectives")
class RowsSeen(keras.layers.Layer):
    """Passes its input on, and remembers of how many rows it was."""

    def call(self, inputs):
        self.rows = inputs.shape[0]
        return inputs


@covers(objectives.ELBO, "num_samples")
@covers(objectives.IWAE, "num_samples")
@covers(objectives.CIWAE, "num_samples")
@covers(objectives.Renyi, "num_samples")
@covers(objectives.TVO, "num_samples")
@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        (objectives.ELBO(), 1),
        (objectives.ELBO(7), 7),
        (objectives.IWAE(), 5),
        (objectives.IWAE(1), 1),
        (objectives.CIWAE(3), 3),
        (objectives.Renyi(0.5, 4), 4),
        (objectives.TVO(2, 6), 6),
        (objectives.MIWAE(2, 5), 10),
        (objectives.PIWAE(3, 1), 3),
        (objectives.IWAE(4) + regularizers.LatentNorm(), 4),
    ],
)
def test_a_step_decodes_so_many_latents_of_each_example(objective, expected):
    seen = RowsSeen()
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    decoder = keras.Sequential([keras.Input((2,)), seen, keras.layers.Dense(4)])
    vae = tfvae.VAE(encoder, decoder, objective=objective)
    vae.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    for call in (vae.fit, vae.evaluate):
        call(zoo.binary(6, (4,)), batch_size=6, verbose=0)
        assert seen.rows == 6 * expected


@pytest.mark.parametrize("num_samples", [0, -1, 1.5, True])
@pytest.mark.parametrize("make", [tfvae.ELBO, tfvae.IWAE, objectives.MIWAE, objectives.CIWAE])
def test_numbers_of_latents_that_are_not_whole_and_from_one_are_refused(make, num_samples):
    with pytest.raises((ValueError, TypeError), match=matches("whole number from 1")):
        make(num_samples)


# ---- regularizers


def mmd(numbers):
    """By its definition, between one latent of each example and as many draws of the prior."""
    seed = tfvae.random.seed_for(numbers.terms.seed, "penalty")
    drawn = numbers.terms.prior.sample(len(numbers.rate), seed=seed)
    a, b, size = numbers.z[0], drawn.numpy(), numbers.z.shape[-1]

    def mean(left, right, pairs):
        squares = ((left[:, None] - right[None]) ** 2).sum(-1)
        kernel = sum(2 * size * s / (2 * size * s + squares) for s in (0.1, 0.2, 0.5, 1, 2, 5, 10))
        return kernel[pairs].mean()

    apart, every = ~np.eye(len(a), dtype=bool), np.ones((len(a), len(a)), bool)
    return mean(a, a, apart) + mean(b, b, apart) - 2 * mean(a, b, every)


PENALTIES = {
    regularizers.MMD: mmd,
    regularizers.LatentNorm: lambda numbers: (numbers.z**2).sum(-1).mean() / 2,
}


@covers(regularizers.MMD, "weight")
@covers(regularizers.LatentNorm, "weight")
@covers(regularizers.TotalCorrelation, "weight")
@covers(regularizers.Regularized, "objective", "regularizers")
@pytest.mark.parametrize("weight", [0, 0.5, -2.0, 10])
def test_a_weight_multiplies_the_penalty_in_a_sum_of_any_objective(numbers, weight):
    for make, penalty in PENALTIES.items():
        found = objectives.ELBO(beta=2.0) + make(weight)
        expected = numbers.distortion + 2.0 * numbers.rate + weight * penalty(numbers)
        assert largest_difference(found(numbers.terms), expected) < 1e-3
        found = objectives.ELBO(beta=2.0) + weight * make()
        assert largest_difference(found(numbers.terms), expected) < 1e-3
    both = regularizers.Regularized(objectives.IWAE(K), [make(weight) for make in PENALTIES])
    penalties = sum(penalty(numbers) for penalty in PENALTIES.values())
    expected = -log_mean_exp(numbers.log_weights) + weight * penalties
    assert largest_difference(both(numbers.terms), expected) < 1e-3
    unweighted = np.mean(regularizers.TotalCorrelation()(numbers.terms))
    found = (objectives.ELBO() + regularizers.TotalCorrelation(weight))(numbers.terms)
    assert largest_difference(found, numbers.distortion + numbers.rate + weight * unweighted) < 1e-3


@covers(regularizers.TotalCorrelation, "dataset_size")
@pytest.mark.parametrize("size", [1, 50, 60_000])
def test_the_size_of_the_data_divides_each_mean_over_the_batch(numbers, size):
    """By log N each: of one joint density and of D marginals."""
    found = regularizers.TotalCorrelation(dataset_size=size)(numbers.terms)
    shift = (numbers.z.shape[-1] - 1) * np.log(size)
    assert largest_difference(found, regularizers.TotalCorrelation()(numbers.terms) + shift) < 1e-3


# ---- estimators


@pytest.mark.parametrize(
    "objective",
    [objectives.ELBO(free_bits=0.1), objectives.ELBO(capacity=1.0), objectives.IWAE(3)],
)
def test_sticking_the_landing_refuses_what_is_not_linear_in_the_log_weights(objective):
    with pytest.raises(ValueError, match=matches("linear in the log-weights")):
        tfvae.mlp_vae((4,), 2, (3,), objective=objective, estimator=gradients.StickingTheLanding())


@covers(gradients.Enumeration, "max_values")
@pytest.mark.parametrize(("max_values", "allowed"), [(8, False), (9, True), (10, True)])
def test_enumeration_takes_up_to_its_number_of_values(max_values, allowed):
    classes = {"posterior": posteriors.Categorical(3), "prior": priors.Categorical(3)}
    estimator = gradients.Enumeration(max_values)
    if not allowed:
        with pytest.raises(ValueError, match=matches("at most 8 values", "9 values")):
            tfvae.mlp_vae((4,), 6, (3,), **classes, estimator=estimator)
        return
    vae = tfvae.mlp_vae((4,), 6, (3,), **classes, estimator=estimator, seed=0)
    vae.compile(run_eagerly=True)
    x = zoo.binary(5, (4,))
    found = vae.evaluate(x, verbose=0, return_dict=True)["distortion"]
    values = vae.posterior.enumerate_support(6)[:, None]
    weights = tf.exp(vae.encode(x).log_prob(values))
    expected = -tf.reduce_sum(weights * vae.decode(np.tile(values, (1, 5, 1))).log_prob(x), axis=0)
    assert found == pytest.approx(float(tf.reduce_mean(expected)), rel=1e-5)
