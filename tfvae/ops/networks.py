"""Reads the shapes off the networks and refuses the ones that do not fit together."""

import contextlib
import functools
import inspect
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae._keras.backend import keras
from tfvae.errors import InputTypeError, invalid
from tfvae.validation import arguments


class Wiring(NamedTuple):
    """Shapes of one example.

    Attributes:
        event_shape: of x, a tuple.
        latent_dim: D, or a list of sizes where the latent has several layers.
        condition_shape: of y, a tuple, or None where the model is not conditional.
        condition_dtype: of y, a string, or None.
    """

    event_shape: tuple
    latent_dim: Any
    condition_shape: tuple | None
    condition_dtype: str | None


def read(encoder, decoder, event_shape=None, latent_dim=None):
    """The `Wiring` of two networks, from their inputs or from what the caller states.

    Raises:
        InputTypeError: encoder or decoder is not a Keras layer.
        InputError: a network without known inputs, and no shape given for it.
    """
    for name, network in (("encoder", encoder), ("decoder", decoder)):
        if not isinstance(network, keras.layers.Layer):
            raise invalid(f"{name} to be a Keras model or layer", repr(network), "pass a keras.Model", InputTypeError)
    encoder_inputs, decoder_inputs = _inputs(encoder), _inputs(decoder)
    condition = encoder_inputs[1] if encoder_inputs and len(encoder_inputs) == 2 else None
    if event_shape is None:
        event_shape = _known(encoder_inputs, "encoder", "event_shape")[0].shape[1:]
    else:
        event_shape = arguments.sizes("event_shape", event_shape)
    if latent_dim is not None:
        latent_dim = arguments.sizes("latent_dim", latent_dim)
    else:
        latents = _known(decoder_inputs, "decoder", "latent_dim")
        latents = latents[:-1] if condition is not None else latents
        found = [_latent_size(t) for t in latents]
        latent_dim = found[0] if len(found) == 1 else found
    return Wiring(
        tuple(event_shape) if hasattr(event_shape, "__len__") else (event_shape,),
        latent_dim,
        None if condition is None else tuple(condition.shape[1:]),
        None if condition is None else condition.dtype,
    )


def check(wiring, encoder, decoder, posterior, likelihood, latent_sizes):
    """Calls both networks on symbolic inputs, which builds them, and checks what comes out.

    Raises:
        InputError: an encoder or decoder output of the wrong size, naming both sizes.
    """
    y = [] if wiring.condition_shape is None else [_symbol(wiring.condition_shape, wiring.condition_dtype)]
    params = encoder(_single_or_list([_symbol(wiring.event_shape), *y]))
    _check_encoder(params, latent_sizes, posterior)
    if _inputs(decoder) is None or len(_inputs(decoder)) > len(y):
        latents = [_symbol((d,)) for d in tf.nest.flatten(wiring.latent_dim)]
        _check_decoder(decoder(_single_or_list([*latents, *y])), wiring.event_shape, likelihood)


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
        raise invalid("a training_distribution that takes example_weights, beside sample_weight", repr(likelihood), fix)
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
    kept = [(layer, list(layer._losses)) for layer in network._flatten_layers()]
    try:
        yield
    finally:
        for layer, losses in kept:
            layer._losses.clear()
            layer._losses.extend(losses)


def num_classes(wiring, decoder):
    """How many labels a model conditional on one whole number knows, by its decoder's layers, or None."""
    if wiring.condition_shape != () or not tf.as_dtype(wiring.condition_dtype).is_integer:
        return None
    for layer in getattr(decoder, "layers", []):
        for attribute in ("input_dim", "num_tokens"):  # of Embedding, CategoryEncoding
            if isinstance(getattr(layer, attribute, None), int):
                return getattr(layer, attribute)
    return None


def network_input(*parts):
    """What a network is called with: the parts flattened, without the absent, alone or as a list."""
    return _single_or_list([t for part in parts if part is not None for t in tf.nest.flatten(part)])


def _single_or_list(inputs):
    return inputs[0] if len(inputs) == 1 else inputs


def _symbol(shape, dtype="float32"):
    return keras.KerasTensor((None, *shape), dtype=dtype)


def _inputs(network):
    inputs = getattr(network, "inputs", None)
    return list(inputs) if inputs else None


def _known(inputs, name, argument):
    if inputs is None:
        raise invalid(
            f"an {name} with known input shape" if name == "encoder" else f"a {name} with known input shape",
            f"{name} without keras.Input and no {argument}",
            f"start the {name} with keras.Input(shape), or pass {argument}=... to VAE",
        )
    return inputs


def _latent_size(tensor):
    if len(tensor.shape) != 2 or tensor.shape[1] is None:
        raise invalid(
            "a decoder whose input is a latent vector, [B, D]",
            f"decoder input shape {tuple(tensor.shape)}",
            "start the decoder with keras.Input((latent_dim,)) and reshape inside it",
        )
    return tensor.shape[1]


def _check_encoder(params, latent_dim, posterior):
    needed = posterior.params_size(latent_dim)
    got = tf.nest.map_structure(lambda p: p.shape[-1] if len(p.shape) == 2 else tuple(p.shape[1:]), params)
    if got != needed:
        raise invalid(
            f"encoder output of {needed} numbers per example, which {type(posterior).__name__} "
            f"needs for latent size {latent_dim} (the decoder's input)",
            f"encoder output of {got}",
            f"end the encoder with Dense({needed}), or give the decoder the latent size you mean",
        )


def _check_decoder(params, event_shape, likelihood):
    needed, got = likelihood.params_shape(event_shape), tuple(params.shape[1:])
    if got != tuple(needed):
        raise invalid(
            f"decoder output of shape {tuple(needed)} per example, which {type(likelihood).__name__} "
            f"needs for events of shape {tuple(event_shape)} (the encoder's input)",
            f"decoder output of shape {got}",
            f"end the decoder with that shape, for example Dense({likelihood.params_size(event_shape)}) "
            f"and Reshape({tuple(needed)})",
        )


def float32(params):
    """Log-probabilities are computed in float32, whatever the networks compute in."""
    return tf.nest.map_structure(lambda p: tf.cast(p, tf.float32), params)
