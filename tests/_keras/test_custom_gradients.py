"""What TensorFlow registers for a model's graphs goes with the model, and nobody else's goes."""

import gc
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.support.nightly import nightly
from tfvae._keras import custom_gradients, internals

X = (np.random.default_rng(0).random((8, 6)) < 0.5).astype(np.float32)


@tf.custom_gradient
def tripled(x):
    """2 x, with 3 for its gradient."""
    return 2.0 * x, lambda upstream: 3.0 * upstream


def registered():
    return set(custom_gradients.registered())


def trained(x, jit_compile):
    vae = tfvae.mlp_vae((6,), 2, (4,), seed=0)
    vae.compile(keras.optimizers.Adam(0.01), jit_compile=jit_compile, steps_per_execution=2)
    vae.fit(x, batch_size=None if isinstance(x, tf.data.Dataset) else 4, verbose=0)
    vae.evaluate(X, batch_size=4, verbose=0)
    tfvae.evaluation.log_likelihood(vae, X, 3)
    return vae


def graphs():
    """How many graphs there are that something holds."""
    for _ in range(3):
        gc.collect()
    return sum(isinstance(each, tf.__internal__.FuncGraph) for each in gc.get_objects())


@pytest.mark.parametrize(
    ("on", "jit_compile"),
    [
        ("arrays", False),
        nightly("a dataset", False),
        nightly("arrays", True),
    ],
)
def test_a_dropped_model_leaves_no_graph(on, jit_compile):
    data = {"arrays": X, "a dataset": tf.data.Dataset.from_tensor_slices(X).batch(4)}[on]
    trained(data, jit_compile)  # what the first model of a process leaves
    there, before = graphs(), registered()
    vae = trained(data, jit_compile)
    assert registered() - before  # the likelihood's, and that of Keras' optimizer
    assert graphs() > there
    del vae
    until = time.monotonic() + 20  # threads that read ahead let go a little later
    while graphs() > there and time.monotonic() < until:
        time.sleep(0.1)
    assert graphs() <= there
    assert registered() <= before


def gradient_of(function):
    x = tf.constant(1.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return float(tape.gradient(y, x))


def test_a_gradient_is_found_as_long_as_there_is_its_graph():
    """Of a function that others use as well, such as TFP's, first traced within a program."""
    shared = tf.function(lambda x: tripled(x), autograph=False)
    program = internals.last_program(lambda x: shared(x) + tripled(x))
    before = registered()
    program.get_concrete_function(tf.TensorSpec([]))
    assert len(registered() - before) == 2
    assert gradient_of(program) == 6.0
    del program
    gc.collect()
    assert len(registered() - before) == 1
    assert gradient_of(shared) == 3.0
    shared = None
    gc.collect()
    assert registered() <= before


def test_gradients_within_inner_graphs_go_as_well():
    def inner(x):
        return tf.cond(x > 0, lambda: tripled(x), lambda: x)

    program = internals.last_program(lambda x: tf.function(inner, autograph=False)(x))
    before = registered()
    program.get_concrete_function(tf.TensorSpec([]))
    assert registered() - before
    assert gradient_of(program) == 3.0
    del program
    gc.collect()
    assert registered() <= before
