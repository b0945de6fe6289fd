"""Noise inside compiled steps: whose stream it is, and that it is drawn once."""

import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference
from tests.support.nightly import nightly
from tfvae import random
from tfvae.ops import noise, xla


@pytest.mark.parametrize("shape", [[3, 1, 2], *(nightly(s) for s in ([5], [128, 784]))])
def test_noise_for_xla_is_the_stream_by_ops_written_out(shape):
    @tf.function(jit_compile=True)
    def compiled(seed):
        with xla.tracing_for(xla.XLA):
            return noise.normal(shape, seed), noise.uniform(shape, seed)

    seed = tf.constant([3, 4])
    stream = random.Stream(tuple(seed.numpy()), tf.range(int(np.prod(shape))))
    # XLA's logarithm is its own, which the far tails of the normal show; the bits are the same.
    by_ops = (stream.normal(1), stream.uniform(1))
    for found, expected, tolerance in zip(compiled(seed), by_ops, (1e-4, 0.0)):
        assert largest_difference(found, tf.reshape(expected, shape)) <= tolerance
    # Outside of XLA, and in a TensorFlow graph, it is the same noise.
    in_graph = tf.function(lambda: (noise.normal(shape, seed), noise.uniform(shape, seed)))()
    for drawn in ((noise.normal(shape, seed), noise.uniform(shape, seed)), in_graph):
        assert largest_difference(drawn[0], compiled(seed)[0]) <= 1e-4
        assert largest_difference(drawn[1], compiled(seed)[1]) == 0.0


@pytest.mark.parametrize("draw", [noise.normal, noise.uniform])
def test_xla_draws_noise_once_however_often_it_is_used(draw):
    def rounds(uses):
        @tf.function(jit_compile=True)
        def compiled(seed):
            with xla.tracing_for(xla.XLA):
                values = draw([64, 50], seed)
            return [tf.reduce_sum(values * k, axis=0) + k for k in range(1, uses + 1)], values

        text = compiled.experimental_get_compiler_ir(tf.constant([3, 4]))(stage="optimized_hlo")
        return text.count(" shift-right-logical(")

    assert rounds(3) == rounds(1) > 0


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (tf.float32, [[0.0, -2.0], [3.0, 7.0]]),
        (tf.bfloat16, [[0.0, -2.0], [3.0, 7.0]]),
        (tf.int32, [[-(2**31), 2**31 - 1], [2**24 + 1, 0]]),
        (tf.int64, [[-(2**63), 2**63 - 1]]),
        (tf.bool, [True, False]),
    ],
)
def test_what_xla_is_to_compute_once_keeps_its_values_and_dtype(dtype, values):
    values = tf.constant(values, dtype)

    @tf.function(jit_compile=True)
    def compiled(seed):
        with xla.tracing_for(xla.XLA):
            return xla.compute_once(values, seed)

    found = compiled(tf.constant([3, 4]))
    assert found.dtype == dtype
    assert np.array_equal(found, values)


def test_a_normals_draws_come_with_their_density_and_its_gradient():
    params = tf.constant(np.random.default_rng(0).normal(size=(5, 6)), tf.float32)
    found = []
    for together in (True, False):
        with tf.GradientTape() as tape:
            tape.watch(params)
            q, seed = tfvae.posteriors.DiagonalNormal().distribution(params), tf.constant([1, 2])
            if together:
                z, log_q = q.experimental_sample_and_log_prob(4, seed=seed)
            else:
                z = q.sample(4, seed=seed)
                log_q = q.log_prob(z)
            value = tf.reduce_sum(tf.sin(z)) + tf.reduce_sum(tf.cos(log_q))
        found.append((z.numpy(), log_q.numpy(), tape.gradient(value, params).numpy()))
    for ours, expected in zip(*found):
        assert ours == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_normals_are_drawn_by_any_compiler_with_their_mean_and_scale():
    q = tfvae.posteriors.DiagonalNormal().distribution(tf.constant([[1.0, -2.0, 0.0, 3.0]]))

    @tf.function(jit_compile=True)
    def compiled():
        with xla.tracing_for(xla.XLA):
            return q.sample(100_000, seed=tf.constant([1, 2]))

    for z in (compiled(), q.sample(100_000, seed=tf.constant([1, 2]))):
        error = 5 / np.sqrt(100_000)
        assert tf.reduce_mean(z, 0).numpy() == pytest.approx(q.mean().numpy(), abs=4 * error)
        assert tf.math.reduce_std(z, 0).numpy() == pytest.approx(q.stddev().numpy(), rel=error)
    assert largest_difference(q.sample(3), q.sample(3)) > 0  # without a seed
