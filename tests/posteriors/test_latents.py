"""Latents that are no vector of normals: on the sphere, in classes, without density, in layers."""

import keras
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tests.conftest import largest_difference, matches
from tests.gradients.test_gradients import estimates, within
from tests.support import scales, zoo
from tfvae import (
    evaluation,
    flows,
    gradients,
    objectives,
    posteriors,
    priors,
    random,
    regularizers,
)
from tfvae.posteriors.sphere import AngleGrid

tfd = tfp.distributions
N = 20_000


def stream(n=N, seed=5):
    return random.Stream(random.seed_key(tf.constant(seed)), tf.range(n))


# ---- the sphere


@pytest.mark.parametrize("size", [2, 3, 8, 50])
def test_the_density_and_the_divergence_are_the_bessel_functions_ones(size):
    kappa = np.array([1.0, 1.7, 10.0, 300.0, 10_000.0])
    raw = np.log(np.expm1(np.minimum(kappa - 1 + 1e-9, 80)))[:, None]
    direction = np.eye(1, size).repeat(5, 0)
    params = np.concatenate([direction, raw], axis=1, dtype=np.float32)
    q = posteriors.VonMisesFisher().distribution(params)
    kappa = q.concentration.numpy().astype(np.float64)
    order = size / 2 - 1
    log_bessel = np.log(scipy.special.ive(order, kappa)) + kappa
    log_c = order * np.log(kappa) - size / 2 * np.log(2 * np.pi) - log_bessel
    assert largest_difference(q.log_prob(q.direction), log_c + kappa) < 1e-3
    ratio = scipy.special.ive(size / 2, kappa) / scipy.special.ive(order, kappa)
    area = np.log(2) + size / 2 * np.log(np.pi) - scipy.special.gammaln(size / 2)
    p = priors.UniformSphere()
    p.build(size)
    divergence = log_c + kappa * ratio + area
    assert largest_difference(q.kl_divergence(p.distribution()), divergence) < 2e-3


def cosine_cdf(size, concentration):
    """The CDF of 1 - cos of the angle between z and mu, by integration in double precision."""
    angles = np.linspace(0, np.pi, 400_001)
    log_sine = np.log(np.maximum(np.sin(angles), 1e-300))
    log_density = concentration * (np.cos(angles) - 1) + (size - 2) * log_sine
    density = np.exp(log_density - log_density.max())
    below = scipy.integrate.cumulative_trapezoid(density, angles, initial=0)

    def cdf(one_minus):
        at = np.arccos(1 - np.asarray(one_minus, np.float64))
        return np.interp(at, angles, below / below[-1])

    return cdf


@pytest.mark.parametrize("size", [2, 3, 8, 50])
@pytest.mark.parametrize("concentration", [1.01, 10.0, 300.0, 10_000.0])
def test_the_angle_follows_von_mises_and_fisher(size, concentration):
    """Kolmogorov-Smirnov at a level of 0.001, and quantiles within 2e-4 of the CDF."""
    away = AngleGrid(tf.fill([N], concentration), size).quantile(stream().uniform(1)[:, 0]).numpy()
    cdf = cosine_cdf(size, concentration)
    assert scipy.stats.kstest(away, cdf).pvalue > 1e-3
    u = np.linspace(0.001, 0.999, 999, dtype=np.float32)
    found = cdf(AngleGrid(tf.fill([999], concentration), size).quantile(u))
    # More than 1 - cos resolves in float32 would be asked for by a narrower bound.
    assert largest_difference(found, u) < (2e-4 if concentration < 1000 or size > 2 else 2e-3)


