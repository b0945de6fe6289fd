"""Finds the activation that a network ends in, and refuses one that keeps its output in bounds.

Pieces take numbers without bounds, such as logits, and map them into range themselves. A network
that ends in a sigmoid makes probabilities of them first: the model trains, and its numbers are
wrong.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras
from tfvae.errors import InputError, invalid
from tfvae.ops.networks import beside_the_batch, network_input

if TYPE_CHECKING:
    from tfvae.likelihoods import Likelihood
    from tfvae.models.network_shapes import NetworkShapes
    from tfvae.models.vae import VAE
    from tfvae.posteriors import Posterior
    from tfvae.priors import Prior

layers = keras.layers
_ACTIVATION_LAYERS = (layers.ReLU, layers.LeakyReLU, layers.ELU, layers.Softmax)
# Layers and operations whose outputs are their inputs, in other places. An `Activation` is one if
# it is linear, and is found before if it is not.
_MOVING_LAYERS = (
    *(layers.Reshape, layers.Flatten, layers.Permute, layers.RepeatVector, layers.Identity),
    *(layers.Cropping1D, layers.Cropping2D, layers.Cropping3D),
    *(layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D),
    *(layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D),
    *(layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D),
    *(layers.GaussianNoise, layers.GaussianDropout, layers.ActivityRegularization),
    *(layers.Concatenate, layers.Activation),
)
_MOVING_OPERATIONS = {
    *("Reshape", "Transpose", "Squeeze", "ExpandDims", "Concatenate", "Stack", "GetItem", "Pad"),
    *("Moveaxis", "Swapaxes", "Ravel", "Flip", "Repeat", "Tile", "Cast", "Split"),
}
# Of `keras.ops`.
_ACTIVATIONS = {
    *("Sigmoid", "SparseSigmoid", "HardSigmoid", "LogSigmoid", "Tanh", "HardTanh", "Softsign"),
    *("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "Silu", "HardSilu"),
    *("Softplus", "Squareplus", "SparsePlus", "Softmax", "LogSoftmax", "Sparsemax"),
    *("Exp", "Abs", "Square", "Clip"),
}
# Of TensorFlow graphs.
_MOVING_NODES = {
    *("Reshape", "Transpose", "Squeeze", "ExpandDims", "ConcatV2", "Pack", "StridedSlice", "Slice"),
    *("Pad", "PadV2", "Identity", "IdentityN", "Cast", "DepthToSpace", "ResizeNearestNeighbor"),
}
_BOUNDED_NODES = {
    *("Sigmoid", "Tanh", "Softsign", "Relu", "Relu6", "Elu", "Selu", "Softplus", "Softmax"),
    *("LogSoftmax", "Exp", "Abs", "Square"),
}


class BoundedOutputError(InputError):
    """A network whose last activation keeps its output in bounds."""


class Found(NamedTuple):
    """An activation that bounds the output of a network.

    Attributes:
        activation: its name, such as "sigmoid".
        layer: the name of the layer that applies it.
    """

    activation: str
    layer: str


def check(
    shapes: "NetworkShapes",
    encoder: keras.Model | keras.Layer,
    decoder: keras.Model | keras.Layer,
    posterior: "Posterior",
    prior: "Prior",
    likelihood: "Likelihood",
) -> None:
    """Refuses networks that end in an activation where a piece takes numbers without bounds.

    Nested models are looked through, and layers that only move numbers. Networks that are no
    graphs of Keras layers are traced.

    Args:
        shapes: shapes of the networks' inputs.
        encoder: the network `x -> params`, or `[x, y] -> params`.
        decoder: the network `z -> params`, or `[z, y] -> params`.
        posterior: takes the encoder's output. Its own networks are checked as well.
        prior: its own networks are checked.
        likelihood: takes the decoder's output.

    Raises:
        BoundedOutputError: such a network; the message has the activation and its layer.
    """
    y = [_spec(shapes.condition_shape, shapes.condition_dtype)] if shapes.condition_dtype else []
    latents = [_spec((size,)) for size in tf.nest.flatten(shapes.latent_dim)]
    _check("an encoder", encoder, [_spec(shapes.event_shape), *y], posterior)
    _check("a decoder", decoder, [*latents, *y], likelihood)

    for piece in (posterior, prior):
        name = f"a network of {type(piece).__name__}"
        for network in getattr(piece, "networks", []):
            _check(name, network, [_spec(network.input_shape[1:])], piece)
    for network in prior.networks_of_y:
        _check(f"a network of {type(prior).__name__}", network, y, prior)


def as_it_was_saved(make: "Callable[..., VAE]", config: dict[str, Any]) -> "VAE":
    """Makes a model of a file, and warns where it is one that would be refused.

    Args:
        make: the class of the model.
        config: the arguments to make it of.

    Raises:
        BoundedOutputError: a network to refuse in a file that says whether it is allowed.
    """
    try:
        return make(**config)
    except BoundedOutputError as refusal:
        if "allow_bounded_outputs" in config:
            raise
        # An earlier version wrote the file, and took such networks.
        warnings.warn(f"The saved model is loaded as it was trained. {refusal}", stacklevel=3)
        return make(**config, allow_bounded_outputs=True)


def _spec(shape, dtype="float32"):
    return tf.TensorSpec([None, *shape], dtype)


def _check(name, network, specs, piece):
    if piece.unbounded_params is None:
        return
    found = next(_of_layer(network, specs), None)
    if found is not None:
        raise _refusal(found, name, piece)


def _refusal(found, name, piece):
    return invalid(
        f"{name} whose output may be any real number, since {type(piece).__name__} takes "
        f"{piece.unbounded_params}",
        f"the activation {found.activation!r} at its end, in layer {found.layer!r}",
        "give that layer activation=None, or leave it out where it is nothing else: "
        f"{type(piece).__name__} maps these numbers into range itself. If bounds are what you "
        "want, pass allow_bounded_outputs=True to VAE",
        BoundedOutputError,
    )


# ---- graphs of Keras layers


def _of_layer(layer: Any, specs: list[tf.TensorSpec]) -> Iterator[Found]:
    """Yields the bounding activations at the end of a layer or a model.

    Args:
        layer: the layer.
        specs: its inputs.
    """
    if internals.is_graph_of_layers(layer):
        for output in layer.outputs:
            yield from _of_tensor(output)
    elif isinstance(layer, layers.TimeDistributed):
        yield from _of_layer(layer.layer, [tf.TensorSpec([None, *specs[0].shape[2:]])])
    elif isinstance(layer, layers.Bidirectional):
        yield from _of_layer(layer.forward_layer, specs)
    elif not type(layer).__module__.startswith("keras.") or isinstance(layer, layers.Lambda):
        yield from _of_traced(layer, specs)
    else:
        yield from _of_activation(layer)


def _of_activation(layer):
    """Yields the activation of a layer of Keras' own."""
    cell = getattr(layer, "cell", layer)
    activation = getattr(cell, "activation", None)
    if callable(activation):
        if _is_bounded(activation):
            yield Found(getattr(activation, "__name__", type(activation).__name__), layer.name)
    elif isinstance(layer, _ACTIVATION_LAYERS) and _is_bounded(layer):
        yield Found(type(layer).__name__, layer.name)


