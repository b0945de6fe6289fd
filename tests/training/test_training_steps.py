"""Steps of `fit` against the same steps by hand: weights, moving statistics, logged numbers.

The noise is what a `fit` that runs eagerly is seen to draw; a compiled `fit` of the same seed must
end at the same weights.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference
from tests.support.by_hand import BATCH, EPOCHS, RATE, SIGMA, ByHand, drawn, networks, real_data
from tfvae import likelihoods, objectives, regularizers

WEIGHTS = np.array([0, 2, 0.5, 1.5, 3, 0, 0, 1, 2, 0], np.float32)  # a mean of 1 in each batch


def ramp(start, end, steps=4):
    return keras.optimizers.schedules.PolynomialDecay(start, steps, end_learning_rate=end)


def ramp_at(step, start, end, steps=4):
    return start + (end - start) * min(step, steps) / steps


def elbo(found, step):
    return found.distortion + found.rate


def iwae(found, step):
    return -tf.math.log(tf.reduce_mean(tf.exp(found.log_weights), axis=0))


def free_bits(found, step):
    bits = ramp_at(step, 0.2, 0.6)
    return found.distortion + tf.reduce_sum(tf.maximum(tf.reduce_mean(found.kl, axis=0), bits))


def scheduled_mix(found, step):
    mix = ramp_at(step, 1.0, 0.0)
    return -mix * tf.reduce_mean(found.log_weights, axis=0) + (1 - mix) * iwae(found, step)


def with_latent_norm(found, step):
    return elbo(found, step) + 0.7 * tf.reduce_mean(tf.reduce_sum(found.z**2, axis=-1)) / 2


def with_mmd(found, step):
    """MMD: the mean kernel of two z, plus that of two draws of p(z), less twice that of a pair."""
    a, b, count = found.z[0], found.prior_noise, len(found.prior_noise)

    def kernel(left, right):
        squares = tf.reduce_sum((left[:, None] - right[None]) ** 2, axis=-1)
        return sum(4.0 * s / (4.0 * s + squares) for s in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0))

    def apart(matrix):
        return (tf.reduce_sum(matrix) - tf.linalg.trace(matrix)) / (count * (count - 1))

    mmd = apart(kernel(a, a)) + apart(kernel(b, b)) - 2.0 * tf.reduce_mean(kernel(a, b))
    return elbo(found, step) + 10.0 * mmd


def log_bernoulli(x, logits):
    ones, zeros = tf.math.log_sigmoid(logits), tf.math.log_sigmoid(-logits)
    return tf.reduce_sum(x * ones + (1 - x) * zeros, axis=-1)


def squares(encoder):
    return 0.5 * tf.reduce_sum(encoder.trainable_variables[0].value ** 2)


class Case(NamedTuple):
    objective: Any
    loss: Any
    hidden: Any = tuple
    last: Any = dict
    likelihood: Any = lambda: likelihoods.Normal(SIGMA)
    data: Any = real_data
    sample_weight: Any = None
    by_hand: Any = {}


CASES = {
    "elbo": Case(lambda: tfvae.ELBO(2), elbo),
    "monte_carlo": Case(
        lambda: tfvae.ELBO(2, analytic_rate=False),
        lambda found, step: -tf.reduce_mean(found.log_weights, axis=0),
    ),
    "iwae": Case(lambda: tfvae.IWAE(3), iwae),
    "sample_weight": Case(lambda: tfvae.ELBO(2), elbo, sample_weight=WEIGHTS),
    "sample_weight_iwae": Case(lambda: tfvae.IWAE(3), iwae, sample_weight=WEIGHTS),
    "beta_schedule": Case(
        lambda: tfvae.ELBO(beta=ramp(0.0, 2.0)),
        lambda found, step: found.distortion + ramp_at(step, 0.0, 2.0) * found.rate,
    ),
    "capacity_schedule": Case(
        lambda: tfvae.ELBO(beta=3.0, capacity=ramp(0.1, 4.0)),
        lambda found, step: found.distortion + 3.0 * tf.abs(found.rate - ramp_at(step, 0.1, 4.0)),
    ),
    "free_bits_schedule": Case(lambda: tfvae.ELBO(free_bits=ramp(0.2, 0.6)), free_bits),
    "mix_schedule": Case(lambda: objectives.CIWAE(3, mix=ramp(1.0, 0.0)), scheduled_mix),
    "latent_norm": Case(lambda: tfvae.ELBO(2) + 0.7 * regularizers.LatentNorm(), with_latent_norm),
    "mmd": Case(lambda: tfvae.ELBO() + 10.0 * regularizers.MMD(), with_mmd),
    "binarization": Case(
        lambda: tfvae.ELBO(2),
        elbo,
        likelihood=lambda: likelihoods.Bernoulli(dynamic_binarization=True),
        data=lambda: np.random.default_rng(0).random((10, 5), np.float32),
        by_hand={"log_p_x": log_bernoulli, "prepared": lambda x, u: tf.cast(u < x, tf.float32)},
    ),
    "kernel_regularizer": Case(
        lambda: tfvae.ELBO(),
        elbo,
        last=lambda: {"kernel_regularizer": keras.regularizers.L2(0.5)},
        by_hand={"penalty": squares},
    ),
    "batch_norm_and_dropout": Case(
        lambda: tfvae.ELBO(2),
        elbo,
        hidden=lambda: (
            keras.layers.Dense(6, "tanh"),
            keras.layers.BatchNormalization(momentum=0.6),
            keras.layers.Dropout(0.5, seed=7),
        ),
    ),
}


def compiled(case, **how):
    encoder, decoder = networks(case.hidden, **case.last())
    pieces = {"likelihood": case.likelihood(), "objective": case.objective()}
    vae = tfvae.VAE(encoder, decoder, **pieces, seed=1)
    vae.compile(keras.optimizers.SGD(RATE), **how)
    return vae


def fit(vae, case):
    """The logs of each epoch."""
    given = {"batch_size": BATCH, "epochs": EPOCHS, "sample_weight": case.sample_weight}
    history = vae.fit(case.data(), shuffle=False, verbose=0, **given).history
    return [dict(zip(history, values)) for values in zip(*history.values())]


def network_weights(vae):
    return [*vae.encoder.get_weights(), *vae.decoder.get_weights()]


def assert_same(vae, logs, hand, expected):
    """Weights and logs as by hand; whether `loss` counts penalties of the networks is not asked."""
    for found, by_hand in zip(network_weights(vae), hand.weights):
        assert largest_difference(found, by_hand) < 2e-5
    for epoch, by_hand in zip(logs, expected):
        names = [name for name in by_hand if name != "loss" or not vae.losses]
        for name in names:
            assert epoch[name] == pytest.approx(by_hand[name], rel=2e-5, abs=2e-5)


def assert_apart(noise):
    """No batch and no purpose has the noise of another."""
    streams = [draw.stream for draw in noise]
    assert len(set(streams)) == len(streams)


# Of these two, the same with `sample_weight` and `binarization` hold as much.
BY_NIGHT = ("elbo", "iwae")
# What a compiled step could do otherwise in these, it could in `sample_weight` or `binarization`:
# it has no noise or state of its own, and its schedule is read as that of beta is.
EAGERLY = (
    "monte_carlo",
    "sample_weight_iwae",
    "latent_norm",
    "free_bits_schedule",
    "kernel_regularizer",
    "capacity_schedule",
    "mix_schedule",
)


def _by_day_and_night():
    for name in CASES:
        if name in EAGERLY:
            yield pytest.param(name, False, id=name)
        by_night = name in (*BY_NIGHT, *EAGERLY)
        marks = pytest.mark.nightly if by_night else ()
        yield pytest.param(name, True, id=f"{name}-compiled", marks=marks)


@pytest.mark.parametrize(("name", "compiles"), _by_day_and_night())
def test_steps_of_fit_are_gradient_steps_of_the_loss_written_out(name, compiles):
    """Two epochs of three batches, eagerly and compiled; then `evaluate` at the step reached."""
    case = CASES[name]
    x, weights = case.data(), case.sample_weight
    vae = compiled(case, run_eagerly=True)
    with drawn() as noise:
        logs = fit(vae, case)
    hand = ByHand(networks(case.hidden, **case.last()), case.loss, **case.by_hand)
    start = hand.weights
    expected = hand.fit(x, noise, weights)
    assert max(largest_difference(a, b) for a, b in zip(start, hand.weights)) > 0.05
    assert_same(vae, logs, hand, expected)
    if compiles:
        graph = compiled(case, jit_compile=False, steps_per_execution=2)
        assert_same(graph, fit(graph, case), hand, expected)
    assert_apart(noise)

    before = network_weights(vae)
    with drawn() as noise:
        logs = vae.evaluate(x, sample_weight=weights, batch_size=BATCH, verbose=0, return_dict=True)
    assert_apart(noise)
    assert_same(vae, [logs], hand, [hand.evaluate(x, noise, weights)])
    assert all(np.array_equal(a, b) for a, b in zip(before, network_weights(vae)))