@pytest.mark.parametrize("size", [2, 3, 8, 50])
@pytest.mark.parametrize("concentration", [2.0, 40.0])
def test_the_gradient_by_the_concentration_is_that_of_the_exact_mean(size, concentration):
    """E[cos] = A(kappa) = I_D/2 / I_D/2-1, and dA/dkappa = 1 - A^2 - (D - 1) A / kappa."""
    u = (tf.range(50_000, dtype=tf.float32) + 0.5) / 50_000
    kappa = tf.constant(concentration)
    with tf.GradientTape() as tape:
        tape.watch(kappa)
        cosine = 1.0 - tf.reduce_mean(AngleGrid(tf.fill([50_000], kappa), size).quantile(u))
    above = scipy.special.ive(size / 2, concentration)
    ratio = above / scipy.special.ive(size / 2 - 1, concentration)
    assert float(cosine) == pytest.approx(ratio, abs=1e-4)
    exact = 1 - ratio**2 - (size - 1) * ratio / concentration
    assert float(tape.gradient(cosine, kappa)) == pytest.approx(exact, rel=5e-3)


@pytest.mark.parametrize("size", [2, 3, 6])
def test_a_von_mises_fisher_posterior_points_where_it_says(size):
    posterior = posteriors.VonMisesFisher()
    raw = np.random.default_rng(1).normal(size=(1, size + 1)).astype(np.float32)
    raw[0, -1] = 5.0
    q = posterior.distribution(raw)
    mean = q.mean().numpy()[0]
    exact = tfd.VonMisesFisher(q.direction[0], q.concentration[0])
    assert largest_difference(mean, exact.mean()) < 1e-5
    for z in (q.sample(N, seed=[1, 2])[:, 0], posterior.sample(np.tile(raw, (N, 1)), stream())):
        assert largest_difference(tf.norm(z, axis=-1), tf.ones(N)) < 1e-5
        assert largest_difference(z.numpy().mean(0), mean) < 4 / np.sqrt(N)
        assert largest_difference(np.cov(z.numpy().T), exact.covariance()) < 0.02
    p = priors.UniformSphere()
    p.build(size)
    difference = q.log_prob(z[:, None])[:, 0] - p.distribution().log_prob(z)
    stderr = float(tf.math.reduce_std(difference)) / np.sqrt(N)
    divergence = float(q.kl_divergence(p.distribution())[0])
    assert divergence == pytest.approx(float(tf.reduce_mean(difference)), abs=4 * stderr)


def test_densities_on_the_circle_and_the_sphere_integrate_to_one():
    angle = np.linspace(0, 2 * np.pi, 4001)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1).astype(np.float32)
    q = posteriors.VonMisesFisher().distribution(np.array([[0.3, -1.0, 2.0]], np.float32))
    assert np.trapezoid(q.prob(circle[:, None])[:, 0], angle) == pytest.approx(1.0, abs=1e-4)
    p = priors.UniformSphere()
    p.build(3)
    density = float(p.distribution().prob(tf.constant([0.0, 0.6, 0.8])))
    assert density == pytest.approx(1 / (4 * np.pi), rel=1e-5)
    z = p.sample(stream()).numpy()
    for coordinate in z.T:  # Archimedes: each coordinate of the sphere in R^3 is uniform
        assert scipy.stats.kstest(coordinate, scipy.stats.uniform(-1, 2).cdf).pvalue > 1e-3


# ---- classes


@pytest.fixture(scope="module")
def classes():
    """Two groups of three classes, away from where they start."""
    vae = tfvae.mlp_vae(
        (4, 4, 1),
        6,
        (5,),
        posterior=posteriors.Categorical(3),
        prior=priors.Categorical(3, learn_weights=True),
        seed=0,
    )
    rng = np.random.default_rng(2)
    for weight in vae.trainable_weights:
        weight.assign(0.5 * weight + rng.normal(0, 0.15, weight.shape).astype(np.float32))
    return vae


