"""Likelihoods of levels, counts and categories, and the optimal scale, against exact formulas."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp
from scipy.special import expit, log_softmax, softmax

import tfvae
from tests.conftest import largest_difference, matches
from tests.support.nightly import nightly
from tests.support.noise import stream
from tfvae import likelihoods, random
from tfvae.ops import inverse_cdf
from tfvae.validation import data_checks

N = 20_000
LEVELS = np.arange(256) / 255


def built(likelihood, event_shape=(1,)):
    likelihood.build(event_shape)
    return likelihood


def log_probs(likelihood, params, x):
    """log p of the events x, `[N, *event]`, under the same params."""
    distribution = likelihood.distribution(tf.constant(params, tf.float32))
    return distribution.log_prob(x.astype(np.float32)).numpy()


def draws(likelihood, params, n=N, seed=5):
    params = np.tile(np.asarray(params, np.float32), (n,) + (1,) * np.ndim(params))
    return likelihood.draw(tf.constant(params), stream(n, seed)).numpy()


def chi_squared(found, probabilities):
    """The p-value of category numbers, the rare categories taken together."""
    counts = np.bincount(found, minlength=len(probabilities))
    often = len(found) * probabilities > 5
    counts = np.append(counts[often], counts[~often].sum())
    expected = np.append(probabilities[often], 1 - probabilities[often].sum()) * len(found)
    counts, expected = counts[expected > 1], expected[expected > 1]
    return scipy.stats.chisquare(counts, expected * counts.sum() / expected.sum()).pvalue


def level_probs(loc, scale):
    """Of the 256 levels, by the difference of CDFs on the side where they are small."""
    centre, half = (LEVELS - loc) / scale, 1 / 510 / scale
    side = np.where(centre > 0, -1.0, 1.0)
    lower, upper = centre - half, centre + half
    more = expit(side * np.where(side > 0, upper, lower))
    less = expit(side * np.where(side > 0, lower, upper))
    inner = more - less
    return np.concatenate([[expit(upper[0])], inner[1:-1], [expit(-lower[-1])]])


# ---- the optimal scale of the normal


def linear_vae(x, latent):
    encoder = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Dense(2 * latent)])
    decoder = keras.Sequential([keras.Input((latent,)), keras.layers.Dense(x.shape[1])])
    return tfvae.VAE(encoder, decoder, likelihood=likelihoods.Normal(optimal_scale=True), seed=0)


@pytest.mark.parametrize("jit", [nightly(True), False])
def test_the_optimal_scale_is_that_of_maximum_likelihood_and_survives_a_file(tmp_path, jit):
    """In probabilistic PCA the variance is the mean of the eigenvalues left out.

    Tipping & Bishop 1999, equation 8.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 6)) + 0.4 * rng.normal(size=(500, 6))
    vae = linear_vae(x.astype(np.float32), 2)
    schedule = keras.optimizers.schedules.CosineDecay(0.05, 600)
    vae.compile(keras.optimizers.Adam(schedule), jit_compile=jit)
    vae.fit(np.tile(x, (600, 1)), batch_size=500, shuffle=False, verbose=0)
    exact = np.sqrt(np.linalg.eigvalsh(np.cov(x.T, bias=True))[:4].mean())
    found = vae.decode(np.zeros((1, 2))).distribution.scale.numpy()
    assert found == pytest.approx(exact, rel=0.02)
    vae.save(tmp_path / "m.keras")
    loaded = tfvae.load_model(tmp_path / "m.keras")
    assert loaded.decode(np.zeros((1, 2))).distribution.scale.numpy() == found


