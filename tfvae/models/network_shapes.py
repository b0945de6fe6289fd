"""Reads the shapes off two networks, and refuses the ones that do not fit together."""

from typing import Any, NamedTuple

import tensorflow as tf

from tfvae._keras.backend import keras
from tfvae.errors import InputTypeError, invalid
from tfvae.ops.networks import network_input
from tfvae.validation import arguments


class NetworkShapes(NamedTuple):
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
    """The `NetworkShapes` of two networks, from their inputs or from what the caller states.

    Raises:
        InputTypeError: encoder or decoder is not a Keras layer.
        InputError: a network without known inputs, and no shape given for it.
    """
    for name, network in (("encoder", encoder), ("decoder", decoder)):
        if not isinstance(network, keras.layers.Layer):
            raise invalid(
                f"{name} to be a Keras model or layer",
                repr(network),
                "pass a keras.Model",
                InputTypeError,
            )
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
    return NetworkShapes(
        tuple(event_shape) if hasattr(event_shape, "__len__") else (event_shape,),
        latent_dim,
        None if condition is None else tuple(condition.shape[1:]),
        None if condition is None else condition.dtype,
    )


def check(shapes, encoder, decoder, posterior, likelihood, latent_sizes):
    """Calls both networks on symbolic inputs, which builds them, and checks what comes out.

    Raises:
        InputError: an encoder or decoder output of the wrong size, naming both sizes.
    """
    y = (
        []
        if shapes.condition_shape is None
        else [_symbol(shapes.condition_shape, shapes.condition_dtype)]
    )
    params = encoder(network_input(_symbol(shapes.event_shape), *y))
    _check_encoder(params, latent_sizes, posterior)
    if _inputs(decoder) is None or len(_inputs(decoder)) > len(y):
        latents = [_symbol((d,)) for d in tf.nest.flatten(shapes.latent_dim)]
        _check_decoder(decoder(network_input(*latents, *y)), shapes.event_shape, likelihood)


def num_classes(shapes, decoder):
    """How many labels a model conditional on one whole number knows, by its decoder's layers, or None."""
    if shapes.condition_shape != () or not tf.as_dtype(shapes.condition_dtype).is_integer:
        return None
    for layer in getattr(decoder, "layers", []):
        for attribute in ("input_dim", "num_tokens"):  # of Embedding, CategoryEncoding
            if isinstance(getattr(layer, attribute, None), int):
                return getattr(layer, attribute)
    return None


def _symbol(shape, dtype="float32"):
    return keras.KerasTensor((None, *shape), dtype=dtype)


def _inputs(network):
    inputs = getattr(network, "inputs", None)
    return list(inputs) if inputs else None


def _known(inputs, name, argument):
    if inputs is None:
        raise invalid(
            f"an {name} with known input shape"
            if name == "encoder"
            else f"a {name} with known input shape",
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
    got = tf.nest.map_structure(
        lambda p: p.shape[-1] if len(p.shape) == 2 else tuple(p.shape[1:]), params
    )
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
