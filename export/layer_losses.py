"""Names the layer whose quantization costs most, without touching the model."""

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

import tfvae.export.examples as examples
from tfvae._keras import internals
from tfvae._keras.backend import keras
from tfvae.export.precision import HALVED_FROM

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

_SAMPLES = 64
_EXAMPLES = 256


def worst_layer(
    vae: "VAE",
    quantization: str | None = "int8",
    data: tuple[np.ndarray | tf.Tensor | None, np.ndarray | tf.Tensor | None] = (None, None),
) -> str:
    """Names the layer that loses most when its weights are rounded as in a file.

    One layer is rounded at a time. Its loss is the mean squared change of the decoder's output on
    64 samples, or on the examples by way of the encoder. The layers of nested and subclassed
    networks are found by the weights that Keras tracks. The model keeps its weights meanwhile, so
    that other threads may use it.

    Args:
        vae: the model.
        quantization: of the file, one of `call_arguments.QUANTIZATIONS`.
        data: examples `[N, *event]` of a file with its encoder, and conditions; or None for either.

    Returns:
        Words for a message: the name of the layer, and its loss.
    """
    run = _forward(vae, *data)
    before = run()
    losses = {}
    for name, weights in _weights_by_layer(vae, encoder=data[0] is not None).items():
        pairs = [(weight, _rounded(np.asarray(weight.value), quantization)) for weight in weights]
        with keras.StatelessScope(pairs):  # the weights of this thread only
            losses[name] = float(tf.reduce_mean(tf.square(run() - before)))

    name = max(losses, key=lambda key: losses[key], default="")
    if not name or not losses[name] > 0.0:
        return "the rounding of no layer's weights explains it"
    return (
        f"the layer that loses most is {name!r} "
        f"(mean squared change of the decoder's output {losses[name]:.3g})"
    )


def _forward(vae: "VAE", x: Any, y: Any) -> Any:
    """Returns a function that computes the decoder's output, from fixed latents or examples."""
    if x is None:
        given = examples.conditions(vae, _SAMPLES, y)
        z = vae.prior.decoder_input(examples.latents(vae, _SAMPLES, 0, given))
        condition = vae.condition(given)
        return lambda: vae.decode_batch(z, condition, training=False)

    prepared, _ = vae.likelihood.prepare_for_evaluation(np.asarray(x)[:_EXAMPLES])
    events = tf.constant(np.asarray(prepared, np.float32))
    beside = vae.condition(None if vae.condition_shape is None else np.asarray(y)[:_EXAMPLES])

    def run():
        codes = vae.encoder_params(events, beside, training=False)
        latents = vae.prior.decoder_input(vae.posterior.point_estimate(codes))
        return vae.decode_batch(latents, beside, training=False)

    return run


def _weights_by_layer(vae, *, encoder):
    """Returns the weights of the networks by the name of the innermost layer that holds them.

    A layer within others has their names before its own, as in `block/dense`.
    """
    found: dict = {}
    for network in [vae.decoder, vae.encoder] if encoder else [vae.decoder]:
        layers = internals.flatten_layers(network)
        held = [(layer, {id(weight) for weight in layer.weights}) for layer in layers]
        for weight in network.weights:
            holders = [layer for layer, ids in held if id(weight) in ids]
            names = internals.names_of(holders)
            found.setdefault("/".join(names[1:] or names), []).append(weight)
    return found


def _rounded(values, quantization):
    """Rounds weights as a file stores them. Vectors and whole numbers stay as they are.

    8 bits have one scale for a dense layer, else one for each output.
    """
    if values.ndim < 2 or values.dtype.kind in "iub":
        return values
    if quantization == "float16":
        return values.astype(np.float16) if values.size >= HALVED_FROM else values
    axes = None if values.ndim == 2 else tuple(range(values.ndim - 1))
    largest = np.abs(values).max(axis=axes, keepdims=True).astype(np.float32)
    scale = np.maximum(largest, 1e-12) / 127
    return np.round(values / scale) * scale
