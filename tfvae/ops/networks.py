"""Calls of networks and of methods of pieces, in one form for all shapes and options."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import tensorflow as tf

from tfvae._keras import internals
from tfvae.errors import invalid

if TYPE_CHECKING:
    import tensorflow_probability as tfp

    from tfvae._keras.backend import keras
    from tfvae.likelihoods import Likelihood

    Output = TypeVar("Output", tf.Tensor, list[tf.Tensor])


def apply_to_flattened(
    network: "keras.Model | keras.Layer",
    z: tf.Tensor | Sequence[tf.Tensor],
    y: tf.Tensor | None = None,
    training: bool = False,
) -> tf.Tensor:
    """Runs a network on latents with any number of leading axes.

    Args:
        network: takes `[N, D]`, a list of such for layers, and y if the model is conditional.
        z: `[..., D]`, or a list of such for layers. The last leading axis is B where y is given.
        y: conditions `[B, ...]`, or None.
        training: True to run the network as in training.

    Returns:
        The network's output, float32 `[..., *shape]`.
    """
    first = tf.nest.flatten(z)[0]
    flat = tf.nest.map_structure(lambda part: tf.reshape(part, [-1, part.shape[-1]]), z)
    if y is not None:
        copies = tf.size(first) // first.shape[-1] // tf.shape(y)[0]
        y = tf.tile(y, [copies] + [1] * (len(y.shape) - 1))

    params = float32(network(network_input(flat, y), training=training))
    if len(first.shape) == 2:
        return params
    return tf.reshape(params, tf.concat([tf.shape(first)[:-1], params.shape[1:]], axis=0))


def in_mode(method: Callable[..., Any], *args: Any, training: bool) -> Any:
    """Calls a method, and passes `training` on if it has such an argument.

    Keras does the same with `call`.

    Args:
        method: the method.
        *args: its other arguments.
        training: True if this is a training step.

    Returns:
        The method's result.
    """
    return method(*args, training=training) if _takes(method, "training") else method(*args)


def fitted(
    likelihood: "Likelihood",
    params: tf.Tensor,
    x: tf.Tensor,
    example_weights: tf.Tensor | None,
) -> "tfp.distributions.Distribution":
    """Returns `likelihood.training_distribution`, called with the examples' weights if any.

    Args:
        likelihood: p(x|z).
        params: the decoder's output, `[K, B, *params_shape]`.
        x: the batch, `[B, *event]`.
        example_weights: float32 `[B]`, or None where all are 1.

    Returns:
        p(x|z), a distribution of batch `[K, B]`.

    Raises:
        InputError: there are weights, but the method has no argument `example_weights`.
    """
    if example_weights is None:
        return likelihood.training_distribution(params, x)
    if not _takes(likelihood.training_distribution, "example_weights"):
        fix = (
            "give it the argument example_weights=None, and fit by it: "
            "an example of weight 0 is not there"
        )
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
def beside_the_batch(network: "keras.Model | keras.Layer") -> Iterator[None]:
    """Lets a network run on other data in the `with` block, and keeps its penalties of the batch.

    Keras keeps the penalties of the last call only. Those that `activity_regularizer` and
    `add_loss` made of the call before would be lost.
    """
    kept = [
        (layer, list(internals.penalties(layer))) for layer in internals.flatten_layers(network)
    ]
    try:
        yield
    finally:
        for layer, losses in kept:
            internals.penalties(layer)[:] = losses


def network_input(
    *parts: tf.Tensor | Sequence[tf.Tensor] | None,
) -> tf.Tensor | list[tf.Tensor]:
    """Returns the argument to call a network with, made of its inputs.

    Args:
        *parts: tensors, lists of tensors, or None for an input that is absent.

    Returns:
        One tensor, or a list if there are several.
    """
    inputs = [t for part in parts if part is not None for t in tf.nest.flatten(part)]
    return inputs[0] if len(inputs) == 1 else inputs


def float32(params: "Output") -> "Output":
    """Returns a network's output in float32, in which all log-probabilities are computed."""
    return tf.nest.map_structure(lambda p: tf.cast(p, tf.float32), params)