def test_classes_sum_to_one_and_draw_as_often_as_they_should(classes):
    values = classes.posterior.values(6)
    assert values.shape == (9, 6) and len(np.unique(values, axis=0)) == 9
    q = classes.encode(zoo.binary(4))
    assert largest_difference(tf.reduce_sum(q.prob(values[:, None]), axis=0), tf.ones(4)) < 1e-5
    p = classes.prior.distribution()
    params = tf.tile(classes.encoder_params(zoo.binary(1), None, False), [N, 1])
    for draws, probabilities in (
        (classes.prior.sample(stream()), p.prob(values)),
        (classes.posterior.sample(params, stream()), q.prob(values[:, None])[:, 0]),
    ):
        found = (draws.numpy()[:, None] == values[None]).all(-1).sum(0)
        probabilities = probabilities.numpy().astype(np.float64)
        assert scipy.stats.chisquare(found, N * probabilities / probabilities.sum()).pvalue > 1e-3
    log_ratio = q.log_prob(values[:, None]) - p.log_prob(values)[:, None]
    exact = tf.reduce_sum(q.prob(values[:, None]) * log_ratio, axis=0)
    assert largest_difference(q.kl_divergence(p), exact) < 1e-5


def exact_terms(vae, x):
    """By enumeration with the model's public parts: the ELBO and log p(x), `[B]`."""
    values = vae.posterior.values(6)[:, None]
    q = vae.encode(x)
    log_likelihood = vae.decode(np.tile(values, (1, len(x), 1))).log_prob(x)
    log_joint = log_likelihood + vae.prior.distribution().log_prob(values)
    log_q = q.log_prob(values)
    elbo = tf.reduce_sum(tf.exp(log_q) * (log_joint - log_q), axis=0)
    return elbo, tf.reduce_logsumexp(log_joint, axis=0)


def test_enumeration_is_the_bound_and_importance_sampling_the_likelihood(classes):
    x = zoo.binary(6)
    elbo, log_likelihood = exact_terms(classes, x)
    assert isinstance(classes.estimator, gradients.Enumeration)
    classes.compile(run_eagerly=True)
    found = classes.evaluate(x, verbose=0, return_dict=True)
    assert found["elbo"] == pytest.approx(float(tf.reduce_mean(elbo)), abs=1e-4)
    assert found["loss"] == pytest.approx(-found["elbo"], abs=1e-4)
    sampled = tfvae.evaluation.log_likelihood(classes, x, 8)  # of 9 values
    assert largest_difference(sampled, log_likelihood) < 1.0
    assert (log_likelihood > elbo).numpy().all()


@pytest.mark.parametrize("numbers", [2**20, 80])
def test_the_likelihood_of_few_classes_is_counted_if_that_costs_no_more_than_samples(
    classes, monkeypatch, numbers
):
    """The sum over all nine values, at once or in chunks of 5, whatever the seed."""
    monkeypatch.setattr(evaluation, "_AT_ONCE", {"CPU": numbers, "GPU": numbers})
    x = zoo.binary(6)
    elbo, log_likelihood = exact_terms(classes, x)
    for num_samples in (9, 5000):
        found = [evaluation.estimate(classes, x, num_samples, seed) for seed in (0, 1)]
        assert all(np.array_equal(a, b) for a, b in zip(*found))
        assert largest_difference(found[0].log_likelihood, log_likelihood) < 1e-5
        assert largest_difference(found[0].elbo, elbo) < 1e-5
        assert largest_difference(found[0].gap, log_likelihood - elbo) < 1e-5
        assert found[0].distortion == pytest.approx(-(found[0].elbo + found[0].rate), abs=1e-9)
    report = evaluation.evaluate(classes, x, 5000)
    assert (report.exact, report.num_samples) == (True, 9)
    few = evaluation.evaluate(classes, x, 8)
    assert (few.exact, few.num_samples) == (False, 8)
    several = [evaluation.log_likelihood(classes, x, 8, seed) for seed in (0, 1)]
    assert not np.array_equal(*several)


def test_the_score_function_expects_the_gradient_of_the_enumeration(classes):
    x = tf.constant(zoo.binary(6))
    exact, encoder = estimates(classes, x, tfvae.ELBO(), gradients.Enumeration(), 1)
    found, _ = estimates(classes, x, tfvae.ELBO(10), gradients.ScoreFunction(), 400)
    for part in (slice(None, encoder), slice(encoder, None)):
        assert within(found[:, part], exact[0, part])
        stderr = found[:, part].std(axis=0) / 20
        assert np.abs(exact[0, part]).max() > 10 * stderr.max()
    variables = [v.value for v in classes.trainable_variables]
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(exact_terms(classes, x)[0])
    by_hand = np.concatenate([np.ravel(g) for g in tape.gradient(loss, variables)])
    assert largest_difference(exact[0], by_hand) < 1e-4


