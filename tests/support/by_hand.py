"""Training by hand: what a step draws, and the loss, its gradient and the update written out.

The model is x ~ N(decoder(z), 0.7^2) with z of q = N(loc, scale^2) by the encoder and p = N(0, I).
Nothing here calls an objective, an estimator, a distribution or a step of the package.
"""

import contextlib
import math
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import op_callbacks

from tests.support import scales
from tfvae.ops import noise

DATA, LATENT, SIGMA = 5, 2, 0.7
RATE, BATCH, EPOCHS = 0.05, 4, 2  # of SGD; the last batch of the 10 examples is partial
_FLOATS = {"StatelessRandomNormalV2": "normal", "StatelessRandomUniformV2": "uniform"}


class Draw(NamedTuple):
    """Noise that was drawn.

    Attributes:
        kind: "normal" or "uniform".
        stream: seed, or key and counter, the same for two draws from one stream.
        values: NumPy.
    """

    kind: str
    stream: tuple
    values: np.ndarray


@contextlib.contextmanager
def drawn():
    """Within it, each `Draw` of noise outside of compiled code is put on the list that it gives.

    Of the package's own noise, whose stream is told by its seed, and of TensorFlow's operations.
    """
    found: list = []
    originals = {kind: getattr(noise, kind) for kind in ("normal", "uniform")}

    def noting(kind):
        def draw(shape, seed):
            values = originals[kind](shape, seed)
            if not tf.is_symbolic_tensor(values):
                found.append(Draw(kind, tuple(np.ravel(seed).tolist()), values.numpy()))
            return values

        return draw

    def note(op_type, inputs, attrs, outputs, op_name=None, graph=None):
        name = op_type.decode() if isinstance(op_type, bytes) else op_type
        if graph is None and name in _FLOATS:
            stream = tuple(np.concatenate([np.ravel(part) for part in inputs[1:3]]).tolist())
            found.append(Draw(_FLOATS[name], stream, outputs[0].numpy()))

    op_callbacks.add_op_callback(note)
    try:
        for kind in originals:
            setattr(noise, kind, noting(kind))
        yield found
    finally:
        op_callbacks.remove_op_callback(note)
        for kind, original in originals.items():
            setattr(noise, kind, original)


def networks(hidden=tuple, **last):
    """An encoder and a decoder, the same weights in each call; `last` is of the encoder's end."""
    keras.utils.set_random_seed(3)
    layers = keras.Input((DATA,)), *hidden(), keras.layers.Dense(2 * LATENT, **last)
    decoder = keras.Sequential([keras.Input((LATENT,)), keras.layers.Dense(DATA)])
    return keras.Sequential(list(layers)), decoder


def real_data():
    return np.random.default_rng(0).normal(size=(10, DATA)).astype(np.float32)


def log_normal(x, loc, scale):
    """log N(x; loc, diag(scale^2)), summed over the last axis."""
    scale = tf.ones_like(x) * scale
    squares = ((x - loc) / scale) ** 2 + math.log(2 * math.pi)
    return -tf.reduce_sum(0.5 * squares + tf.math.log(scale), axis=-1)


class Found(NamedTuple):
    """What a loss is made of.

    Attributes:
        log_p_x, log_p_z, log_q: `[K, B]`.
        kl: of each latent, `[B, D]`.
        z: `[K, B, D]`.
        prior_noise: `[B, D]`, or None.
    """

    log_p_x: Any
    log_p_z: Any
    log_q: Any
    kl: Any
    z: Any
    prior_noise: Any

    @property
    def distortion(self):
        return -tf.reduce_mean(self.log_p_x, axis=0)

    @property
    def rate(self):
        return tf.reduce_sum(self.kl, axis=-1)

    @property
    def log_weights(self):
        return self.log_p_x + self.log_p_z - self.log_q


