"""The networks' own penalties are in the loss, once, as they are in its gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference
from tests.support import zoo
from tfvae import gradients, likelihoods, objectives, posteriors, priors

SIZE, LATENT = 4, 2


@keras.saving.register_keras_serializable("tests")
class Charged(keras.layers.Layer):
    """Hands its input on, at a price: 0.3 for each call, and the mean of its squares."""

    def call(self, x):
        self.add_loss(0.3 + keras.ops.mean(x**2))
        return x


def dense(size, **kwargs):
    return keras.layers.Dense(size, **kwargs)


def penalized(activity=0.1):
    """An autoencoder without noise whose networks have penalties of all three kinds."""
    l2 = keras.regularizers.L2
    charged = dense(LATENT, kernel_regularizer=l2(0.01), activity_regularizer=l2(activity))
    encoder = keras.Sequential([keras.Input((SIZE,)), charged])
    decoder = keras.Sequential([keras.Input((LATENT,)), Charged(), dense(SIZE)])
    pieces = {"posterior": posteriors.Deterministic(), "objective": objectives.ELBO(beta=0.0)}
    return tfvae.VAE(encoder, decoder, **pieces, likelihood=likelihoods.Normal(1.0), seed=1)


def divisor(rows):
    """What this Keras divides the penalty of an activity by: the rows, or nothing, as 3.12 does."""
    ones = {"kernel_initializer": "ones", "activity_regularizer": keras.regularizers.L2(1.0)}
    layer = dense(1, **ones)
    layer(np.ones((2, 1), np.float32))
    return {1.0: rows, 2.0: 1}[float(layer.losses[0])]


def loss_by_hand(vae, x):
    """Of one batch, from the weights: (loss, its gradient by each)."""
    with tf.GradientTape() as tape:
        kernel, bias, out_kernel, out_bias = (v.value for v in vae.trainable_variables)
        tape.watch([kernel, bias, out_kernel, out_bias])
        z = x @ kernel + bias
        error = x - (z @ out_kernel + out_bias)
        distortion = tf.reduce_sum(error**2, axis=-1) / 2 + SIZE / 2 * np.log(2 * np.pi)
        of_encoder = 0.01 * tf.reduce_sum(kernel**2)
        of_encoder += 0.1 * tf.reduce_sum(z**2) / divisor(len(x))
        penalty = of_encoder + 0.3 + tf.reduce_mean(z**2)
        loss = tf.reduce_mean(distortion) + penalty
    return float(loss), tape.gradient(loss, [kernel, bias, out_kernel, out_bias])


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(10, SIZE)).astype(np.float32)


def test_the_logged_loss_holds_the_penalties_and_is_what_the_step_descends(x):
    vae = penalized()
    expected, by_hand = loss_by_hand(vae, x)
    vae.compile(keras.optimizers.SGD(1.0), jit_compile=False)
    found = vae.evaluate(x, batch_size=10, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    start = vae.get_weights()
    logs = vae.fit(x, batch_size=10, epochs=1, verbose=0).history
    assert logs["loss"][0] == pytest.approx(expected, rel=1e-5)
    assert logs["distortion"][0] < expected - 0.3
    for after, before, gradient in zip(vae.get_weights(), start, by_hand):
        assert largest_difference(before - after, gradient) < 1e-4


def test_batches_of_several_sizes_count_by_their_examples(x):
    vae = penalized()
    losses = [loss_by_hand(vae, part)[0] for part in (x[:8], x[8:])]
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    found = vae.evaluate(x, batch_size=8, verbose=0, return_dict=True)["loss"]
    assert found == pytest.approx(0.8 * losses[0] + 0.2 * losses[1], rel=1e-5)


def step_with(posterior_and_prior, activity, x):
    """(loss less rate and distortion, change of kernel, weights before) of a step at a rate of 1.

    Kernel and weights are the encoder's.
    """
    keras.utils.set_random_seed(0)
    posterior, prior = posterior_and_prior()
    regularizer = keras.regularizers.L2(activity)
    charged = dense(2 * LATENT, activity_regularizer=regularizer)
    encoder = keras.Sequential([keras.Input((SIZE,)), charged])
    decoder = keras.Sequential([keras.Input((LATENT,)), dense(SIZE)])
    vae = tfvae.VAE(encoder, decoder, posterior, prior, likelihoods.Normal(1.0), seed=1)
    start = [w.numpy() for w in encoder.weights]
    vae.compile(keras.optimizers.SGD(1.0), jit_compile=False)
    logs = vae.fit(x, batch_size=len(x), epochs=1, verbose=0).history
    return logs["loss"][0] + logs["elbo"][0], encoder.weights[0].numpy() - start[0], start


def test_an_encoder_that_runs_on_pseudo_inputs_too_is_charged_for_x_alone(x):
    def pieces():
        return posteriors.DiagonalNormal(), priors.VampPrior(3)

    charged, change, (kernel, bias) = step_with(pieces, 0.1, x)
    nothing, without, _ = step_with(pieces, 0.0, x)
    output = x @ kernel + bias
    assert charged == pytest.approx(0.1 * (output**2).sum() / divisor(len(x)), rel=1e-4)
    assert nothing == pytest.approx(0.0, abs=1e-5)
    by_hand = 2 * 0.1 / divisor(len(x)) * x.T @ output
    assert largest_difference(without - change, by_hand) < 1e-5


@pytest.mark.parametrize("estimator", [gradients.Pathwise, gradients.StickingTheLanding])
def test_a_network_within_a_posterior_is_charged_once_however_often_it_runs(estimator):
    """Its output is the same for every input: 0.1 times its squares, of two latents of 12 rows."""
    ones = {"kernel_initializer": "zeros", "bias_initializer": "ones"}
    charged = dense(6, **ones, activity_regularizer=keras.regularizers.L2(0.1))
    upwards = keras.Sequential([keras.Input((2,)), charged])
    downwards = keras.Sequential([keras.Input((3,)), dense(4)])
    encoder = keras.Sequential([keras.Input(zoo.SHAPE), keras.layers.Flatten(), dense(4)])
    decoder = keras.Sequential([keras.Input((2,)), dense(16), keras.layers.Reshape(zoo.SHAPE)])
    pieces = {
        "posterior": posteriors.BottomUp([upwards]),
        "prior": priors.Hierarchy([downwards]),
        "estimator": estimator(),
    }
    vae = tfvae.VAE(encoder, decoder, **pieces, objective=objectives.ELBO(2), seed=1)
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    logs = vae.fit(zoo.binary(), verbose=0).history
    assert logs["loss"][0] + logs["elbo"][0] == pytest.approx(0.1 * 6 * 24 / divisor(24), rel=1e-4)