def test_the_estimator_of_classes_is_chosen_by_how_many_values_there_are():
    few = {"posterior": posteriors.Categorical(), "prior": priors.Categorical()}
    vae = tfvae.mlp_vae((4, 4, 1), 3, (4,), **few)
    assert isinstance(vae.estimator, gradients.Enumeration)
    many = {"posterior": posteriors.Categorical(10), "prior": priors.Categorical(10)}
    vae = tfvae.mlp_vae((4, 4, 1), 200, (4,), objective=tfvae.ELBO(4), **many)
    assert isinstance(vae.estimator, gradients.ScoreFunction)
    for estimator in (gradients.Enumeration(), gradients.Pathwise()):
        with pytest.raises(ValueError, match=matches("Categorical")):
            tfvae.mlp_vae((4, 4, 1), 200, (4,), **many, estimator=estimator)
    few = {"posterior": posteriors.Categorical(), "prior": priors.Categorical()}
    with pytest.raises(ValueError, match=matches("expectations", "IWAE")):
        tfvae.mlp_vae((4, 4, 1), 3, (4,), **few, objective=tfvae.IWAE(3))


@pytest.mark.parametrize("temperature", [0.4, 1.0])
def test_relaxed_classes_integrate_to_one_and_draw_from_their_density(temperature):
    prior = priors.RelaxedCategorical(2, temperature, learn_weights=True)
    prior.build(2)
    prior.logits.assign([0.7, -0.2])
    p = prior.distribution()
    edge = scipy.special.expit(np.linspace(-60, 60, 200_001))  # finer where the density is steep
    points = np.stack([edge, scipy.special.expit(np.linspace(60, -60, 200_001))], axis=-1)
    density = np.exp(p.log_prob(points.astype(np.float32)).numpy().astype(np.float64))
    below = scipy.integrate.cumulative_trapezoid(density, edge, initial=0)
    assert below[-1] == pytest.approx(1.0, abs=5e-3)
    draws = prior.sample(stream()).numpy()[:, 0]
    assert scipy.stats.kstest(draws, lambda z: np.interp(z, edge, below)).pvalue > 1e-3
    assert scipy.stats.ks_2samp(draws, p.sample(N, seed=[1, 2]).numpy()[:, 0]).pvalue > 1e-3
    # Maddison et al. 2017, proposition 1b.
    assert (draws > 0.5).mean() == pytest.approx(scipy.special.expit(0.9), abs=0.015)


def test_the_largest_of_relaxed_classes_comes_as_often_as_its_weight():
    """Proposition 1b of Maddison et al. 2017, for three classes: no symmetry hides a sign."""
    prior = priors.RelaxedCategorical(3, 0.5, learn_weights=True)
    prior.build(3)
    prior.logits.assign([1.5, 0.0, -1.0])
    found = np.bincount(prior.sample(stream()).numpy().argmax(1), minlength=3)
    expected = N * scipy.special.softmax(np.array([1.5, 0.0, -1.0]))
    assert scipy.stats.chisquare(found, expected).pvalue > 1e-3


def test_relaxed_classes_stay_finite_where_a_class_vanishes():
    vae = zoo.BUILDERS["relaxed-relaxed"]().vae
    params = tf.constant([[80.0, 0.0, -80.0]])
    with tf.GradientTape() as tape:
        tape.watch(params)
        q = vae.posterior.distribution(params)
        z, log_q = q.experimental_sample_and_log_prob(20, seed=[1, 2])
        loss = tf.reduce_sum(log_q - vae.prior.distribution().log_prob(tf.identity(z)))
    assert np.isfinite(loss) and np.isfinite(tape.gradient(loss, params)).all()