class ByHand:
    """Networks of one's own and a loss, trained by subtracting its gradient.

    Args:
        networks: encoder and decoder, for this alone.
        loss: `(Found, step) -> [B]`.
        log_p_x: `(x, decoder output) -> [K, B]`.
        penalty: `encoder ->` a scalar beside the mean of the loss.
        prepared: `(x, uniforms [B, DATA] or None) -> x`.
        rate: of SGD.
        batch: how many examples one has.
    """

    def __init__(
        self,
        networks,
        loss,
        *,
        log_p_x=None,
        penalty=None,
        prepared=None,
        rate=RATE,
        batch=BATCH,
    ):
        self.encoder, self.decoder = networks
        self.loss = loss
        self.log_p_x = log_p_x or (lambda x, loc: log_normal(x, loc, SIGMA))
        self.penalty = penalty or (lambda encoder: 0.0)
        self.prepared = prepared or (lambda x, uniforms: x)
        self.rate, self.batch = rate, batch
        self.steps = 0

    @property
    def weights(self):
        return [*self.encoder.get_weights(), *self.decoder.get_weights()]

    def found(self, x, noise, training):
        """`Found` of a batch, by what was drawn for it."""
        x = self.prepared(x, noise["uniform"])
        loc, raw = tf.split(self.encoder(x, training=training), 2, axis=-1)
        scale = scales.scale_of(raw)
        z = loc + scale * noise["latents"]
        output = self.decoder(tf.reshape(z, [-1, LATENT]), training=training)
        log_p_x = self.log_p_x(x, tf.reshape(output, [*z.shape[:2], DATA]))
        kl = 0.5 * (scale**2 + loc**2 - 1.0 - 2.0 * tf.math.log(scale))
        log_p_z, log_q = log_normal(z, 0.0, 1.0), log_normal(z, loc, scale)
        return Found(log_p_x, log_p_z, log_q, kl, z, noise["prior"])

    def fit(self, x, noise, sample_weight=None, epochs=EPOCHS):
        """Logs of each epoch, as `fit` gives them, after training on batches in order."""
        batches = by_batch(noise)
        return [self._pass(x, sample_weight, batches, training=True) for _ in range(epochs)]

    def evaluate(self, x, noise, sample_weight=None):
        return self._pass(x, sample_weight, by_batch(noise), training=False)

    def _pass(self, x, sample_weight, noise, training):
        weights = np.ones(len(x), np.float32) if sample_weight is None else sample_weight
        sums = dict.fromkeys(("elbo", "rate", "distortion"), 0.0)
        loss_sum, present = 0.0, 0
        for first in range(0, len(x), self.batch):
            rows = slice(first, first + self.batch)
            step = self._train if training else self._test
            total, found = step(_without_absent(x[rows], weights[rows]), weights[rows], next(noise))
            values = {"rate": found.rate, "distortion": found.distortion}
            values["elbo"] = -(found.rate + found.distortion)
            for name, value in values.items():
                sums[name] += float(tf.reduce_sum(weights[rows] * value))
            count = np.count_nonzero(weights[rows])
            loss_sum, present = loss_sum + count * float(total), present + count
        means = {name: total / weights.sum() for name, total in sums.items()}
        return {"loss": loss_sum / present, **means}

    def _train(self, x, weight, noise):
        variables = self.encoder.trainable_variables + self.decoder.trainable_variables
        with tf.GradientTape() as tape:
            found = self.found(x, noise, training=True)
            total = self._total(found, weight)
        gradients = tape.gradient(total, [v.value for v in variables])
        for variable, gradient in zip(variables, gradients):
            variable.assign(variable - self.rate * gradient)
        self.steps += 1
        return total, found

    def _test(self, x, weight, noise):
        found = self.found(x, noise, training=False)
        return self._total(found, weight), found

    def _total(self, found, weight):
        """The loss of a batch: over the examples there are, those whose weight is not 0."""
        loss = tf.reduce_sum(weight * self.loss(found, self.steps))
        return loss / max(np.count_nonzero(weight), 1) + self.penalty(self.encoder)


def _without_absent(x, weight):
    """x as the networks see it: the first example there is in the place of those of weight 0."""
    first = x[np.argmax(weight != 0.0)]
    return np.where((weight != 0.0)[:, None], x, first)


def by_batch(noise):
    """What was drawn for each batch in turn, by what it is for: told by its shape."""
    normals = [draw.values for draw in noise if draw.kind == "normal"]
    prior = [values for values in normals if values.ndim == 2]
    uniforms = [draw.values for draw in noise if draw.kind == "uniform"]
    uniforms = [values for values in uniforms if values.shape[-1] == DATA]
    for i, values in enumerate(values for values in normals if values.ndim == 3):
        yield {
            "latents": values,
            "prior": prior[i] if prior else None,
            "uniform": uniforms[i] if uniforms else None,
        }
