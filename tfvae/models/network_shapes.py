"""Reads the shapes of two networks, and refuses networks that do not fit together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras
from tfvae.errors import InputTypeError, invalid
from tfvae.models import output_activations
from tfvae.ops.networks import network_input
from tfvae.validation import arguments

if TYPE_CHECKING:
    from tfvae.likelihoods import Likelihood
    from tfvae.posteriors import Posterior
    from tfvae.priors import Prior


class NetworkShapes(NamedTuple):
    """Shapes of one example.

    Attributes:
        event_shape: shape of x.
        latent_dim: D, or a list of sizes where the decoder takes several latents.
        condition_shape: shape of y, or None if the model is not conditional.
        condition_dtype: name of y's dtype, or None.
    """

    event_shape: tuple[int, ...]
    latent_dim: int | list[int]
    condition_shape: tuple[int, ...] | None
    condition_dtype: str | None


def read(
    encoder: keras.Model | keras.Layer,
    decoder: keras.Model | keras.Layer,
    event_shape: int | Sequence[int] | None = None,
    latent_dim: int | list[int] | None = None,
) -> NetworkShapes:
    """Returns the shapes of two networks, from their inputs or from the caller's arguments.

    Args:
        encoder: the network `x -> params`, or `[x, y] -> params`.
        decoder: the network `z -> params`, or `[z, y] -> params`.
        event_shape: shape of one example; None reads it from the encoder's inputs.
        latent_dim: D, or a list where the decoder takes several latents; None reads it from the
            decoder's inputs.

    Raises:
        InputTypeError: encoder or decoder is not a Keras layer, or a given size is not a whole
            number from 1.
        InputError: a network without known inputs and no size given for it, or a decoder
            whose input is not a vector.
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
        latent_dim = arguments.sizes("latent_dim", latent_dim)  # type: ignore[assignment]
    else:
        latents = _known(decoder_inputs, "decoder", "latent_dim")
        latents = latents[:-1] if condition is not None else latents
        found = [_latent_size(t) for t in latents]
        latent_dim = found[0] if len(found) == 1 else found

    return NetworkShapes(
        tuple(event_shape) if hasattr(event_shape, "__len__") else (event_shape,),  # type: ignore
        latent_dim,
        None if condition is None else tuple(condition.shape[1:]),
        None if condition is None else condition.dtype,
    )


def check(
    shapes: NetworkShapes,
    encoder: keras.Model | keras.Layer,
    decoder: keras.Model | keras.Layer,
    posterior: "Posterior",
    likelihood: "Likelihood",
    latent_sizes: int | list[int],
) -> None:
    """Calls both networks on symbolic inputs, which builds them, and checks their outputs.

    Args:
        shapes: what `read` found.
        encoder: the network `x -> params`, or `[x, y] -> params`.
        decoder: the network `z -> params`, or `[z, y] -> params`.
        posterior: sets the size of the encoder's output.
        likelihood: sets the shape of the decoder's output.
        latent_sizes: sizes of all layers of latents, the top first, or D if there is one.

    Raises:
        InputError: an encoder or decoder output of the wrong size; the message has both sizes.
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


def check_condition(shapes: NetworkShapes, prior: "Prior") -> "Sequence[keras.Model | keras.Layer]":
    """Builds the networks of a prior p(z|y), and refuses those that take another y than the model.

    Args:
        shapes: what `read` found.
        prior: the prior.

    Returns:
        The networks of the prior that take y.

    Raises:
        InputError: a model without conditions, or conditions of another shape or kind.
    """
    for network in prior.networks_of_y:
        if shapes.condition_shape is None:
            raise invalid(
                f"a model with conditions y, for the p(z|y) of {type(prior).__name__}",
                "an encoder that takes x alone",
                "build networks that take [x, y] and [z, y], as by mlp_vae(condition=...), "
                "or use a prior without y",
            )

        found = [_words_of(t.shape[1:], t.dtype) for t in _inputs(network) or []]
        model = _words_of(shapes.condition_shape, shapes.condition_dtype)
        if found not in ([], [model]):
            raise invalid(
                f"a network of {type(prior).__name__} that takes the y of the model, {model}",
                f"a network that takes {' and '.join(found)}",
                "start it with the keras.Input of y that encoder and decoder have",
            )
        network(_symbol(shapes.condition_shape, shapes.condition_dtype))  # which builds it
    return prior.networks_of_y


def _words_of(shape, dtype):
    kind = "labels" if tf.as_dtype(dtype).is_integer else "numbers"
    return f"{kind} of shape {list(shape)}"


def num_classes(
    shapes: NetworkShapes,
    *takers: keras.Model | keras.Layer,
) -> int | None:
    """Returns the number of classes of a model whose condition is one integer label.

    Args:
        shapes: what `read` found.
        *takers: the networks that take y, as the last of their inputs. The layer that y goes to
            tells the number, as an `Embedding` does. The smallest number counts.

    Returns:
        The number, or None if the condition is not a label or no layer tells.
    """
    if shapes.condition_shape != () or not tf.as_dtype(shapes.condition_dtype).is_integer:
        return None
    found = [count for network in takers for count in _classes_of(network)]
    return min(found, default=None)


def _classes_of(network):
    """Returns the numbers of classes that the layers of a network's last input know."""
    if internals.is_graph_of_layers(network):
        return list(_classes_along(network.inputs[-1]))
    counts = [_own_classes(layer) for layer in getattr(network, "layers", [])]
    return [count for count in counts if count is not None][:1]


def _classes_along(label):
    """Yields the numbers of classes of the layers that a symbolic label goes to."""
    for operation, position, outputs in internals.consumers(label):
        count = _own_classes(operation)
        if count is not None:
            yield count
        elif internals.is_graph_of_layers(operation):
            yield from _classes_along(operation.inputs[position])
        elif output_activations.moves(operation):
            for output in outputs:
                yield from _classes_along(output)


def _own_classes(operation):
    for attribute in ("input_dim", "num_tokens", "num_classes"):  # Embedding, encodings, one_hot
        if isinstance(getattr(operation, attribute, None), int):
            return getattr(operation, attribute)
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
            f"decoder output of shape {tuple(needed)} per example, which "
            f"{type(likelihood).__name__} needs for events of shape {tuple(event_shape)} "
            "(the encoder's input)",
            f"decoder output of shape {got}",
            f"end the decoder with that shape, for example "
            f"Dense({likelihood.params_size(event_shape)}) and Reshape({tuple(needed)})",
        )