def test_the_temperature_anneals_by_a_callback_and_is_saved(tmp_path):
    vae, x, _ = zoo.BUILDERS["relaxed-relaxed"]()
    vae.compile(run_eagerly=True)

    def halve(epoch, logs):
        vae.posterior.temperature.assign(0.5**epoch)

    anneal = keras.callbacks.LambdaCallback(on_epoch_begin=halve)
    vae.fit(x, epochs=3, verbose=0, callbacks=[anneal])
    vae.save(tmp_path / "m.keras")
    assert float(tfvae.load_model(tmp_path / "m.keras").posterior.temperature) == 0.25


# ---- no density


def test_an_autoencoder_learns_and_gets_a_prior_afterwards(digits, tmp_path):
    vae = tfvae.mlp_vae(
        digits.event_shape,
        8,
        (64,),
        posterior=posteriors.Deterministic(),
        likelihood=tfvae.likelihoods.Normal(0.2),
        objective=tfvae.ELBO(beta=0.0) + 0.01 * regularizers.LatentNorm(),
        seed=0,
    )
    vae.compile(keras.optimizers.Adam(3e-3), jit_compile=False)
    history = vae.fit(digits.x_train, batch_size=100, epochs=15, verbose=0).history
    assert set(history) == {"loss", "distortion"}
    assert history["distortion"][-1] < history["distortion"][0] - 20
    z = vae.encode(digits.x_train).mean().numpy()
    penalty = history["loss"][-1] - history["distortion"][-1]
    assert 0.5 * (z**2).sum(1).mean() * 0.01 == pytest.approx(penalty, rel=0.1)

    prior = priors.ExPostMixture(10).fit(vae, digits.x_train)
    better = vae.with_prior(prior)
    now, before = prior.distribution(), vae.prior.distribution()
    gain = tf.reduce_mean(now.log_prob(z)) - tf.reduce_mean(before.log_prob(z))
    assert float(gain) > 1
    found = better.sample_latent(5000, seed=1).numpy()
    assert largest_difference(found.mean(0), z.mean(0)) < 0.15 * z.std()
    assert largest_difference(np.cov(found.T), np.cov(z.T)) < 0.2 * z.var()
    better.compile()
    better.save(tmp_path / "rae.keras")
    loaded = tfvae.load_model(tmp_path / "rae.keras")
    assert largest_difference(loaded.sample(3, seed=1), better.sample(3, seed=1)) < 1e-6
    for question in (tfvae.evaluation.log_likelihood, tfvae.evaluation.evaluate):
        with pytest.raises(ValueError, match=matches("density", "Deterministic")):
            question(better, digits.x_test, 10)


def test_an_ex_post_mixture_has_the_density_that_scikit_learn_fitted(digits_vae, digits):
    from sklearn.mixture import GaussianMixture

    x = (digits.x_train[:400] > 0.5).astype(np.float32)
    prior = priors.ExPostMixture(3, seed=4).fit(digits_vae, x)
    z = digits_vae.encode(x).sample(seed=random.seed_for(tf.constant([4, 0]), "aggregate")).numpy()
    exact = GaussianMixture(3, random_state=4).fit(z).score_samples(z)
    assert largest_difference(prior.distribution().log_prob(z), exact) < 2e-3
    held_out = (digits.x_test > 0.5).astype(np.float32)
    log_likelihood = tfvae.evaluation.log_likelihood
    ours = log_likelihood(digits_vae.with_prior(prior), held_out, 200).mean()
    theirs = log_likelihood(digits_vae, held_out, 200).mean()
    assert np.isfinite(ours) and abs(ours - theirs) < 3


@pytest.mark.parametrize(
    "objective",
    [
        tfvae.ELBO(),
        tfvae.IWAE(3),
        tfvae.ELBO(beta=0.0) + regularizers.TotalCorrelation(),
        objectives.CIWAE(3),
    ],
)
def test_objectives_that_need_a_density_are_refused_without_one(objective):
    with pytest.raises(ValueError, match=matches("density", "Deterministic")):
        tfvae.mlp_vae((4, 4, 1), 2, (4,), posterior=posteriors.Deterministic(), objective=objective)


