"""Steps of `fit` by hand, of two losses, in 16 bits, by XLA, and by a second optimizer."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tests.conftest import largest_difference
from tests.support import scales, zoo
from tests.support.by_hand import (
    BATCH,
    DATA,
    EPOCHS,
    LATENT,
    RATE,
    SIGMA,
    ByHand,
    Draw,
    drawn,
    log_normal,
    networks,
    real_data,
)
from tests.support.nightly import nightly
from tfvae import flows, likelihoods, objectives, posteriors, priors

tfd = tfp.distributions


# ---- two losses: the encoder's and the rest's

GROUPS, GROUP_SIZE, CONTEXT, LAYERS, COMPONENTS = 2, 3, 3, 2, 3


def flow_model():
    """A planar posterior and a mixture prior, away from where they start."""
    keras.utils.set_random_seed(3)
    encoder = keras.Sequential([keras.Input((DATA,)), keras.layers.Dense(2 * LATENT + CONTEXT)])
    decoder = keras.Sequential([keras.Input((LATENT,)), keras.layers.Dense(DATA)])
    posterior = posteriors.Flow(flows.Planar(LAYERS), context_size=CONTEXT)
    prior, likelihood = priors.GaussianMixture(COMPONENTS), likelihoods.Normal(SIGMA)
    objective = objectives.PIWAE(GROUPS, GROUP_SIZE)
    vae = tfvae.VAE(encoder, decoder, posterior, prior, likelihood, objective, seed=1)
    rng = np.random.default_rng(5)
    for weight in (*posterior.weights, *prior.weights):
        weight.assign_add(rng.normal(0, 0.4, weight.shape).astype(np.float32))
    return vae


def planar(z, params):
    """Planar maps of z `[K, B, D]` and their log-determinants, by `params [B, P]`.

    Rezende & Mohamed 2015, equation 10 and appendix A.1.
    """
    log_det = 0.0
    for part in tf.split(params, LAYERS, axis=-1):
        u, w, b = tf.split(part, [LATENT, LATENT, 1], axis=-1)
        product = tf.reduce_sum(w * u, axis=-1, keepdims=True)
        shortfall = -1.0 + tf.math.log(1.0 + tf.exp(product + np.log(np.e - 1.0))) - product
        u = u + shortfall * w / tf.reduce_sum(w**2, axis=-1, keepdims=True)
        activation = tf.tanh(tf.reduce_sum(w * z, axis=-1, keepdims=True) + b)
        z = z + u * activation
        slope = 1.0 - activation[..., 0] ** 2
        log_det += tf.math.log(1.0 + tf.reduce_sum(u * w, axis=-1) * slope)
    return z, log_det


def log_weights_by_hand(weights, x, noise):
    """log p(x|z) and log p(z) - log q(z|x), `[K, B]`, by weights in the order of `all_weights`."""
    kernel, bias, out_kernel, out_bias, *others = weights
    flow_bias, flow_kernel, logits, centres, raw_scales = others
    loc, raw, context = tf.split(x @ kernel + bias, [LATENT, LATENT, CONTEXT], axis=-1)
    scale = scales.scale_of(raw)
    start = loc + scale * noise
    z, log_det = planar(start, flow_bias + context @ flow_kernel)
    spread = scales.scale_of(raw_scales)
    components = log_normal(z[..., None, :], centres, spread)  # [K, B, C]
    log_p_z = tf.reduce_logsumexp(tf.nn.log_softmax(logits) + components, axis=-1)
    log_p_x = log_normal(x, z @ out_kernel + out_bias, SIGMA)
    return log_p_x, log_p_z - log_normal(start, loc, scale) + log_det


def all_weights(vae):
    flow, prior = vae.posterior.flow, vae.prior
    own = [flow.bias, flow.kernel, prior.logits, prior.loc, prior.raw_scale]
    return [v.numpy() for v in (*vae.encoder.weights, *vae.decoder.weights, *own)]


def log_mean_exp(values, axis):
    return tf.math.log(tf.reduce_mean(tf.exp(values), axis=axis))


@pytest.mark.parametrize("how", [{"run_eagerly": True}, {"jit_compile": False}])
def test_piwae_gives_encoder_and_flow_the_miwae_gradient_and_decoder_and_prior_that_of_iwae(how):
    x, vae, seen = real_data(), flow_model(), flow_model()
    seen.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    with drawn() as noise:
        seen.fit(x, batch_size=len(x), epochs=2, shuffle=False, verbose=0)
    vae.compile(keras.optimizers.SGD(RATE), **how)
    history = vae.fit(x, batch_size=len(x), epochs=2, shuffle=False, verbose=0).history
    weights = [tf.constant(w) for w in all_weights(seen)]
    of_encoder = [True, True, False, False, True, True, False, False, False]
    for epoch, draw in enumerate(noise):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(weights)
            log_p_x, minus_rate = log_weights_by_hand(weights, x, draw.values)
            log_weights = log_p_x + minus_rate
            iwae = -tf.reduce_mean(log_mean_exp(log_weights, 0))
            groups = tf.reshape(log_weights, [GROUP_SIZE, GROUPS, -1])
            miwae = -tf.reduce_mean(log_mean_exp(groups, 0))
        expected = {
            "loss": iwae,
            "elbo": tf.reduce_mean(log_weights),
            "rate": -tf.reduce_mean(minus_rate),
            "distortion": -tf.reduce_mean(log_p_x),
        }
        for name, value in expected.items():
            assert history[name][epoch] == pytest.approx(float(value), rel=1e-5)
        by_iwae, by_miwae = (tape.gradient(loss, weights) for loss in (iwae, miwae))
        assert all(largest_difference(a, b) > 1e-3 for a, b in zip(by_iwae[:6], by_miwae[:6]))
        steps = [b if mine else a for a, b, mine in zip(by_iwae, by_miwae, of_encoder)]
        weights = [w - RATE * step for w, step in zip(weights, steps)]
    assert len(noise) == 2
    for found, by_hand in zip(all_weights(vae), weights):
        assert largest_difference(found, by_hand) < 2e-5


# ---- sixteen bits


@pytest.fixture
def float16():
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def test_gradients_below_the_least_number_of_16_bits_arrive_by_the_scale_of_the_loss(float16):
    """They are near 1e-7, of which float16 has multiples of 6e-8; by hand they are in float32."""
    sigma, rate, x = 1000.0, 1e5, real_data()
    encoder, decoder = networks()
    pieces = {"likelihood": likelihoods.Normal(sigma), "objective": tfvae.ELBO(beta=0.0)}
    vae = tfvae.VAE(encoder, decoder, **pieces, seed=1)
    start = [*encoder.get_weights(), *decoder.get_weights()]
    vae.compile(keras.optimizers.SGD(rate), run_eagerly=True)
    with drawn() as noise:
        vae.fit(x, batch_size=len(x), shuffle=False, verbose=0)
    keras.config.set_dtype_policy("float32")
    one_batch = {"rate": rate, "batch": len(x), "log_p_x": lambda x, loc: log_normal(x, loc, sigma)}
    hand = ByHand(networks(), lambda found, step: found.distortion, **one_batch)
    hand.fit(x, noise, epochs=1)
    steps = [after - before for after, before in zip(hand.weights, start)]
    ended = [*encoder.get_weights(), *decoder.get_weights()]
    for found, before, step in zip(ended, start, steps):
        assert found - before == pytest.approx(step, abs=5e-3 * np.abs(step).max())
        assert 1e-3 < np.abs(step).max() < 1.0


def test_a_step_whose_gradients_overflow_16_bits_is_left_out_and_the_scale_halved(float16):
    vae, x, _ = zoo.BUILDERS["diagonal-standard"]()
    sgd = keras.optimizers.SGD(RATE)
    optimizer = keras.optimizers.LossScaleOptimizer(sgd, initial_scale=2.0**40)
    vae.compile(optimizer, jit_compile=False)
    before = vae.get_weights()
    vae.fit(x, batch_size=len(x), verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, vae.get_weights()))
    assert float(optimizer.dynamic_scale) == 2.0**39


# ---- other compilers and optimizers


@keras.saving.register_keras_serializable("test_training_gradients")
class KnownNoise(posteriors.DiagonalNormal):
    """The normal posterior whose noise is a table, whatever the seed and the compiler."""

    TABLE = np.random.default_rng(8).normal(size=(2, BATCH, LATENT)).astype(np.float32)

    def distribution(self, params):
        class Normal(tfd.Normal):
            def _sample_n(self, n, seed=None):
                return self.loc + self.scale * KnownNoise.TABLE[:n, : self.loc.shape[0]]

        return tfd.Independent(Normal(*self.loc_scale(params)), 1)


@pytest.mark.parametrize("steps", [nightly(1), 3])
def test_steps_that_xla_compiles_are_the_steps_by_hand(steps):
    """With weights of examples, a schedule and moving statistics; one step a call, and three."""

    def hidden():
        return [keras.layers.BatchNormalization(momentum=0.6)]

    def loss(found, step):
        return found.distortion + 2.0 * min(step, 4) / 4 * found.rate

    sample_weight = np.array([0, 2, 0.5, 1.5, 3, 0, 0, 1, 2, 0], np.float32)
    beta = keras.optimizers.schedules.PolynomialDecay(0.0, 4, end_learning_rate=2.0)
    pieces = {"likelihood": likelihoods.Normal(SIGMA), "objective": tfvae.ELBO(2, beta)}
    encoder, decoder = networks(hidden)
    vae = tfvae.VAE(encoder, decoder, KnownNoise(), **pieces)
    vae.compile(keras.optimizers.SGD(RATE), jit_compile=True, steps_per_execution=steps)
    given = {"batch_size": BATCH, "epochs": EPOCHS, "sample_weight": sample_weight}
    history = vae.fit(real_data(), shuffle=False, verbose=0, **given).history

    hand = ByHand(networks(hidden), loss)
    noise = [Draw("normal", (), KnownNoise.TABLE[:, :size]) for size in (4, 4, 2, 4, 4, 2)]
    expected = hand.fit(real_data(), noise, sample_weight)
    for name, values in history.items():
        assert values == pytest.approx([epoch[name] for epoch in expected], rel=2e-5)
    for found, by_hand in zip([*encoder.get_weights(), *decoder.get_weights()], hand.weights):
        assert largest_difference(found, by_hand) < 2e-5


# What the whole step is compiled by, a graph whose update XLA compiles alone, and a graph.
MODELS = {
    "dense": (lambda: tfvae.mlp_vae((4, 4, 1), 2, (8,), seed=0), "auto"),
    "convolutional": (lambda: tfvae.conv_vae((4, 4, 1), 2, (4,), 8, seed=0), "auto"),
    "graph": (lambda: tfvae.mlp_vae((4, 4, 1), 2, (8,), seed=0), False),
}


@pytest.mark.xla
@pytest.mark.parametrize("name", [nightly("dense"), "convolutional", "graph"])
def test_a_second_compile_updates_by_the_second_optimizer(name):
    """Whose step is known for any gradient: none by SGD of rate 0, of the rate's size by Lion."""
    make, jit_compile = MODELS[name]
    vae, x = make(), zoo.binary()
    for optimizer, size in ((keras.optimizers.SGD(0.0), 0.0), (keras.optimizers.Lion(0.01), 0.01)):
        vae.compile(optimizer, jit_compile=jit_compile)
        before = [v.numpy() for v in vae.trainable_variables]
        vae.fit(x, batch_size=len(x), verbose=0)
        changed = zip(vae.trainable_variables, before)
        steps = np.concatenate([np.ravel(abs(v.numpy() - start)) for v, start in changed])
        assert np.median(steps) == pytest.approx(size, rel=0.02, abs=1e-9)
        assert int(vae.optimizer.iterations) == 1
