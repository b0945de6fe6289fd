"""The same convolutional model by hand in TensorFlow.

Keras layers and optimizer, one compiled step per NumPy batch.
"""

import math

import keras
import numpy as np
import tensorflow as tf

from tests.benchmarks import data, ours

layers = keras.layers


def mlp(widths):
    """Dense layers with ReLU between them."""
    return [*(layers.Dense(width, "relu") for width in widths[:-1]), layers.Dense(widths[-1])]


def networks(shape):
    """(encoder, decoder)."""
    small, pixels = shape.side // 2 ** len(shape.filters), (shape.side, shape.side, 1)
    image = (small, small, shape.filters[-1])
    convolutions = [
        layers.Conv2D(filters, 4, 2, "same", activation="relu") for filters in shape.filters
    ]
    encoder = [*convolutions, layers.Flatten(), *mlp((*shape.hidden, 2 * shape.latent))]
    back = [
        layers.Conv2DTranspose(filters, 4, 2, "same", activation="relu")
        for filters in shape.filters[-2::-1]
    ]
    dense = [*mlp((*shape.hidden[::-1], math.prod(image))), layers.ReLU(), layers.Reshape(image)]
    decoder = [*dense, *back, layers.Conv2DTranspose(1, 4, 2, "same")]
    encoder = keras.Sequential([layers.Input(pixels), *encoder])
    return encoder, keras.Sequential([layers.Input((shape.latent,)), *decoder])


def negative_bound(encoder, decoder, x):
    """-ELBO of one sample with the closed-form KL; the mean over the batch."""
    mean, log_scale = tf.split(encoder(x), 2, axis=-1)
    logits = decoder(mean + tf.exp(log_scale) * tf.random.normal(tf.shape(mean)))
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(x, logits)
    kl = 0.5 * tf.reduce_sum(mean**2 + tf.exp(2 * log_scale) - 1 - 2 * log_scale, axis=-1)
    return tf.reduce_mean(kl + tf.reduce_sum(cross_entropy, axis=list(range(1, x.shape.rank))))


def train(shape, by_xla):
    """A unit is one epoch."""
    encoder, decoder = networks(shape)
    variables = encoder.trainable_variables + decoder.trainable_variables
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(variables)
    x = data.events(shape, data.binary(shape.examples))

    @tf.function(jit_compile=by_xla, autograph=False)
    def step(batch):
        with tf.GradientTape() as tape:
            loss = negative_bound(encoder, decoder, batch)
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
        return loss

    def run(epochs):
        for _ in range(epochs):
            order = np.random.permutation(len(x))
            for first in range(0, len(x), shape.batch):
                loss = step(tf.constant(x[order[first : first + shape.batch]]))
        loss.numpy()

    return ours.work(run, shape.examples)
