"""Evaluation in small chunks and pages, against closed forms and the latents that were drawn.

The model is the linear-Gaussian one with a posterior that is off, and Dropout in both networks,
which an evaluation must not see.
"""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tests.conftest import largest_difference
from tests.models.test_conformance import eagerly
from tests.models.test_linear_gaussian import LATENT, SIGMA, D, LinearGaussian
from tfvae import evaluation, likelihoods, posteriors, priors
from tfvae.imputation import impute

tfd = tfp.distributions
SEEN: list = []  # the latents drawn, `[K, B, D]` each

# Numbers decoded at once, latents of each example, numbers in a page. First chunks of 9 latents,
# the last one of 6, in pages of 4 examples; then all latents at once, in pages of 2 x 3 examples.
SIZES = {"latents": (60, 33, 24), "examples": (240, 13, 36)}


@keras.saving.register_keras_serializable("test_evaluation_in_chunks")
class SeenNormal(posteriors.DiagonalNormal):
    """The diagonal normal, which remembers what an operation that runs eagerly drew of it."""

    def distribution(self, params):
        class Normal(tfd.Normal):
            def _sample_n(self, n, seed=None):
                z = super()._sample_n(n, seed)
                SEEN.append(z.numpy().astype(np.float64))
                return z

        return tfd.Independent(Normal(*self.loc_scale(params)), 1)


def with_dropout(model, posterior=None, prior=None, likelihood=None):
    """The VAE of the model's numbers, with a Dropout before its encoder and after its decoder."""
    dense = keras.layers.Dense
    encoder = [keras.Input((D,)), keras.layers.Dropout(0.5), dense(2 * LATENT)]
    decoder = [keras.Input((LATENT,)), dense(D), keras.layers.Dropout(0.5)]
    encoder, decoder = keras.Sequential(encoder), keras.Sequential(decoder)
    encoder.set_weights(model.vae.encoder.get_weights())
    decoder.set_weights(model.vae.decoder.get_weights())
    likelihood = likelihood or likelihoods.Normal(SIGMA)
    return tfvae.VAE(encoder, decoder, posterior, prior, likelihood, seed=0)


@pytest.fixture
def wrong():
    model = LinearGaussian(shift=0.3, stretch=1.3)
    model.x = np.concatenate([model.x, model.x[:1] + 1])  # 41 examples
    return model


def in_small_pieces(monkeypatch, name):
    """Makes chunks and pages small; gives K."""
    numbers, num_samples, page = SIZES[name]
    monkeypatch.setattr(evaluation, "_AT_ONCE", {"CPU": numbers, "GPU": numbers})
    monkeypatch.setattr(evaluation, "_MAX_NUMBERS", page)
    return num_samples