def test_the_optimal_scale_of_a_step_gives_the_closed_form_and_the_gradient_of_its_logarithm():
    """-log p = d/2 (1 + log 2 pi s^2), s^2 the mean square: the locations enter through s alone."""
    likelihood = built(likelihoods.Normal(optimal_scale=True), (4,))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 4)).astype(np.float32)
    loc = tf.Variable(rng.normal(size=(3, 5, 4)), dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(likelihood.training_distribution(loc, x).log_prob(x))
    variance = np.square(x - loc.numpy().astype(np.float64)).mean()
    assert float(loss) == pytest.approx(0.5 * 4 * (1 + np.log(2 * np.pi * variance)), rel=1e-6)
    by_hand = (loc.numpy() - x) / variance / 15
    assert largest_difference(tape.gradient(loss, loc), by_hand) < 1e-6


def test_the_optimal_scale_elsewhere_is_the_average_of_the_steps():
    likelihood = built(likelihoods.Normal(0.3, optimal_scale=True), (4,))
    loc = tf.zeros([1, 2, 4])

    def scale():
        return float(likelihood.distribution(loc).distribution.scale)

    assert scale() == pytest.approx(0.3)
    for value in (2.0, 4.0):
        likelihood.training_distribution(loc, tf.fill([2, 4], value))
    assert scale() == pytest.approx(np.sqrt((0.99 * 4 + 16) / 1.99), rel=1e-5)
    likelihood.training_distribution(loc, tf.zeros([2, 4]))  # an exact fit has a density
    found = draws(likelihood, np.zeros(4))
    assert found.std() == pytest.approx(scale(), rel=0.02)


# ---- levels of eight bits


@pytest.mark.parametrize("loc", [-0.2, 0.0, 0.3, 0.501, 1.0, 1.3])
@pytest.mark.parametrize("scale", [5e-4, 0.004, 0.05, 1.0, 50.0])
def test_the_discretized_logistic_is_the_difference_of_its_cdf(loc, scale):
    likelihood = built(likelihoods.DiscretizedLogistic(scale))
    found = log_probs(likelihood, [loc - 0.5], LEVELS[:, None])
    exact = level_probs(loc, scale)
    seen = exact > 1e-200
    assert np.abs(found - np.log(np.maximum(exact, 1e-300)))[seen].max() < 1e-4 + 4e-7 / scale
    assert np.exp(found.astype(np.float64)).sum() == pytest.approx(1.0, abs=1e-5)
    accuracy = 1e-4 if scale >= 1 / 255 else 1 / 510
    mean = float(likelihood.mean(tf.constant([loc - 0.5]))[0])
    assert mean == pytest.approx((exact * LEVELS).sum(), abs=accuracy)


@pytest.mark.parametrize(("loc", "scale"), [(0.0, 0.02), (0.3, 0.004), (0.5, 1.0), (0.95, 0.1)])
def test_draws_of_the_discretized_logistic_follow_its_probabilities(loc, scale):
    likelihood = built(likelihoods.DiscretizedLogistic(scale))
    exact = np.exp(log_probs(likelihood, [loc - 0.5], LEVELS[:, None]).astype(np.float64))
    theirs = likelihood.distribution(tf.constant([loc - 0.5])).sample(N, seed=(0, 1)).numpy()
    for found in (draws(likelihood, [loc - 0.5]), theirs):
        assert likelihood.in_support(found).all()
        assert chi_squared(np.round(255 * found[:, 0]).astype(int), exact) > 1e-3


def by_hand(likelihood, params, x):
    """log p of pixels x `[N, C]` under `params [P]`, in the order its docstring gives."""
    m, c = likelihood.num_components, x.shape[1]
    rows = np.asarray(params, np.float64).reshape(-1, m)
    means, scales = rows[1 : 1 + c], 0.5 * np.exp(rows[1 + c : 1 + 2 * c])
    couplings = np.tanh(rows[1 + 2 * c :])
    coupling = {(1, 0): 0, (2, 0): 1, (2, 1): 2}
    total = np.tile(log_softmax(rows[0]), (len(x), 1))
    for pixel in range(len(x)):
        for i in range(c):
            shift = sum(couplings[coupling[i, j]] * (x[pixel, j] - 0.5) for j in range(i))
            for k in range(m):
                probs = level_probs((0.5 + means[i] + shift)[k], scales[i][k])
                total[pixel, k] += np.log(probs[int(round(255 * x[pixel, i]))])
    return np.logaddexp.reduce(total, axis=1)


def colour(num_components, channels, spread=1.0):
    """A mixture of one pixel, and params of which means, scales and couplings differ."""
    likelihood = built(likelihoods.DiscretizedLogisticMixture(num_components), (1, 1, channels))
    count = 1 + 2 * channels + channels * (channels - 1) // 2
    rows = np.random.default_rng(4).normal(size=(count, num_components))
    rows[1 : 1 + channels] *= 0.2 * spread
    rows[1 + channels : 1 + 2 * channels] = -3 + 0.5 * rows[1 + channels : 1 + 2 * channels]
    return likelihood, rows.reshape(1, 1, -1).astype(np.float32)


@pytest.mark.parametrize(("num_components", "channels"), [(1, 3), (4, 1), (3, 2), (5, 3)])
def test_the_mixture_is_its_formula(num_components, channels):
    likelihood, params = colour(num_components, channels)
    x = np.random.default_rng(1).integers(0, 256, (30, 1, 1, channels)) / 255
    x[:3], x[3:6] = 0, 1
    expected = by_hand(likelihood, params, x[:, 0, 0])
    assert largest_difference(log_probs(likelihood, params, x), expected) < 1e-3


def test_the_mixture_sums_to_one_over_two_channels_and_over_the_third_given_those():
    likelihood, params = colour(3, 2)
    pairs = np.stack(np.meshgrid(LEVELS, LEVELS, indexing="ij"), -1).reshape(-1, 1, 1, 2)
    probs = np.exp(log_probs(likelihood, params, pairs).astype(np.float64))
    assert probs.sum() == pytest.approx(1.0, abs=1e-4)

    likelihood, params = colour(3, 3)
    for first in ([0.2, 0.6], [0.0, 1.0]):
        x = np.concatenate([np.tile(first, (256, 1)), LEVELS[:, None]], axis=1)[:, None, None]
        rows = params.reshape(-1, 3)
        two = likelihoods.DiscretizedLogisticMixture(3)
        params_of_two = rows[[0, 1, 2, 4, 5, 7]].ravel()
        marginal = by_hand(two, params_of_two, np.array([first]))[0]
        total = np.log(np.exp(log_probs(likelihood, params, x).astype(np.float64)).sum())
        assert total == pytest.approx(marginal, abs=1e-3)


def test_draws_of_the_mixture_follow_its_joint_probabilities():
    """Chi-squared over 8 x 8 blocks of two channels, which share a component."""
    likelihood, params = colour(3, 2, spread=2.0)
    pairs = np.stack(np.meshgrid(LEVELS, LEVELS, indexing="ij"), -1).reshape(-1, 1, 1, 2)
    probs = np.exp(log_probs(likelihood, params, pairs).astype(np.float64))
    probs = probs.reshape(8, 32, 8, 32).sum(axis=(1, 3))
    theirs = likelihood.distribution(tf.constant(params)).sample(N, seed=(0, 1)).numpy()
    for found in (draws(likelihood, params), theirs):
        assert likelihood.in_support(found).all()
        block = np.round(255 * found[:, 0, 0]).astype(int) // 32
        assert chi_squared(8 * block[:, 0] + block[:, 1], probs.ravel()) > 1e-3


def test_draws_of_three_channels_are_coupled_in_order():
    """With one component each channel's CDF given the earlier ones is uniform.

    And it is independent of them.
    """
    likelihood, params = colour(1, 3)
    x = draws(likelihood, params)[:, 0, 0].astype(np.float64)
    rows = params.ravel().astype(np.float64)
    means, scales, k = rows[1:4], 0.5 * np.exp(rows[4:7]), np.tanh(rows[7:])
    assert np.abs(k).min() > 0.1
    shift = [0 * x[:, 0], k[0] * (x[:, 0] - 0.5), k[1] * (x[:, 0] - 0.5) + k[2] * (x[:, 1] - 0.5)]
    # Uniform noise fills the bin of each level again.
    filled = x + np.random.default_rng(0).uniform(-1 / 510, 1 / 510, x.shape)
    u = [expit((filled[:, i] - 0.5 - means[i] - shift[i]) / scales[i]) for i in range(3)]
    u = np.stack(u, axis=1)
    inside = ((x > 0) & (x < 1)).all(axis=1)
    assert inside.mean() > 0.95
    for i in range(3):
        assert scipy.stats.kstest(u[inside, i], "uniform").statistic < 0.03
    assert np.abs(np.corrcoef(u[inside].T) - np.eye(3)).max() < 0.04


@pytest.mark.parametrize(("num_components", "channels"), [(4, 1), (3, 3)])
def test_the_mean_of_the_mixture_is_that_of_its_draws(num_components, channels):
    """Within 4 standard errors and half a percent, away from 0 and 1."""
    likelihood, params = colour(num_components, channels, spread=0.5)
    found = draws(likelihood, params)
    stderr = found.std(axis=0) / np.sqrt(N)
    error = np.abs(found.mean(axis=0) - likelihood.mean(tf.constant(params)))
    assert (error < 4 * stderr + 5e-3).all()


# ---- counts


@pytest.mark.parametrize("mean", [1e-3, 0.7, 30.0, 1000.0])
def test_the_poisson_is_that_of_scipy(mean):
    likelihood = built(likelihoods.Poisson())
    params = np.array([np.log(mean)], np.float32)
    exact = scipy.stats.poisson(np.exp(np.float64(params[0])))
    x = np.arange(int(mean + 10 * np.sqrt(mean) + 10))
    found = log_probs(likelihood, params, x[:, None])
    assert np.abs(found - exact.logpmf(x)).max() < 1e-4 + 2e-6 * mean
    assert np.exp(found.astype(np.float64)).sum() == pytest.approx(1.0, abs=2e-3)
    assert float(likelihood.mean(tf.constant(params))[0]) == pytest.approx(exact.mean(), rel=1e-5)
    found = draws(likelihood, params)[:, 0].astype(int)
    assert chi_squared(found, exact.pmf(np.arange(max(found.max() + 1, len(x))))) > 1e-3


@pytest.mark.parametrize(
    ("mean", "r"),
    [
        (1e-3, 0.5),
        (0.7, 2.0),
        (30.0, 0.5),
        (1000.0, 1e5),
        nightly(1e-3, 1e5),
        nightly(30.0, 20.0),
        nightly(1000.0, 0.5),
    ],
)
@pytest.mark.parametrize("per_element", [True, nightly(False)])
def test_the_negative_binomial_is_that_of_scipy(mean, r, per_element):
    """Of mean m and variance m + m^2 / r."""
    likelihood = built(likelihoods.NegativeBinomial(r, per_element_dispersion=per_element))
    params = np.log(np.array([mean, r] if per_element else [mean], np.float32))
    exact = scipy.stats.nbinom(r, r / (r + mean))
    assert exact.var() == pytest.approx(mean + mean**2 / r, rel=1e-6)
    x = np.arange(int(mean + 10 * exact.std() + 10))
    found = log_probs(likelihood, params, x[:, None])
    likely = exact.logpmf(x) > -60
    assert np.abs(found - exact.logpmf(x))[likely].max() < 1e-4 + 2e-6 * mean
    assert float(likelihood.mean(tf.constant(params))[0]) == pytest.approx(mean, rel=1e-5)
    found = draws(likelihood, params)[:, 0].astype(int)
    assert chi_squared(found, exact.pmf(np.arange(max(found.max() + 1, len(x))))) > 1e-3


@pytest.mark.parametrize(
    ("mean", "r"),
    [(0.5, None), (1000.0, None), (1.0, 1e6), (1000.0, 1e4), nightly(1000.0, 1.0)],
)
def test_draws_of_counts_are_the_quantiles_of_their_uniforms(mean, r):
    """All but 1 in 50, which rounding makes a neighbour of the quantile.

    The last of the uniforms ends where probability does.
    """
    u = np.append(stream(N).uniform(1).numpy()[:, 0], np.float32(1 - 2.0**-23))
    exact = scipy.stats.poisson(mean) if r is None else scipy.stats.nbinom(r, r / (r + mean))
    means = tf.fill([N + 1], mean)
    if r is None:
        found = inverse_cdf.poisson(u, means)
    else:
        found = inverse_cdf.negative_binomial(u, means, tf.fill([N + 1], r))
    assert (found.numpy() != exact.ppf(u.astype(np.float64) + 2.0**-25)).mean() < 0.02
    assert found[-1] <= exact.isf(1e-13)


def test_means_beyond_the_exponential_still_have_a_gradient():
    params = tf.Variable([20.0, 1e4])
    with tf.GradientTape() as tape:
        mean = likelihoods.Poisson().mean(params)
    assert (tape.gradient(mean, params).numpy() > 0).all() and np.diff(mean) > 0


def test_a_draw_of_counts_ends_whatever_the_parameters():
    likelihood = built(likelihoods.NegativeBinomial(per_element_dispersion=True), (2,))
    params = tf.constant([[np.nan, -1e6, 0.0, 1e6], [-100.0, 1.0, -100.0, 1.0]])
    found = likelihood.draw(params, stream(2)).numpy()
    assert np.isfinite(found).all() and found[1, 0] == found[0, 1] == 0


def test_the_encoder_sees_the_logarithm_of_counts():
    view = likelihoods.Poisson().encoder_input(tf.constant([0.0, 1.0, 99.0, -3.0]))
    assert largest_difference(view, [0, np.log(2), np.log(100), 0]) < 1e-6
    vae = tfvae.mlp_vae((3,), 2, (4,), likelihood=likelihoods.Poisson(), seed=0)
    x = np.array([[0.0, 1.0, 99.0]], np.float32)
    assert largest_difference(vae.encode(x).mean(), vae.encoder(np.log1p(x))[:, :2]) < 1e-5


# ---- categories


def test_the_categorical_is_its_formula_and_draws_one_hot_vectors():
    likelihood = built(likelihoods.Categorical(), (2, 4))
    params = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
    probs = softmax(params.astype(np.float64), axis=-1)
    pairs = np.stack(np.meshgrid(range(4), range(4), indexing="ij"), -1).reshape(-1, 2)
    x = np.eye(4)[pairs]  # [16, 2, 4]
    found = log_probs(likelihood, params, x)
    assert found.shape == (16,)
    assert largest_difference(found, (x * np.log(probs)).sum(axis=(1, 2))) < 1e-6
    assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-6)
    assert largest_difference(likelihood.mean(tf.constant(params)), probs) < 1e-6
    drawn = draws(likelihood, params)
    assert likelihood.in_support(drawn).all()
    category = drawn.argmax(-1)
    assert chi_squared(4 * category[:, 0] + category[:, 1], np.outer(*probs).ravel()) > 1e-3
    assert likelihood.dimensions((2, 4)) == 2