def test_penalties_of_the_networks_are_in_the_loss():
    penalized = keras.layers.Dense(4, kernel_regularizer=keras.regularizers.L2(0.5))
    encoder = keras.Sequential([keras.Input((6,)), penalized])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(6)])
    vae = tfvae.VAE(encoder, decoder, likelihood=tfvae.likelihoods.Normal(), seed=0)
    for weight in decoder.weights:
        weight.assign(0 * weight)
    before = encoder.weights[0].numpy()
    vae.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    # No gradient reaches the kernel but the penalty's.
    vae.fit(np.zeros((4, 6), np.float32), verbose=0)
    assert largest_difference(encoder.weights[0], before * (1 - 0.1 * 2 * 0.5)) < 1e-6


# ---- layers


class Chain:
    """z_2 ~ N(0, 1), z_1 = a z_2 + s e_1, x = w z_1 + t e.

    Every distribution is normal, and each q can be exact.
    """

    A, S, T = 0.8, 0.6, 0.5
    W = np.array([1.0, -0.7, 0.4])

    def __init__(self, ladder, error=0.0):
        marginal = self.A**2 + self.S**2  # of z_1
        self.covariance = marginal * np.outer(self.W, self.W) + self.T**2 * np.eye(3)
        rng = np.random.default_rng(0)
        self.x = rng.multivariate_normal(np.zeros(3), self.covariance, 30).astype(np.float32)
        likelihood_precision = self.W @ self.W / self.T**2
        gain = self.W / self.T**2  # x @ gain = precision * mean of z_1 by the likelihood
        gain = gain + error
        down = normal_network(1, 1, [[self.A]], self.S)
        prior = priors.Hierarchy([down])
        if ladder:
            ours = gain / likelihood_precision, likelihood_precision**-0.5
            variance = self.S**2 + 1 / likelihood_precision  # of the likelihood's z_1 given z_2
            precision = 1 + self.A**2 / variance
            top = self.A / variance / precision * ours[0], precision**-0.5
            inputs = keras.Input((3,))
            networks = [normal_network(3, 1, kernel[:, None], s) for kernel, s in (top, ours)]
            params = [network(inputs) for network in networks]
            encoder, posterior = keras.Model(inputs, params), posteriors.Ladder()
        else:
            precision = 1 / marginal + likelihood_precision
            encoder = normal_network(3, 1, (gain / precision)[:, None], precision**-0.5)
            up = 1 + self.A**2 / self.S**2
            upwards = normal_network(1, 1, [[self.A / self.S**2 / up]], up**-0.5)
            posterior = posteriors.BottomUp([upwards])
        decoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(3, use_bias=False)])
        decoder.set_weights([self.W[None]])
        likelihood = tfvae.likelihoods.Normal(self.T)
        self.vae = tfvae.VAE(encoder, decoder, posterior, prior, likelihood, seed=0)

    def log_likelihood(self):
        return scipy.stats.multivariate_normal(np.zeros(3), self.covariance).logpdf(self.x)


def normal_network(inputs, outputs, kernel, scale):
    """A linear network that gives N(x @ kernel, scale^2)."""
    network = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(2 * outputs)])
    kernel = np.asarray(kernel, np.float32)
    raw = scales.raw_of(scale)
    network.set_weights([np.concatenate([kernel, 0 * kernel], axis=1), np.array([0.0, raw])])
    return network


@pytest.mark.parametrize("ladder", [False, True])
def test_at_the_exact_posterior_of_two_layers_every_log_weight_is_the_log_likelihood(ladder):
    chain = Chain(ladder)
    log_weights = chain.vae.log_weights(chain.x, 7, seed=1)
    assert largest_difference(log_weights, np.broadcast_to(chain.log_likelihood(), (7, 30))) < 2e-4
    given = chain.vae, chain.x, tfvae.ELBO(1)
    sticking, encoder = estimates(*given, gradients.StickingTheLanding(), 3)
    pathwise, _ = estimates(*given, gradients.Pathwise(), 3)
    assert np.abs(sticking[:, :encoder]).max() < 1e-3
    assert np.abs(pathwise[:, :encoder]).max() > 1e-2


