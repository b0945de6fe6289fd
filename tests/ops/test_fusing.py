"""Pieces of a step that XLA compiles alone have the values and gradients they have without it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.support import zoo
from tfvae.ops import xla, xla_fusion

IN_PIECES = xla.CompilationPlan("", between_networks=True)
A, B, W, C = (np.random.default_rng(i).normal(size=(4, 3)).astype(np.float32) for i in range(4))


@pytest.mark.parametrize("wrap", [tf.function, lambda function: function], ids=["traced", "eager"])
def test_a_piece_has_the_values_and_gradients_of_its_function(wrap):
    weight, captured = keras.Variable(W), tf.constant(C)

    def function(a, b):
        return {"one": tf.sin(a) * b * weight * captured, "two": [tf.reduce_sum(a * a, axis=1)]}

    @wrap
    def run(a, b):
        with xla.tracing_for(IN_PIECES), tf.GradientTape(persistent=True) as tape:
            tape.watch([a, b, captured])
            found = xla_fusion.fused(function, 2.0 * a, b)
            loss = tf.reduce_sum(3.0 * found["one"]) + tf.reduce_sum(found["two"][0])
        twice = [tape.gradient(loss, [a, b, weight.value]) for _ in range(2)]
        return found, twice, tape.gradient(loss, captured) is None

    found, gradients, constant = run(tf.constant(A), tf.constant(B))
    assert found["one"].numpy() == pytest.approx(np.sin(2 * A) * B * W * C, rel=1e-5)
    assert found["two"][0].numpy() == pytest.approx((4 * A * A).sum(axis=1), rel=1e-5)
    expected = (
        6 * np.cos(2 * A) * B * W * C + 8 * A,
        3 * np.sin(2 * A) * W * C,
        3 * np.sin(2 * A) * B * C,
    )
    for passes in gradients:  # a tape may be asked twice
        for ours, theirs in zip(passes, expected):
            assert ours.numpy() == pytest.approx(theirs, rel=1e-4, abs=1e-5)
    assert constant


def test_what_is_traced_after_a_step_is_for_no_compiler():
    with xla.tracing_for(IN_PIECES):
        assert xla.current_plan() is IN_PIECES
    assert xla.current_plan() is None


@pytest.mark.parametrize(
    ("compiler", "has_pieces"), [(IN_PIECES, True), (xla.GRAPH, False), (xla.XLA, False)]
)
def test_only_a_step_in_pieces_has_any(compiler, has_pieces):
    @tf.function
    def run(a):
        with xla.tracing_for(compiler):
            return xla_fusion.fused(lambda a: [tf.exp(a), tf.constant(xla.is_by_xla())], a)

    values, by_xla = run(tf.constant(A))
    assert values.numpy() == pytest.approx(np.exp(A), rel=1e-5)
    assert bool(by_xla) == (compiler is not xla.GRAPH)
    definition = run.get_concrete_function(tf.constant(A)).graph.as_graph_def()
    assert any("_XlaMustCompile" in f.attr for f in definition.library.function) == has_pieces


@pytest.mark.parametrize("observed", [False, True])
def test_a_likelihood_of_the_users_own_that_counts_its_batches_counts_each_once(observed):
    class Counting(tfvae.likelihoods.Normal):
        def build(self, event_shape):
            super().build(event_shape)
            self.batches = self.add_weight(
                shape=(), initializer="zeros", trainable=False, name="batches"
            )

        def training_distribution(self, params, x):
            self.batches.assign_add(1.0)
            return self.distribution(params)

    counting = Counting()
    likelihood = tfvae.likelihoods.Observed(counting) if observed else counting
    vae = tfvae.mlp_vae(zoo.SHAPE, 2, (8,), likelihood=likelihood)
    vae.compile(keras.optimizers.SGD())
    vae.optimizer.build(vae.trainable_variables)
    with xla.tracing_for(IN_PIECES):
        vae.train_step(tf.constant(zoo.real()))
    assert float(counting.batches) == 1.0