def test_a_category_of_no_probability_is_not_drawn():
    likelihood = built(likelihoods.Categorical(), (5,))
    drawn = draws(likelihood, [-200.0, 0.3, 0.1, -0.2, -200.0], n=200_000)
    assert drawn.sum(axis=0)[[0, 4]].max() == 0


def test_a_last_category_of_weight_zero_is_not_drawn_where_the_sum_is_below_one():
    for size in range(2, 200):
        weights = np.append(np.full(size, 1 / size, np.float32), np.float32(0))
        assert inverse_cdf.one_hot(tf.constant(weights), tf.constant([1 - 2.0**-23]))[-1] == 0


# ---- what all have in common

FOUR_LEVELS = LEVELS[[0, 1, 128, 255]]
EXTREME = {
    "discretized_tiny": (lambda: likelihoods.DiscretizedLogistic(1e-6), (1,), FOUR_LEVELS),
    "discretized_wide": (lambda: likelihoods.DiscretizedLogistic(1e6), (1,), FOUR_LEVELS),
    "discretized_decoder": (
        lambda: likelihoods.DiscretizedLogistic(per_element_scale=True),
        (1,),
        FOUR_LEVELS,
    ),
    "mixture": (lambda: likelihoods.DiscretizedLogisticMixture(2), (1, 1, 3), LEVELS[[0, 1, 255]]),
    "poisson": (likelihoods.Poisson, (1,), np.array([0, 1, 10_000])),
    "negative_binomial": (
        lambda: likelihoods.NegativeBinomial(per_element_dispersion=True),
        (1,),
        np.array([0, 1, 10_000]),
    ),
    "categorical": (likelihoods.Categorical, (3,), np.eye(3)),
}


