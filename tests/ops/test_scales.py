"""Scales of normals at the ends of what a network can give, against float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference
from tfvae import posteriors, priors
from tfvae.models import forward_pass
from tfvae.ops import scales

RAW = np.concatenate([-np.logspace(30, -3, 40), np.logspace(-3, 30, 40)]).astype(np.float32)


def float64(raw):
    positive = np.logaddexp(0.0, raw.astype(np.float64))
    return ((positive / np.hypot(1, positive / 1e8)) ** 4 + 1e-16) ** 0.25


def gradient(function, *inputs):
    inputs = [tf.constant(x, tf.float32) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        found = function(*inputs)
    return found, [g.numpy() for g in tape.gradient(found, inputs)]


def test_scales_are_the_softplus_bounded_smoothly():
    found = scales.of(tf.constant(RAW)).numpy()
    assert found == pytest.approx(float64(RAW), rel=1e-5)
    assert (np.diff(found) >= -8).all() and found[0] == pytest.approx(1e-4)
    assert found[-1] == pytest.approx(1e8)
    usual = np.linspace(-4, 20, 100).astype(np.float32)
    assert scales.of(usual).numpy() == pytest.approx(np.logaddexp(0.0, usual), rel=1e-4)


def test_means_and_scales_of_layers_are_bounded_and_as_given_in_between():
    loc, scale = (x.numpy() for x in scales.of_layer(tf.constant(np.concatenate([RAW, RAW]))))
    assert np.abs(loc).max() <= 1.0001e4 and scale.max() <= 1.0001e4
    assert scale.min() >= np.float32(1e-2)
    middle = np.abs(RAW) < 30
    assert loc[middle] == pytest.approx(RAW[middle], rel=1e-5)
    assert scale[middle & (RAW > -1)] == pytest.approx(
        np.logaddexp(0.0, RAW[middle & (RAW > -1)]), rel=1e-5
    )
    at_ends = np.array([-1e30, -1e12, -2e4, 2e4, 1e12, 1e30])
    found = scales.of_layer(tf.constant(np.tile(at_ends, 2), tf.float32))[0].numpy()
    assert found == pytest.approx(at_ends / np.hypot(1, at_ends / 1e4), rel=1e-5)


def test_gradients_of_scales_are_those_of_float64():
    _, (found,) = gradient(lambda raw: tf.reduce_sum(scales.of(raw)), RAW)
    middle = RAW[np.abs(RAW) < 1e3].astype(np.float64)
    step = 1e-4 * np.maximum(np.abs(middle), 0.1)
    expected = (float64(middle + step) - float64(middle - step)) / (2 * step)
    assert np.isfinite(found).all()
    assert found[np.abs(RAW) < 1e3] == pytest.approx(expected, rel=1e-3, abs=1e-5)


ENDS = (1e-4, 3e-3, 1.0, 2e4, 1e8)
# Adam adds up squares, which overflow from 2e19 on, and a step has many elements. With scales
# down to 1e-6 the tests below have 4e13 and more.
LARGEST = 1e13


@pytest.mark.parametrize("scale", ENDS)
@pytest.mark.parametrize("other", ENDS)
def test_two_normals_combine_by_their_precisions(scale, other):
    a, b = 0.7, -1.3
    mean, deviation = scales.combined(*(tf.constant(v) for v in (a, scale, b, other)))
    precision, theirs = scale**-2.0, other**-2.0
    assert mean.numpy() == pytest.approx((a * precision + b * theirs) / (precision + theirs), 1e-5)
    assert deviation.numpy() == pytest.approx((precision + theirs) ** -0.5, rel=1e-5)
    _, found = gradient(lambda *v: sum(scales.combined(*v)), a, scale, b, other)
    assert np.isfinite(found).all()


def ends(shape, size, seed):
    """Numbers as a network that has run away gives them."""
    rng = np.random.default_rng(seed)
    return tf.constant(rng.choice([-size, 0.0, size], shape), tf.float32)


@pytest.mark.parametrize("size", [1e2, 1e4])
@pytest.mark.parametrize("ladder", [True, False])
def test_rates_of_hierarchies_and_their_gradients_stay_finite_at_the_ends(ladder, size):
    vae = tfvae.hierarchical_vae((6,), (3, 2), (4,), ladder=ladder, seed=0)
    for network in vae.prior.networks:
        *hidden, kernel, _ = network.get_weights()
        network.set_weights([*hidden, kernel, ends(kernel.shape[-1:], size, 1).numpy()])
    sizes = vae.posterior.params_size(vae.latent_sizes)
    params = tf.nest.map_structure(lambda n: ends((64, n), size, n), sizes)
    watched = [*tf.nest.flatten(params), *(v.value for v in vae.trainable_variables)]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        terms = _terms(vae, params)
        loss = tf.reduce_mean(terms.log_ratio)
    assert np.isfinite(loss.numpy())
    for found in tape.gradient(loss, watched, unconnected_gradients="zero"):
        assert np.abs(found.numpy()).max() < LARGEST


def _terms(vae, params):
    x = tf.zeros([64, 6])
    return forward_pass.terms_from_params(vae, params, x, None, 2, tf.constant([1, 2]), True)


@pytest.mark.parametrize("prior", [priors.StandardNormal, lambda: priors.GaussianMixture(3)])
def test_a_posterior_that_has_run_away_has_a_finite_rate_and_gradient(prior):
    params = ends((64, 8), 1e4, 0)
    p = prior()
    p.build(4)
    if p.weights:
        p.raw_scale.assign(tf.fill(p.raw_scale.shape, -1e4))
    q = posteriors.DiagonalNormal()

    def rate(params):
        z, log_q = q.distribution(params).experimental_sample_and_log_prob(2, seed=[1, 2])
        return tf.reduce_mean(log_q - p.distribution().log_prob(z))

    value, (found,) = gradient(rate, params)
    assert np.isfinite(value.numpy()) and np.abs(found).max() < LARGEST


def test_the_scales_of_every_normal_are_bounded_below():
    narrow = tf.fill([1, 4], -1e4)
    q = posteriors.DiagonalNormal().loc_scale(tf.concat([narrow, narrow], -1))[1]
    full = posteriors.FullNormal().encode_outputs(tf.fill([1, 5], -1e4))["scale"]
    mixture = priors.GaussianMixture(2)
    mixture.build(3)
    mixture.raw_scale.assign(tf.fill([2, 3], -1e4))
    p = mixture.distribution().components_distribution.distribution.scale
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "linear")])
    network.layers[-1].bias.assign([0.0, 0.0, -1e4, -1e4])
    hierarchy = priors.Hierarchy([network])
    hierarchy.build([2, 2])
    below = hierarchy.conditional(1, tf.zeros([1, 2]))[1]
    for found in (q, full[:, :1], p):
        assert largest_difference(found, 1e-4) < 1e-9
    assert largest_difference(below, 1e-2) < 1e-7