def latents_of_examples(count, num_samples):
    """What was drawn for each example, `[count, K, D]`, of chunks that follow one another."""
    samples, examples, _ = SEEN[0].shape
    chunks = -(-num_samples // samples)
    assert {z.shape for z in SEEN} == {SEEN[0].shape}
    blocks = [np.concatenate(SEEN[first : first + chunks]) for first in range(0, len(SEEN), chunks)]
    assert len(blocks) == -(-count // examples)
    return np.concatenate([block.transpose(1, 0, 2) for block in blocks])[:count, :num_samples]


@pytest.mark.parametrize("name", SIZES)
def test_every_number_of_a_report_is_its_formula_of_the_latents_drawn(monkeypatch, wrong, name):
    vae, num_samples = with_dropout(wrong, SeenNormal()), in_small_pieces(monkeypatch, name)
    SEEN.clear()
    tf.config.run_functions_eagerly(True)
    try:
        report = evaluation.evaluate(vae, wrong.x, num_samples, seed=5)
    finally:
        tf.config.run_functions_eagerly(False)
    z = latents_of_examples(len(wrong.x), num_samples)
    noise = ((z - wrong.loc()[:, None]) / wrong.scale).reshape(-1, LATENT)
    assert len(np.unique(noise.round(4), axis=0)) == len(noise)  # no chunk has another's

    normal = scipy.stats.norm
    log_p_x = normal(z @ wrong.w.T + wrong.b, SIGMA).logpdf(wrong.x[:, None]).sum(-1)  # [N, K]
    log_q = normal(wrong.loc()[:, None], wrong.scale).logpdf(z).sum(-1)
    log_weights = log_p_x + normal.logpdf(z).sum(-1) - log_q
    kl = 0.5 * (wrong.scale**2 + wrong.loc() ** 2 - 1 - 2 * np.log(wrong.scale)).sum(axis=1)
    expected = {
        "nll": np.log(num_samples) - scipy.special.logsumexp(log_weights, axis=1),
        "rate": kl,
        "distortion": -log_p_x.mean(axis=1),
        "elbo": log_p_x.mean(axis=1) - kl,
    }
    expected["gap"] = -expected["nll"] - log_weights.mean(axis=1)
    for quantity, values in expected.items():
        assert getattr(report, quantity) == pytest.approx(values.mean(), abs=1e-4)
        stderr = values.std(ddof=1) / np.sqrt(41)
        assert getattr(report, quantity + "_stderr") == pytest.approx(stderr, rel=1e-4)
    weights = scipy.special.softmax(log_weights, axis=1)
    effective = np.median(1 / np.square(weights).sum(axis=1))
    assert report.effective_samples == pytest.approx(effective, rel=1e-4)
    assert report.bits_per_dim is None and not report.exact
    assert (report.num_examples, report.num_samples, report.seed) == (41, num_samples, 5)
    assert (report.latent_dim, report.binarization) == (LATENT, None)


def test_a_report_is_of_the_latents_of_its_seed(wrong):
    reports = [evaluation.evaluate(wrong.vae, wrong.x, 3, seed=seed) for seed in (0, 5)]

    assert reports[0].nll != reports[1].nll
    for report in reports:
        found = evaluation.log_likelihood(wrong.vae, wrong.x, 3, seed=report.seed)
        assert report.nll == pytest.approx(-found.mean(), rel=1e-6)


def distortion_moments(model):
    """Mean and variance over z ~ q of -log p(x|z), quadratic in the noise e: c + g'e + e'He / 2."""
    residual = model.x - model.b - model.loc() @ model.w.T
    slope = residual @ model.w * model.scale / SIGMA**2
    curvature = (model.scale**2) * (model.w**2).sum(axis=0) / SIGMA**2
    constant = 0.5 * (residual**2).sum(axis=1) / SIGMA**2 + D * np.log(SIGMA * np.sqrt(2 * np.pi))
    return constant + curvature.sum() / 2, (slope**2).sum(axis=1) + (curvature**2).sum() / 2


@pytest.mark.parametrize("name", SIZES)
def test_the_error_of_an_estimate_is_that_of_independent_latents(monkeypatch, wrong, name):
    """Of 1/K in each example, and independent between examples; compiled as by default."""
    vae, num_samples, seeds = with_dropout(wrong), in_small_pieces(monkeypatch, name), 30
    found = [evaluation.estimate(vae, wrong.x, num_samples, seed) for seed in range(seeds)]
    found = np.stack([estimates.distortion for estimates in found])
    mean, variance = distortion_moments(wrong)
    errors = (found - mean) / np.sqrt(variance / num_samples)  # [seeds, N]
    assert (errors**2).mean() == pytest.approx(1.0, abs=0.2)
    level = scipy.stats.chi2(seeds).isf([0.999, 0.001])
    assert level[0] < (errors.sum(axis=1) ** 2).sum() / errors.shape[1] < level[1]


@pytest.mark.parametrize("name", SIZES)
def test_pieces_of_any_size_find_the_likelihood_where_all_latents_weigh_the_same(monkeypatch, name):
    """At the exact posterior each log-weight is log p(x), so too few or too many would show."""
    exact = LinearGaussian()
    num_samples = in_small_pieces(monkeypatch, name)
    found = evaluation.log_likelihood(with_dropout(exact), exact.x, num_samples)
    assert largest_difference(found, exact.log_likelihood()) < 2e-4


def test_units_are_active_by_the_variance_of_all_means_above_a_hundredth(monkeypatch):
    """Over pages of 1,024: of means that vary between the pages alone, and of some just below."""
    x = np.zeros((1100, D), np.float32)
    x[:, 0], x[1024:, 1] = np.linspace(0, 1, 1100), 1.0
    model = LinearGaussian()
    kernel = np.zeros((D, 2 * LATENT), np.float32)
    kernel[0, 0], kernel[1, 1] = np.sqrt(0.0099 / x[:, 0].var()), np.sqrt(0.0101 / x[:, 1].var())
    model.vae.encoder.set_weights([kernel, np.zeros(2 * LATENT)])
    assert evaluation.active_units(model.vae, x) == 1
    assert evaluation.evaluate(model.vae, x, 2).active_units == 1
    model.vae.encoder.set_weights([np.sqrt(0.0101 / 0.0099) * kernel, np.zeros(2 * LATENT)])
    assert evaluation.active_units(model.vae, x) == 2


def test_units_of_grey_data_are_active_by_what_the_model_makes_binary():
    """A grey of one half moves no latent; the zeros and ones drawn by it do, by a quarter."""
    binary = likelihoods.Bernoulli(dynamic_binarization=True)
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    vae = tfvae.VAE(encoder, decoder, likelihood=binary, seed=0)
    kernel = np.zeros((3, 4), np.float32)
    kernel[0, 0] = 0.5
    encoder.set_weights([kernel, np.zeros(4)])
    grey = 0.5 + 1e-4 * np.arange(150, dtype=np.float32).reshape(50, 3)

    assert evaluation.active_units(vae, grey) == 1
    assert evaluation.evaluate(vae, grey, 2).active_units == 1


def test_dropout_is_inert_in_all_but_training():
    model = LinearGaussian(shift=0.3, stretch=1.3)
    missing = np.where(np.random.default_rng(2).random(model.x.shape) < 0.3, np.nan, model.x)
    observed = likelihoods.Observed(likelihoods.Normal(SIGMA))

    def numbers(vae, vae_of_observed):
        return {
            "encode": vae.encode(model.x).mean(),
            "decode": vae.decode(np.ones((3, LATENT))).mean(),
            "reconstruct": vae.reconstruct(model.x),
            "predict": vae.predict(model.x, verbose=0),
            "sample": vae.sample(5, seed=1),
            "log_weights": vae.log_weights(model.x, 4, seed=1),
            "evaluate": evaluation.estimate(vae, model.x, 7),
            "impute": impute(vae_of_observed, missing, 20),
            "ex_post": priors.ExPostMixture(2).fit(vae, model.x).loc,
        }

    bare = tfvae.VAE(model.vae.encoder, model.vae.decoder, likelihood=observed)
    with eagerly():
        expected = numbers(model.vae, bare)
        found = numbers(with_dropout(model), with_dropout(model, likelihood=observed))

    for name, values in found.items():
        assert largest_difference(values, expected[name]) < 1e-5, name


def test_a_report_of_one_example_is_json(digits):
    """One example has no standard error, and JSON has no NaN."""
    import json

    vae = tfvae.mlp_vae(digits.event_shape, 2, (4,))
    found = tfvae.evaluation.evaluate(vae, digits.x_test[:1].round(), 3)
    assert np.isnan(found.nll_stderr) and found.to_dict()["nll_stderr"] is None
    json.dumps(found.to_dict(), allow_nan=False)
