"""Log-likelihoods of events of 12,288 elements and more, against closed forms in float64."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tests.conftest import largest_difference
from tests.support import scales
from tests.support.nightly import nightly
from tfvae import evaluation, likelihoods, posteriors
from tfvae.ops import in_float64

SHAPE = (64, 64, 3)
SIZE, LATENT, SIGMA = 64 * 64 * 3, 2, 0.1


class LargeLinearGaussian:
    """x = W z + b + sigma eps of large events: the VAE, with the posterior exact or broader.

    W has orthogonal columns, so that the posterior is diagonal:
    p(z|x) = N(M^-1 W'(x - b), sigma^2 M^-1), M = W'W + sigma^2 I.
    """

    def __init__(self, stretch=1.0):
        rng = np.random.default_rng(3)
        basis, _ = np.linalg.qr(rng.normal(size=(SIZE, LATENT)))
        self.w = (basis * [1.5, 0.8]).astype(np.float32)
        self.b = rng.uniform(size=SIZE).astype(np.float32)
        z = rng.normal(size=(3, LATENT))
        self.x = (z @ self.w.T + self.b + SIGMA * rng.normal(size=(3, SIZE))).astype(np.float32)
        precision = (self.w.astype(np.float64) ** 2).sum(axis=0) + SIGMA**2
        gain, scale = self.w / precision, stretch * SIGMA / np.sqrt(precision)
        encoder = [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(2 * LATENT)]
        decoder = [keras.Input((LATENT,)), keras.layers.Dense(SIZE), keras.layers.Reshape(SHAPE)]
        encoder, decoder = keras.Sequential(encoder), keras.Sequential(decoder)
        kernel = np.concatenate([gain, np.zeros_like(gain)], axis=1)
        bias = np.concatenate([-self.b @ gain, scales.raw_of(scale)])
        encoder.set_weights([kernel, bias])
        decoder.set_weights([self.w.T, self.b])
        self.vae = tfvae.VAE(encoder, decoder, likelihood=likelihoods.Normal(SIGMA), seed=0)

    @property
    def images(self):
        return self.x.reshape(-1, *SHAPE)

    def log_likelihood(self):
        """By Woodbury's identity, in float64, of the weights as they are in float32."""
        w, residual = self.w.astype(np.float64), self.x.astype(np.float64) - self.b
        m = w.T @ w + SIGMA**2 * np.eye(LATENT)
        projected = residual @ w
        squares = (residual**2).sum(axis=1) - (projected * np.linalg.solve(m, projected.T).T).sum(1)
        log_determinant = 2 * (SIZE - LATENT) * np.log(SIGMA) + np.linalg.slogdet(m)[1]
        return -0.5 * (SIZE * np.log(2 * np.pi) + log_determinant + squares / SIGMA**2)


@pytest.mark.parametrize("jit_compile", [nightly(True), False])
def test_the_likelihood_of_large_events_is_that_of_the_linear_gaussian_model(jit_compile):
    """Within 1e-3 nats for any K: from the exact posterior the estimator has no error."""
    model = LargeLinearGaussian()
    model.vae.compile(jit_compile=jit_compile)
    for num_samples in (1, 100, 5000):
        found = evaluation.estimate(model.vae, model.images, num_samples)
        assert largest_difference(found.log_likelihood, model.log_likelihood()) < 1e-3
        assert largest_difference(found.gap, 0.0) < 1e-3 and found.gap.min() > -1e-9
        largest = np.abs(found.elbo + found.rate + found.distortion).max()
        assert largest < 1e-9


def test_a_gap_is_never_negative_and_is_that_of_the_posterior():
    """KL(q || p(z|x)) of a posterior that is too broad, of both latents."""
    stretch = 1.2
    model = LargeLinearGaussian(stretch)
    model.vae.compile(jit_compile=False)
    for num_samples in (1, 2, 100):
        assert evaluation.estimate(model.vae, model.images, num_samples).gap.min() > -1e-9
    found = evaluation.estimate(model.vae, model.images, 4000)
    exact = LATENT * 0.5 * (stretch**2 - 1 - 2 * np.log(stretch))
    assert largest_difference(found.gap, exact) < 0.05
    assert evaluation.evaluate(model.vae, model.images, 7).gap > 0


def constant_model(likelihood, params, event_shape=SHAPE):
    """A VAE whose q is p(z), and whose decoder gives `params` for every z: log-weights are flat."""
    shape = likelihood.params_shape(event_shape)
    encoder = keras.Sequential(
        [keras.Input(event_shape), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    raw_scale = scales.raw_of(1.0)
    kernel = np.zeros_like(encoder.get_weights()[0])
    encoder.set_weights([kernel, np.array([0.0, raw_scale])])
    dense = keras.layers.Dense(int(np.prod(shape)))
    decoder = keras.Sequential([keras.Input((1,)), dense, keras.layers.Reshape(shape)])
    kernel = np.zeros(dense.kernel.shape)
    decoder.set_weights([kernel, np.broadcast_to(params, shape).ravel()])
    return tfvae.VAE(encoder, decoder, likelihood=likelihood, seed=0)


@pytest.mark.parametrize("posterior", [posteriors.DiagonalNormal(), posteriors.FullNormal()])
def test_many_latents_add_no_error(posterior):
    """Where q(z|x) = p(z) and the decoder ignores z, log p(x) is the distortion of any sample."""
    many = 16_384 if isinstance(posterior, posteriors.DiagonalNormal) else 64
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(posterior.params_size(many))])
    decoder = keras.Sequential([keras.Input((many,)), keras.layers.Dense(4)])
    vae = tfvae.VAE(encoder, decoder, posterior=posterior, seed=0)
    kernel, bias = vae.encoder.get_weights()
    raw = np.log(np.expm1(1.0))
    if many == 64:
        identity = tfp.math.fill_triangular_inverse(raw * tf.eye(many)).numpy()
        bias[:] = np.concatenate([np.zeros(many), identity])
    else:
        bias[:] = np.repeat([0.0, raw], many)
    vae.encoder.set_weights([0 * kernel, bias])
    logits = np.array([0.5, -1.0, 2.0, 0.0])
    vae.decoder.set_weights([0 * vae.decoder.get_weights()[0], logits])
    x = np.array([[1.0, 0.0, 1.0, 1.0]], np.float32)
    exact = -np.logaddexp(0.0, np.where(x == 1, -logits, logits)).sum()
    for num_samples in (1, 50):
        found = evaluation.estimate(vae, x, num_samples)
        assert found.log_likelihood == pytest.approx([exact], abs=1e-4)


def softplus(x):
    return np.logaddexp(0.0, x)


LEVELS = np.arange(SIZE).reshape(SHAPE) % 256
BINARY = (LEVELS % 3 == 0).astype(np.float32)
GREY = (LEVELS / np.float32(255)).astype(np.float32)
COUNTS = (LEVELS % 17).astype(np.float32)
ONE_HOT = np.eye(3, dtype=np.float32)[LEVELS[..., 0] % 3]
F32 = np.float64(np.float32(0.3))  # a parameter that float32 rounds, as the decoder's output is


def levels(x, loc, scale):
    """The discretized logistic, by its definition."""
    edge = 0.5 / 255
    x = np.round(255.0 * x.astype(np.float64)) / 255.0
    above = np.where(x > 0.999, 1.0, scipy.special.expit((x + edge - loc) / scale))
    below = np.where(x < 0.001, 0.0, scipy.special.expit((x - edge - loc) / scale))
    return np.log(above - below)


FLAT = {
    "bernoulli": (
        likelihoods.Bernoulli(), BINARY, -F32, BINARY * -F32 - softplus(-F32),
    ),
    "normal": (
        likelihoods.Normal(0.1), GREY, F32, scipy.stats.norm(F32, 0.1).logpdf(GREY.astype(float)),
    ),
    "laplace": (
        likelihoods.Laplace(0.3), GREY, F32,
        scipy.stats.laplace(F32, 0.3).logpdf(GREY.astype(float)),
    ),
    "student": (
        likelihoods.StudentT(0.3, df=3.0), GREY, F32,
        scipy.stats.t(3.0, F32, 0.3).logpdf(GREY.astype(float)),
    ),
    "observed": (
        likelihoods.Observed(likelihoods.Normal(0.1)),
        np.where(BINARY, np.nan, GREY),
        F32,
        np.where(BINARY, 0.0, scipy.stats.norm(F32, 0.1).logpdf(GREY.astype(float))),
    ),
    "levels": (
        likelihoods.DiscretizedLogistic(0.07), GREY, F32 - 0.5, levels(GREY, F32, 0.07),
    ),
    "poisson": (
        likelihoods.Poisson(), COUNTS, F32, scipy.stats.poisson(np.exp(F32)).logpmf(COUNTS),
    ),
    "negative_binomial": (
        likelihoods.NegativeBinomial(2.0), COUNTS, F32,
        scipy.stats.nbinom(2.0, 2.0 / (2.0 + np.exp(F32))).logpmf(COUNTS),
    ),
    "categorical": (
        likelihoods.Categorical(), ONE_HOT, np.float32([0.3, -1.1, 2.2]),
        (ONE_HOT * scipy.special.log_softmax(np.float32([0.3, -1.1, 2.2]).astype(float))),
    ),
    "mixture": (  # of one component, its channels apart
        likelihoods.DiscretizedLogisticMixture(1), GREY,
        np.float32([0, *3 * [-0.25], *3 * [-2], 0, 0, 0]), levels(GREY, 0.25, 0.5 * np.exp(-2.0)),
    ),
    "continuous_bernoulli": (
        likelihoods.ContinuousBernoulli(), GREY, F32,
        GREY.astype(float) * F32 + np.log(F32 / np.expm1(F32)),
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "jit_compile"), [*((n, False) for n in FLAT), nightly("bernoulli", True)]
)
def test_flat_weights_give_the_log_probability_of_independent_elements(
    monkeypatch, name, jit_compile
):
    """Within 1e-3 nats of SciPy's sum, all in float64: nothing is drawn that could differ."""
    monkeypatch.setattr(in_float64, "_of_float32", None)
    likelihood, x, params, elements = FLAT[name]
    vae = constant_model(likelihood, params, x.shape)
    vae.compile(jit_compile=jit_compile)
    found = evaluation.estimate(vae, x[None], 300)
    assert found.log_likelihood == pytest.approx(elements.sum(), abs=1e-3)
    assert found.elbo == pytest.approx(elements.sum(), abs=1e-3)
    assert found.distortion == pytest.approx(-elements.sum(), abs=1e-3)
    assert found.gap == pytest.approx(0.0, abs=1e-6)


def test_a_likelihood_of_ones_own_in_float32_is_summed_in_float64():
    """Its elements are float32, since it holds a constant of that type; their sum is not."""

    class Narrow(likelihoods.Normal):
        def _loc_scale(self, params):
            return params, tf.constant(1.0, tf.float32)

    vae = constant_model(Narrow(), 0.0)
    vae.compile(jit_compile=False)
    found = evaluation.log_likelihood(vae, GREY[None], 1000)
    expected = scipy.stats.norm.logpdf(GREY.astype(float)).sum()
    assert found == pytest.approx(expected, abs=1e-3)
    far = GREY + np.float32(45.0)  # 12 million nats, of which float32 has whole numbers alone
    found = evaluation.log_likelihood(vae, far[None], 10)
    expected = scipy.stats.norm.logpdf(far.astype(float)).sum()
    assert found == pytest.approx(expected, abs=0.2)
