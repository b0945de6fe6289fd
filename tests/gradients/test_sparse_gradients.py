"""A trained table (`Embedding`) is a dense layer of one-hot vectors: the same steps, by all means.

TensorFlow gives a table's gradient as slices, its rows that were looked up, and not as a tensor.
"""

import functools

import keras
import numpy as np
import pytest

import tfvae
from tests.conftest import largest_difference
from tfvae import gradients, objectives

CLASSES, WIDTH, SIZE, LATENT = 5, 4, 6, 2
ESTIMATORS = {
    "pathwise": (gradients.Pathwise, lambda: objectives.ELBO(2)),
    "sticking": (gradients.StickingTheLanding, lambda: objectives.ELBO(2)),
    "doubly": (gradients.DoublyReparameterized, lambda: objectives.IWAE(3)),
    "score": (gradients.ScoreFunction, lambda: objectives.IWAE(3)),
    "two_losses": (gradients.Pathwise, lambda: objectives.PIWAE(2, 2)),
}


def table(sparse, name):
    """A layer from classes `[B]` to `[B, WIDTH]`: by looking up rows, or by a matrix product."""
    start = keras.initializers.RandomNormal(seed=len(name))
    if sparse:
        return keras.layers.Embedding(CLASSES, WIDTH, embeddings_initializer=start, name=name)
    one_hot = keras.layers.CategoryEncoding(CLASSES, output_mode="one_hot")
    dense = keras.layers.Dense(WIDTH, use_bias=False, kernel_initializer=start, name=name)
    return lambda y: dense(one_hot(y))


def network(inputs, rows, size):
    y = keras.Input((), dtype="int32")
    start = keras.initializers.GlorotUniform(seed=size)
    dense = keras.layers.Dense(size, kernel_initializer=start, name=f"to_{size}")
    return keras.Model([inputs, y], dense(keras.layers.concatenate([inputs, rows(y)])))


def trained(sparse, estimator, optimizer, shared=False, **how):
    """The weights by name after a few steps, with a table in the encoder and in the decoder."""
    make_estimator, objective = ESTIMATORS[estimator]
    keras.utils.set_random_seed(0)
    ours = table(sparse, "ours")
    theirs = ours if shared else table(sparse, "theirs")
    encoder = network(keras.Input((SIZE,)), ours, 2 * LATENT)
    decoder = network(keras.Input((LATENT,)), theirs, SIZE)
    vae = tfvae.VAE(encoder, decoder, objective=objective(), estimator=make_estimator(), seed=1)
    vae.compile(optimizer(), **how)
    x = np.random.default_rng(0).integers(0, 2, (12, SIZE)).astype(np.float32)
    vae.fit(x, np.arange(12) % 4, batch_size=6, epochs=1, shuffle=False, verbose=0)
    return {v.path.replace("embeddings", "kernel"): v.numpy() for v in vae.trainable_variables}


def assert_same_steps(*args, **kwargs):
    rows, dense = trained(True, *args, **kwargs), trained(False, *args, **kwargs)
    assert rows.keys() == dense.keys()
    for path, values in rows.items():
        assert largest_difference(values, dense[path]) < 2e-6, path


def sgd():
    return keras.optimizers.SGD(0.1, momentum=0.9)


@pytest.mark.parametrize(
    ("estimator", "shared"), [("doubly", False), *((name, True) for name in ESTIMATORS)]
)
def test_a_table_is_trained_as_a_dense_layer_by_every_estimator(estimator, shared):
    """In the encoder and in the decoder, and one table in both."""
    assert_same_steps(estimator, sgd, shared, run_eagerly=True)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adam(0.01, clipnorm=0.05),
        lambda: keras.optimizers.Adagrad(0.1),
        lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
        lambda: keras.optimizers.LossScaleOptimizer(sgd(), initial_scale=8.0),
    ],
)
def test_a_table_is_trained_as_a_dense_layer_by_every_optimizer(optimizer):
    """Keras clips and squares by slices, and takes two slices of a row for two rows."""
    assert_same_steps("doubly", optimizer, run_eagerly=True)


@pytest.mark.nightly
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_table_is_trained_as_a_dense_layer_by_each_compiler(jit_compile):
    adam = functools.partial(keras.optimizers.Adam, 0.01, clipnorm=0.05)
    assert_same_steps("doubly", adam, jit_compile=jit_compile)