@pytest.mark.parametrize("ladder", [False, True])
def test_importance_sampling_over_two_layers_finds_the_likelihood(ladder):
    chain = Chain(ladder, error=0.6)
    found = tfvae.evaluation.log_likelihood(chain.vae, chain.x, 5000)
    assert largest_difference(found, chain.log_likelihood()) < 0.02
    bound = chain.vae.log_weights(chain.x, 500, seed=1).numpy().mean()
    assert bound < chain.log_likelihood().mean() - 0.005


@pytest.mark.parametrize("ladder", [False, True])
def test_the_estimators_agree_over_two_layers(ladder):
    """Whose weights belong to the path that q and p share, too."""
    chain = Chain(ladder, error=0.3)
    pairs = [
        (tfvae.IWAE(4), gradients.Pathwise(), gradients.DoublyReparameterized()),
        (tfvae.ELBO(4), gradients.Pathwise(), gradients.StickingTheLanding()),
        (tfvae.ELBO(4), gradients.Pathwise(), gradients.ScoreFunction()),
    ]
    for objective, first, second in pairs:
        expected, _ = estimates(chain.vae, chain.x, objective, first, 800, seed=1)
        found, _ = estimates(chain.vae, chain.x, objective, second, 800, seed=2)
        spread = np.sqrt((expected.var(axis=0, ddof=1) + found.var(axis=0, ddof=1)) / 800)
        assert (np.abs(expected.mean(axis=0) - found.mean(axis=0)) < 5 * spread + 1e-4).all()
        assert np.abs(expected.mean(axis=0)).max() > 10 * np.median(spread)


def test_layers_are_sampled_as_their_density_says():
    chain = Chain(ladder=True)
    z = chain.vae.sample_latent(N, seed=3)
    assert [part.shape for part in z] == [(N, 1), (N, 1)]
    joint = np.cov(np.concatenate(z, axis=1).T)
    exact = np.array([[1, chain.A], [chain.A, chain.A**2 + chain.S**2]])
    assert largest_difference(joint, exact) < 0.03
    assert scipy.stats.kstest(z[1][:, 0], scipy.stats.norm(0, exact[1, 1] ** 0.5).cdf).pvalue > 1e-3
    for ladder in (False, True):
        vae = Chain(ladder).vae
        params = vae.encoder_params(chain.x[:1], None, False)
        params = tf.nest.map_structure(lambda p: tf.tile(p, [N, 1]), params)
        ours = np.concatenate(vae.posterior.sample(params, stream()), axis=1)
        theirs = vae.encode(chain.x[:1]).sample(N, seed=[1, 2])
        theirs = np.concatenate([part[:, 0] for part in theirs], axis=1)
        assert largest_difference(ours.mean(0), theirs.mean(0)) < 0.03
        assert largest_difference(np.cov(ours.T), np.cov(theirs.T)) < 0.03


def vae_of(latent_dim=2, **pieces):
    return tfvae.mlp_vae((4,), latent_dim, (4,), **pieces)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: tfvae.hierarchical_vae((4,), (3,)), ["two layers"]),
        (lambda: priors.Hierarchy([]), ["networks"]),
        (
            lambda: priors.Hierarchy([normal_network(1, 1, [[1.0]], 1.0)], top=priors.VampPrior(3)),
            ["VampPrior"],
        ),
        (
            lambda: vae_of(3, posterior=posteriors.VonMisesFisher()),
            ["unit vectors", "StandardNormal"],
        ),
        (lambda: vae_of(3, prior=priors.Categorical()), ["one-hot", "DiagonalNormal"]),
        (
            lambda: vae_of(1, posterior=posteriors.VonMisesFisher(), prior=priors.UniformSphere()),
            ["2"],
        ),
        (
            lambda: vae_of(7, posterior=posteriors.Categorical(3), prior=priors.Categorical(3)),
            ["divides"],
        ),
        (lambda: posteriors.RelaxedCategorical(3, 0.0), ["temperature"]),
        (lambda: priors.RelaxedCategorical(3, -1.0), ["temperature"]),
        (lambda: priors.ExPostMixture(0), ["num_components"]),
        (
            lambda: vae_of(
                posterior=posteriors.Deterministic(),
                prior=priors.VampPrior(3),
                objective=tfvae.ELBO(beta=0.0),
            ),
            ["VampPrior"],
        ),
    ],
)
def test_pieces_that_make_no_sense_together_are_refused(make, words):
    with pytest.raises(ValueError, match=matches(*words)):
        make()


