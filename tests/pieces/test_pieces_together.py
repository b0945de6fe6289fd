"""What pieces pass on: noise between layers, conditions row by row, what is missing, baselines."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference
from tests.support.noise import stream
from tfvae import gradients, likelihoods, objectives, priors
from tfvae.models import generation
from tfvae.objectives.terms import Terms

N = 20_000


def correlations(*parts):
    """The largest between any two columns, less 1 for those with themselves."""
    found = np.corrcoef(np.concatenate(parts, axis=1).T)
    return np.abs(found - np.eye(len(found))).max()


# ---- layers


def scattered(vae, spread=0.4):
    """The same model, its weights away from where they start."""
    rng = np.random.default_rng(1)
    for weight in vae.trainable_weights:
        weight.assign_add(rng.normal(0, spread, weight.shape).astype(np.float32))
    return vae


def normal_of(params):
    loc, raw = np.split(np.asarray(params, np.float64), 2, axis=-1)
    return loc, np.log1p(np.exp(raw)) + 1e-6


def prior_noise(vae, z):
    """Standard normals behind z = [z_3, z_2, z_1] of the prior."""
    given = [normal_of(network(above)) for network, above in zip(vae.prior.networks, z)]
    return [z[0], *((part - loc) / scale for part, (loc, scale) in zip(z[1:], given))]


def posterior_noise(vae, z, params):
    """Those behind z of the posterior, by the encoder's output for each row."""
    if isinstance(vae.posterior, tfvae.posteriors.BottomUp):
        upwards, networks = z[::-1], vae.posterior.networks
        given = [params, *(network(below) for network, below in zip(networks, upwards))]
        return [(part - loc) / scale for part, (loc, scale) in zip(upwards, map(normal_of, given))]
    given = [(0.0, np.inf), *(normal_of(n(above)) for n, above in zip(vae.prior.networks, z))]
    noise = []
    for part, (loc, scale), (other, other_scale) in zip(z, map(normal_of, params), given):
        precision = scale**-2 + other_scale**-2
        mean = (loc * scale**-2 + other * other_scale**-2) / precision
        noise.append((part - mean) * np.sqrt(precision))
    return noise


@pytest.mark.parametrize("ladder", [False, True])
def test_the_noise_of_layers_is_standard_normal_and_independent(ladder):
    """Of prior and posterior, by the stream of samples and by TFP; all layers are of one size."""
    vae = scattered(tfvae.hierarchical_vae((5,), (2, 2, 2), (4,), ladder=ladder, seed=0))
    x = np.random.default_rng(2).integers(0, 2, (1, 5)).astype(np.float32)
    params = tf.nest.map_structure(lambda p: tf.tile(p, [N, 1]), vae.encoder_params(x, None, False))
    by_tfp = [part[:, 0] for part in vae.encode(x).sample(N, seed=[1, 2])]
    for noise in (
        prior_noise(vae, vae.prior.sample(stream(N))),
        prior_noise(vae, vae.prior.distribution().sample(N, seed=[1, 2])),
        posterior_noise(vae, vae.posterior.sample(params, stream(N)), params),
        posterior_noise(vae, by_tfp, params),
    ):
        assert correlations(*noise) < 5 / np.sqrt(N)
        for column in np.concatenate(noise, axis=1).T:
            assert scipy.stats.kstest(column, scipy.stats.norm.cdf).pvalue > 1e-4


def test_the_noise_of_a_draw_of_x_is_not_that_of_its_latent():
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(6)])
    decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    vae = tfvae.VAE(encoder, decoder, likelihood=likelihoods.Normal(0.3))
    z, x = generation.generate(vae, stream(N), draw=True)
    noise = (x - vae.decode(z).mean()).numpy() / 0.3
    assert correlations(z, noise) < 5 / np.sqrt(N)
    assert noise.std() == pytest.approx(1.0, abs=0.02)


def test_where_a_sample_lies_in_its_component_does_not_tell_the_component():
    prior = priors.GaussianMixture(3)
    prior.build(1)
    prior.loc.assign([[-100.0], [0.0], [100.0]])
    z = prior.sample(stream(N)).numpy()[:, 0]
    component = np.round(z / 100)
    for i in (-1, 0, 1):
        within = z[component == i] - 100 * i
        assert len(within) > N / 4
        assert scipy.stats.kstest(within, scipy.stats.norm.cdf).pvalue > 1e-4


