"""How a network or a method of a piece is called: on rows, in training or not, with weights or without."""

import contextlib
import functools
import inspect

import tensorflow as tf

from tfvae._keras import internals
from tfvae.errors import invalid


def on_rows(network, z, y=None, training=False):
    """`network` on z `[..., D]`, a structure of such, and y `[B, ...]`: its output `[..., *shape]`, float32."""
    first = tf.nest.flatten(z)[0]
    flat = tf.nest.map_structure(lambda part: tf.reshape(part, [-1, part.shape[-1]]), z)
    if y is not None:
        copies = tf.size(first) // first.shape[-1] // tf.shape(y)[0]
        y = tf.tile(y, [copies] + [1] * (len(y.shape) - 1))
    params = float32(network(network_input(flat, y), training=training))
    if len(first.shape) == 2:
        return params
    return tf.reshape(params, tf.concat([tf.shape(first)[:-1], params.shape[1:]], axis=0))


def in_mode(method, *args, training):
    """Calls a method, telling it whether this is training where it has that argument, as Keras does with `call`."""
    return method(*args, training=training) if _takes(method, "training") else method(*args)


def fitted(likelihood, params, x, example_weights):
    """Returns `likelihood.training_distribution(params, x)`, told the weights of the examples where there are any.

    Raises:
        InputError: weights for a likelihood that fits to a batch without knowing of them.
    """
    if example_weights is None:
        return likelihood.training_distribution(params, x)
    if not _takes(likelihood.training_distribution, "example_weights"):
        fix = "give it the argument example_weights=None, and fit by it: an example of weight 0 is not there"
        raise invalid(
            "a training_distribution that takes example_weights, beside sample_weight",
            repr(likelihood),
            fix,
        )
    return likelihood.training_distribution(params, x, example_weights=example_weights)


def _takes(method, name):
    return _has_parameter(getattr(method, "__func__", method), name)


@functools.cache
def _has_parameter(function, name):
    parameters = inspect.signature(function).parameters.values()
    return any(p.name == name or p.kind is p.VAR_KEYWORD for p in parameters)


@contextlib.contextmanager
def beside_the_batch(network):
    """Within it, `network` may run on something else: the penalties of its pass over the batch are kept.

    Keras keeps those of the last call alone: what `activity_regularizer` and `add_loss` made of the call before is lost.
    """
    kept = [
        (layer, list(internals.penalties(layer))) for layer in internals.flatten_layers(network)
    ]
    try:
        yield
    finally:
        for layer, losses in kept:
            internals.penalties(layer)[:] = losses


def network_input(*parts):
    """What a network is called with: the parts flattened, without the absent, alone or as a list."""
    inputs = [t for part in parts if part is not None for t in tf.nest.flatten(part)]
    return inputs[0] if len(inputs) == 1 else inputs


def float32(params):
    """Log-probabilities are computed in float32, whatever the networks compute in."""
    return tf.nest.map_structure(lambda p: tf.cast(p, tf.float32), params)