def test_the_location_of_classes_is_the_most_probable_one_of_each_group():
    posterior = posteriors.Categorical(3)
    posterior.build(6)
    logits = tf.constant([[0.1, 2.0, 1.9, -1.0, -3.0, -1.5]])
    assert posterior.location(logits).numpy().tolist() == [[0, 1, 0, 1, 0, 0]]
    assert posterior.summary(logits)["loc"].numpy().tolist() == [[0, 1, 0, 1, 0, 0]]


def test_a_flow_is_told_the_context_of_each_example_when_it_is_sampled():
    """Two examples that differ in their context alone, under the same noise."""
    posterior = posteriors.Flow(flows.InverseAutoregressive(), context_size=4)
    posterior.build_once(3)
    rng = np.random.default_rng(0)
    for weight in posterior.weights:
        weight.assign(rng.normal(size=weight.shape) * 0.5)
    size = posterior.params_size(3)
    params = np.zeros((2, size), np.float32)
    params[1, -4:] = [2.0, -2.0, 1.0, 3.0]
    noise = random.Stream(random.seed_key(tf.constant(3)), tf.zeros([2], tf.int32))
    drawn = posterior.sample(tf.constant(params), noise).numpy()
    assert np.abs(drawn[0] - drawn[1]).max() > 1e-2


@pytest.mark.parametrize("ladder", [True, False])
def test_layers_of_posterior_and_prior_have_noise_of_their_own(ladder):
    """All means 0: what is correlated is the noise, under one seed."""
    vae = tfvae.hierarchical_vae((6,), (2, 2, 2), (4,), ladder=ladder, seed=0)
    for weight in (*vae.prior.weights, *vae.posterior.weights):
        weight.assign(tf.zeros_like(weight))
    sizes = vae.posterior.params_size(vae.latent_sizes)
    params = tf.nest.map_structure(lambda size: tf.zeros([N, size]), sizes)
    noise = random.Stream(random.seed_key(tf.constant(3)), tf.range(N))
    drawn = [*vae.posterior.sample(params, noise), *vae.prior.sample(noise)]
    found = np.corrcoef(np.concatenate([part.numpy() for part in drawn], axis=1).T)
    assert np.abs(found - np.eye(12)).max() < 6 / np.sqrt(N)


def test_the_scales_of_a_bottom_up_summary_are_in_the_order_of_its_layers():
    """z_1 has the encoder's scale, and comes last; z_2 that of the network, and comes first."""
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    network.set_weights([np.zeros((1, 2)), np.array([0.0, 3.0])])
    posterior = posteriors.BottomUp([network])
    posterior.build([1, 1])
    found = posterior.summary(tf.constant([[0.5, -1.0]]))
    scales = [float(found[f"scale_{layer}"][0, 0]) for layer in (0, 1)]
    assert scales == pytest.approx(np.logaddexp(0.0, [3.0, -1.0]), rel=1e-5)


def test_what_lies_between_two_points_of_the_sphere_lies_on_it():
    rng = np.random.default_rng(0)
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in rng.normal(size=(2, 9, 4)))
    weights = np.linspace(0.0, 1.0, 9)[:, None]
    given = [tf.constant(x, tf.float32) for x in (a, b, weights)]
    found = posteriors.VonMisesFisher().between(*given).numpy()
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(9), abs=1e-5)
    direction = (1 - weights) * a + weights * b
    assert (found * direction).sum(1) == pytest.approx(np.linalg.norm(direction, axis=1), abs=1e-5)