@pytest.mark.parametrize("name", EXTREME)
@pytest.mark.parametrize("size", [0.0, 10.0, 1e3, 1e6])
def test_extreme_parameters_give_finite_values_and_gradients(name, size):
    make, event_shape, x = EXTREME[name]
    likelihood = built(make(), event_shape)
    last = x.shape[-1] if x.ndim > 1 else 1
    columns = x.reshape(-1, *(1,) * (len(event_shape) - 1), last)
    x = np.broadcast_to(columns, (len(x), *event_shape))
    shape = likelihood.params_shape(event_shape)
    for seed in range(4):
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], shape)
        params = tf.Variable(size * signs, dtype=tf.float32)
        with tf.GradientTape() as tape:
            log_prob = likelihood.distribution(params[None]).log_prob(x.astype(np.float32))
        assert np.isfinite(log_prob).all()
        assert np.isfinite(tape.gradient(log_prob, params)).all()
        assert np.isfinite(likelihood.mean(params[None])).all()


REFUSED = {
    "grey": (
        likelihoods.DiscretizedLogistic,
        [[0.5]],
        ("DiscretizedLogistic", "multiples of 1/255", "round"),
    ),
    "bytes": (
        likelihoods.DiscretizedLogistic,
        [[0.0], [128.0]],
        ("128", "divide 8-bit values by 255"),
    ),
    "negative": (likelihoods.DiscretizedLogistic, [[-1.0]], ("Normal",)),
    "bytes_mixture": (
        likelihoods.DiscretizedLogisticMixture,
        np.full((2, 1, 1, 3), 255, np.uint8),
        ("DiscretizedLogisticMixture", "divide 8-bit values by 255"),
    ),
    "fraction": (likelihoods.Poisson, [[1.5]], ("Poisson", "whole numbers from 0", "raw counts")),
    "negative_count": (
        likelihoods.NegativeBinomial,
        [[3], [-1]],
        ("NegativeBinomial", r"x\[1, 0\] = -1", "Normal"),
    ),
    "infinite": (likelihoods.Poisson, [[np.inf]], ("Poisson", "infinite")),
    "two_categories": (
        likelihoods.Categorical,
        [[0, 1, 0], [1, 1, 0]],
        ("Categorical", "one-hot", "to_categorical", "3 such"),
    ),
    "no_category": (likelihoods.Categorical, [[0, 0, 0]], ("Categorical", "one-hot")),
    "half_category": (likelihoods.Categorical, [[1, 0.5, -0.5]], ("Categorical", "one-hot")),
    "not_a_number": (likelihoods.Categorical, [[1, np.nan, 0]], ("Categorical", "nan", "repair")),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_data_outside_the_support_are_refused_by_name(name):
    make, x, words = REFUSED[name]
    x = np.asarray(x)
    likelihood = make()
    with pytest.raises(ValueError, match=matches(*words)):
        data_checks.check_events(x, likelihood, x.shape[1:])
    as_tensor = likelihood.in_support(tf.constant(x))
    assert as_tensor.shape == x.shape and np.array_equal(as_tensor, likelihood.in_support(x))


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int64", "bool"])
def test_data_within_the_support_pass_in_every_dtype(dtype):
    x = np.eye(3).astype(dtype)
    levels = likelihoods.DiscretizedLogistic()
    for likelihood in (likelihoods.Categorical(), likelihoods.Poisson(), levels):
        assert likelihood.in_support(x).all()
        if dtype != "bool":  # no tensor operator compares these with numbers
            assert np.asarray(likelihood.in_support(tf.constant(x))).all()
    assert levels.in_support((np.arange(256) / 255).astype(np.float32)).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: likelihoods.Normal(optimal_scale=True, learn_scale=True),
        lambda: likelihoods.Normal(optimal_scale=True, per_element_scale=True),
        lambda: likelihoods.DiscretizedLogistic(0.0),
        lambda: likelihoods.DiscretizedLogistic(learn_scale=True, per_element_scale=True),
        lambda: likelihoods.DiscretizedLogisticMixture(0),
        lambda: tfvae.mlp_vae(
            (4, 4), 2, (3,), likelihood=likelihoods.DiscretizedLogisticMixture(2)
        ),
        lambda: likelihoods.NegativeBinomial(-1.0),
        lambda: tfvae.mlp_vae((4, 1), 2, (3,), likelihood=likelihoods.Categorical()),
    ],
)
def test_settings_out_of_range_are_refused(make):
    with pytest.raises(ValueError, match=matches()):
        make()