# ---- conditions


@pytest.mark.parametrize("num_components", [7, 30])
def test_a_vamp_prior_keeps_each_pseudo_input_with_its_own_condition(num_components):
    """Fewer of them than examples, and more; p(z) is the mixture of q(z|u, y) by the encoder."""
    rng = np.random.default_rng(0)
    x, y = rng.random((20, 4), np.float32), rng.normal(size=(20, 2)).astype(np.float32)
    pieces = {"prior": priors.VampPrior(num_components), "likelihood": likelihoods.Normal()}
    vae = tfvae.mlp_vae((4,), 2, (5,), condition=(2,), **pieces, seed=0)
    vae.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    vae.fit(x, y, batch_size=20, verbose=0)
    u, conditions = vae.prior.pseudo_inputs.numpy(), vae.prior.pseudo_conditions.numpy()
    rows = [int(np.flatnonzero((x == one).all(axis=1))[0]) for one in u]
    assert len(set(rows)) == 7 if num_components == 7 else len(set(rows)) > 12
    assert np.array_equal(conditions, y[rows])

    z = rng.normal(size=(6, 2)).astype(np.float32)
    loc, scale = normal_of(vae.encoder([x[rows], y[rows]]))
    components = scipy.stats.norm(loc, scale).logpdf(z[:, None]).sum(-1)
    expected = scipy.special.logsumexp(components, axis=1) - np.log(num_components)
    assert largest_difference(vae.prior.distribution().log_prob(z), expected) < 1e-4


def conditional(event=3):
    """x = y + W z + 0.1 e with q's mean y: what a row of y has become is seen in every output."""
    x, y = keras.Input((event,)), keras.Input((event,))
    encoder = keras.Model([x, y], keras.layers.Dense(2 * event)(keras.layers.concatenate([x, y])))
    kernel = np.zeros((2 * event, 2 * event))
    kernel[event:, :event] = np.eye(event)
    encoder.set_weights([kernel, np.zeros(2 * event)])
    z, y = keras.Input((event,)), keras.Input((event,))
    decoder = keras.Model([z, y], keras.layers.Dense(event)(keras.layers.concatenate([z, y])))
    mixing = np.random.default_rng(3).normal(size=(event, event))
    decoder.set_weights([np.concatenate([mixing, np.eye(event)]), np.zeros(event)])
    return tfvae.VAE(encoder, decoder, likelihood=likelihoods.Normal(0.1), seed=0), mixing


def test_conditions_follow_their_rows_over_pages_and_from_any_start():
    vae, mixing = conditional()
    y = np.random.default_rng(4).normal(size=(600, 3)).astype(np.float32)
    z = vae.sample_latent(1000, seed=5, y=np.zeros((1000, 3))).numpy()
    for start in (0, 257, 400):
        given = {"seed": 5, "y": y, "start": start}
        latent, expected = z[start : start + 600], z[start : start + 600] @ mixing + y
        assert largest_difference(vae.sample_latent(600, **given), latent) < 1e-5
        assert largest_difference(vae.sample(600, **given), expected) < 1e-4
    drawn = (vae.sample(600, seed=5, y=y, draw=True) - z[:600] @ mixing - y).numpy() / 0.1
    assert scipy.stats.kstest(drawn.ravel(), scipy.stats.norm.cdf).pvalue > 1e-4
    assert largest_difference(vae.reconstruct(0 * y, y), y @ mixing + y) < 1e-4
    assert largest_difference(vae.predict([0 * y, y], verbose=0), y @ mixing + y) < 1e-4