def _of_tensor(tensor):
    """Yields the bounding activations that a symbolic tensor of Keras comes from."""
    operation, inputs = internals.producer(tensor)
    name = type(operation).__name__
    if isinstance(operation, layers.Layer):
        yield from _of_layer(operation, [tf.TensorSpec(t.shape, t.dtype) for t in inputs])
    elif name in _ACTIVATIONS and _is_bounded(operation):
        yield Found(name.lower(), operation.name)

    for tensor in inputs if moves(operation) else []:
        yield from _of_tensor(tensor)


def moves(operation: Any) -> bool:
    """Returns True for a layer or an operation that gives its inputs' numbers, in other places."""
    if isinstance(operation, layers.Layer):
        return isinstance(operation, _MOVING_LAYERS)
    return type(operation).__name__ in _MOVING_OPERATIONS


def _is_bounded(activation: Callable[[tf.Tensor], tf.Tensor]) -> bool:
    """Returns whether an activation has a least or a greatest value, so far as numbers tell."""
    if isinstance(activation, layers.Layer) and not isinstance(activation, _ACTIVATION_LAYERS):
        return False  # a layer with weights, such as PReLU: its values are not yet those to come
    try:
        near, far = (
            np.asarray(activation(tf.constant([[-scale, -1.0, 0.0, 1.0, scale]])), np.float64)
            for scale in (1e3, 1e6)
        )
    except Exception:  # a function of other shapes, which nothing is known of
        return False
    if not (np.isfinite(near).all() and np.isfinite(far).all()):
        return bool(np.nanmin(far) >= 0.0)  # such as exp
    falls, rises = far.min() < 1.5 * near.min() < 0.0, far.max() > 1.5 * near.max() > 0.0
    return not (falls and rises)


# ---- networks of other kinds


def _of_traced(network, specs):
    """Yields the bounding activations at the end of a network's TensorFlow graph."""

    def run(*inputs):
        return network(network_input(*inputs), training=False)

    try:
        with beside_the_batch(network):
            graph = tf.function(run, autograph=False).get_concrete_function(*specs).graph
    except Exception:  # which the call of the network itself explains better
        return
    for output in graph.outputs:
        yield from _of_node(output.op, network)


def _of_node(node, network):
    owner = _owner(node, network)
    if node.type in _BOUNDED_NODES:
        yield Found(node.type.lower(), owner.name)
    elif owner is not network:
        # An activation of several nodes, such as gelu.
        yield from _of_activation(owner)
    if node.type in _MOVING_NODES:
        for tensor in node.inputs:
            if tensor.dtype.is_floating:
                yield from _of_node(tensor.op, network)


def _owner(node, network):
    """Returns the innermost layer of Keras' own that a node is of, or else the network."""
    inner = {layer.name: layer for layer in internals.flatten_layers(network)}
    for scope in reversed(node.name.split("/")[:-1]):
        stem, _, number = scope.rpartition("_")
        layer = inner.get(scope) or (inner.get(stem) if number.isdigit() else None)
        if layer is not None:
            return layer if type(layer).__module__.startswith("keras.") else network
    return network