@pytest.mark.parametrize(
    ("make", "event_shape"),
    [
        (likelihoods.Poisson, (4,)),
        (lambda: likelihoods.NegativeBinomial(per_element_dispersion=True), (4,)),
        (lambda: likelihoods.DiscretizedLogisticMixture(3), (2, 2, 3)),
        (lambda: likelihoods.DiscretizedLogistic(per_element_scale=True), (4,)),
        (lambda: likelihoods.Laplace(0.7), (4,)),
        (lambda: likelihoods.StudentT(0.7, df=0.5), (4,)),
        (lambda: likelihoods.StudentT(0.7, df=1e7), (4,)),
        (likelihoods.ContinuousBernoulli, (4,)),
        (likelihoods.Categorical, (4,)),
    ],
)
@pytest.mark.parametrize("size", [nightly(1e-3), 1.0])
def test_a_draw_on_the_device_is_that_of_python(make, event_shape, size):
    from ai_edge_litert.interpreter import Interpreter

    likelihood = built(make(), event_shape)
    shape = (5, *likelihood.params_shape(event_shape))

    def draw(params, seed):
        return likelihood.draw(params, random.Stream(random.seed_key(seed), tf.range(5)))

    specs = tf.TensorSpec(shape), tf.TensorSpec([1], tf.int32)
    traced = tf.function(draw).get_concrete_function(*specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    interpreter = Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    params = size * np.random.default_rng(0).normal(size=shape).astype(np.float32)
    for port in interpreter.get_input_details():
        value = params if len(port["shape"]) > 1 else np.array([7], np.int32)
        interpreter.set_tensor(port["index"], value)
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    expected = draw(tf.constant(params), tf.constant([7])).numpy()
    assert (np.abs(found - expected) / (1.0 + np.abs(expected))).max() < 1e-5


# x and logits of many elements, of a prime number of them, of images; each broadcast to the other.
@pytest.mark.parametrize(
    "event_shape, x_batch, batch",
    [
        ((784,), (5,), (3, 5)),
        ((17,), (5,), (5,)),
        ((4, 7, 1), (6, 5), (5,)),
        nightly((3,), (), (2, 5)),
        nightly((28, 28, 1), (5,), ()),
    ],
)
@pytest.mark.parametrize("jit_compile", [True, False])
def test_the_bernoulli_of_whole_events_is_tfps_with_its_gradients(
    event_shape, x_batch, batch, jit_compile
):
    random = np.random.default_rng(0)
    x = tf.constant(random.integers(0, 2, (*x_batch, *event_shape)), tf.float32)
    logits = tf.constant(random.normal(0, 5, (*batch, *event_shape)), tf.float32)
    likelihood = tfvae.likelihoods.Bernoulli()
    likelihood.build(event_shape)

    @tf.function(jit_compile=jit_compile)
    def found(x, logits, distribution):
        with tf.GradientTape() as tape:
            tape.watch((x, logits))
            log_prob = distribution(logits).log_prob(x)
            value = tf.reduce_sum(log_prob * tf.random.stateless_normal(tf.shape(log_prob), (1, 2)))
        return log_prob, *tape.gradient(value, (x, logits))

    def reference(logits):
        each = tfp.distributions.Bernoulli(logits=logits)
        return tfp.distributions.Independent(each, len(event_shape))

    ours, theirs = found(x, logits, likelihood.distribution), found(x, logits, reference)
    assert ours[0].numpy() == pytest.approx(theirs[0].numpy(), rel=1e-6)
    for gradient, expected in zip(ours[1:], theirs[1:]):
        assert gradient.shape == expected.shape
        assert gradient.numpy() == pytest.approx(expected.numpy(), abs=1e-4)


def test_the_bernoulli_is_exact_at_its_ends_and_its_gradient_the_error_of_the_mean():
    logits = tf.constant(
        [[-90.0, -17.0, -1.5, 0.0], [0.0, 2.5, 17.0, 90.0], [90.0, -90.0, 90.0, -90.0]]
    )
    x = tf.constant([[1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 1.0, 0.0]])
    likelihood = tfvae.likelihoods.Bernoulli()
    likelihood.build((4,))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        found = likelihood.distribution(logits).log_prob(x)
    each = tfp.distributions.Bernoulli(logits=logits)
    expected = tfp.distributions.Independent(each, 1).log_prob(x)
    assert found.numpy() == pytest.approx(expected.numpy(), rel=1e-6)
    error = (x - tf.sigmoid(logits)).numpy()
    assert tape.gradient(found, logits).numpy() == pytest.approx(error, abs=1e-6)
    # Of logits that are no numbers it is none either, and not a probability of 1.
    assert np.isnan(likelihood.distribution(logits * np.nan).log_prob(x)).all()
    sliced = likelihood.distribution(logits)[1:]
    assert sliced.log_prob(x[1:]).numpy() == pytest.approx(expected[1:].numpy(), rel=1e-6)