def test_conditions_follow_their_rows_where_all_data_are_encoded():
    """Active units, and the latents that a mixture is fitted to, over pages of 1,024."""
    vae, _ = conditional()
    y = np.zeros((1500, 3), np.float32)
    y[1024:, 0] = 1.0  # all that varies is on the second page
    assert tfvae.evaluation.active_units(vae, 0 * y, y) == 1
    y[1024:, 0] = 100.0
    found = priors.ExPostMixture(2).fit(vae, 0 * y, y)
    assert sorted(found.loc.numpy()[:, 0]) == pytest.approx([0.0, 100.0], abs=0.3)
    assert sorted(found.probabilities.numpy()) == pytest.approx([476 / 1500, 1024 / 1500], abs=1e-3)


# ---- what is missing


def test_the_optimal_scale_counts_what_is_observed_alone():
    """Its square is the mean of (x - loc)^2 over latents and what is observed; also after `fit`."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(6, 4)).astype(np.float32)
    x[rng.random(x.shape) < 0.4] = np.nan
    likelihood = likelihoods.Observed(likelihoods.Normal(optimal_scale=True))
    likelihood.build((4,))
    loc = rng.normal(size=(3, 6, 4)).astype(np.float32)
    variance = np.nanmean((x - loc).astype(np.float64) ** 2)
    logs = -0.5 * ((x - loc) ** 2 / variance + np.log(2 * np.pi * variance))
    found = likelihood.training_distribution(loc, x).log_prob(x)
    assert largest_difference(found, np.nansum(logs, axis=-1)) < 1e-4

    likelihood = likelihoods.Observed(likelihoods.Normal(optimal_scale=True))
    vae = tfvae.mlp_vae((4,), 2, (3,), likelihood=likelihood, seed=0)
    for weight in vae.decoder.weights:
        weight.assign(0 * weight)
    vae.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    vae.fit(x, batch_size=6, verbose=0)
    scale = likelihood.base.distribution(np.zeros((1, 4), np.float32)).distribution.scale
    assert float(scale) == pytest.approx(np.sqrt(np.nanmean(x**2)), rel=1e-5)
    # What is evaluated is measured by the scale of the training.
    found = vae.evaluate(2 * x, batch_size=6, verbose=0, return_dict=True)["distortion"]
    expected = -np.nansum(scipy.stats.norm(0.0, float(scale)).logpdf(2 * x), axis=-1).mean()
    assert found == pytest.approx(expected, rel=1e-5)


# ---- the leave-one-out baseline


def iwae_loss(log_weights):
    return np.log(len(log_weights)) - scipy.special.logsumexp(log_weights, axis=0)


RISE = keras.optimizers.schedules.PolynomialDecay(0.0, 10, end_learning_rate=1.0)


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("name", ["elbo", "elbo_warm_up", "iwae"])
def test_each_latent_is_pushed_by_what_the_loss_would_be_with_the_mean_of_the_others(name, count):
    """VIMCO, Mnih & Rezende 2016, equation 10, with the mean of K - 1; the ELBO's likewise."""
    rng = np.random.default_rng(7)
    logs = rng.normal(size=(3, count, 4))  # log p(x|z), log p(z), log q
    beta = 0.4 if name == "elbo_warm_up" else 1.0
    log_weights = logs[0] + beta * (logs[1] - logs[2])
    loss = iwae_loss if name == "iwae" else lambda log_weights: -log_weights.mean(axis=0)
    objective = {
        "elbo": objectives.ELBO(count, analytic_rate=False),
        "elbo_warm_up": objectives.ELBO(count, RISE, analytic_rate=False),
        "iwae": objectives.IWAE(count),
    }[name]
    log_q = tf.constant(logs[2], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(log_q)
        terms = Terms(tf.constant(logs[0], tf.float32), tf.constant(logs[1], tf.float32), log_q)
        (found,) = gradients.ScoreFunction().losses(objective, terms, 4)
    assert largest_difference(found, loss(log_weights)) < 1e-5
    gradient = tape.gradient(found, log_q).numpy()
    direct = np.full((count, 4), beta / count)
    if name == "iwae":
        direct = scipy.special.softmax(log_weights, axis=0)
    for k in range(count):
        others = np.delete(log_weights, k, axis=0).sum(axis=0) / (count - 1)
        without = np.concatenate([np.delete(log_weights, k, axis=0), others[None]])
        expected = loss(log_weights) - loss(without) + direct[k]
        assert gradient[k] == pytest.approx(expected, abs=1e-5)
