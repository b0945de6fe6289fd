"""Chooses what compiles the steps of a model, and how many of them run in one call.

The measurements behind the rules are in `tests/benchmarks/README.md`.
"""

import math
from typing import TYPE_CHECKING

import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras
from tfvae.ops import xla
from tfvae.ops.xla import CompilationPlan

if TYPE_CHECKING:
    from tfvae.training.batch_sources import DatasetBatches, IndexedArrays
    from tfvae.training.compiled_fit import CompiledFit

# The time of one call: long enough to hide its cost, short enough that a progress bar moves.
_SECONDS = 1.0
_FLOPS = {"CPU": 5e10, "GPU": 1e13}  # per second, roughly, for small networks
_MAX_BYTES = 2**26  # of the stacked batches of one call
_MAX_STEPS = 1024  # in one call
# Rows of a matrix product from which oneDNN is faster, with the cost to enter and leave XLA.
_MANY_LATENTS = 4096
_REFUSALS = (
    "unsupported operations",
    "not compilable",
    "XLA_CPU_JIT",
    "XLA_GPU_JIT",
    "xla::",
    "XLA can't",
)


def choose(model: keras.Model, rows: int = 0) -> CompilationPlan:
    """Returns the plan of a model's steps where the user states none.

    XLA fuses the small operations of dense networks, and it is best on a GPU. On a CPU the
    convolutions of oneDNN are faster than XLA's, and so are its products of many rows.

    Args:
        model: a Keras model.
        rows: how many latents go forward and backward at once; 0 for an evaluation.

    Returns:
        The `CompilationPlan`, with its reason in words.
    """
    if not internals.supports_jit(model):
        return CompilationPlan("a TensorFlow graph, since a layer says that XLA cannot compile it")
    if xla.gpus():
        return CompilationPlan("XLA, on a GPU", whole_step=True)

    convolutional = has_convolution(model)
    many = rows >= _MANY_LATENTS
    if not convolutional and not many:
        why = "XLA, which fuses what is between the products of dense layers"
        return CompilationPlan(why, whole_step=True)

    products = "convolutions" if convolutional else "products of many rows"
    rest = "XLA for what lies between" if many else "the optimizer's update in few passes"
    why = f"a TensorFlow graph, whose {products} are faster than XLA's on a CPU, and {rest}"
    return CompilationPlan(why, update=True, between_networks=many)


# XLA compiles no exchange between devices, least of all between CPUs.
REPLICAS = CompilationPlan("a TensorFlow graph, since XLA has no exchange between devices")


def stated(jit_compile: bool) -> CompilationPlan:
    """Returns the plan that a user states by `compile(jit_compile=...)`."""
    return xla.XLA if jit_compile else xla.GRAPH


def choose_steps(model: "CompiledFit", source: "IndexedArrays | DatasetBatches") -> int:
    """Returns how many steps run in one call.

    Args:
        model: a `CompiledFit` model.
        source: the source of its batches.
    """
    # A backward pass costs twice as much as a forward pass.
    seconds = 3 * model.loop_hooks.flops_per_example() * source.batch_size / _FLOPS[xla.device()]
    size = max(1, source.batch_size * source.bytes_per_example)
    steps = max(1, min(int(_SECONDS / max(seconds, 1e-9)), _MAX_BYTES // size, _MAX_STEPS))

    whole = source.num_batches
    if source.num_examples:  # a partial batch runs in a call of its own
        whole = max(1, source.num_examples // source.batch_size)
    # All calls are about the same length.
    return math.ceil(whole / math.ceil(whole / steps)) if whole else steps


def is_refusal(error: tf.errors.OpError, plan: CompilationPlan) -> bool:
    """Returns True if an error says that XLA cannot compile a program.

    Args:
        error: the error of a call of the program.
        plan: the plan by which the program was compiled.
    """
    by_xla = plan.whole_step or plan.between_networks or plan.update
    return by_xla and any(words in error.message for words in _REFUSALS)


def reason_of_refusal(error: tf.errors.OpError) -> str:
    """Returns the line of XLA's error that names the cause, cut to 300 characters."""
    lines = [line.strip() for line in error.message.splitlines() if line.strip()]
    return next((line for line in lines if any(words in line for words in _REFUSALS)), lines[0])[
        :300
    ]


def is_trusted_by_keras_loop(model: keras.Model) -> bool:
    """Returns True if XLA is known to compile every layer of a model.

    Keras' own loop needs this, since it cannot go back to a graph.
    """
    return all(_is_trusted(layer) for layer in internals.flatten_layers(model))


def forward_flops(network: keras.Model | keras.Layer) -> int:
    """Returns the rough number of additions and multiplications of a network for one example."""
    total = 0
    for layer in internals.flatten_layers(network):
        kernel = getattr(layer, "kernel", None)
        if kernel is not None:
            total += 2 * math.prod(kernel.shape) * _places(layer)
    return total


def has_convolution(model: keras.Model) -> bool:
    """Returns True if one of Keras' convolutions is among the layers of a model."""
    return any(is_convolution(layer) for layer in internals.flatten_layers(model))


def is_convolution(layer: keras.Layer) -> bool:
    """Returns True if a layer is one of Keras' convolutions."""
    bases = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
    return isinstance(layer, bases) or _is_transposed(layer)


def _is_transposed(layer):
    bases = (
        keras.layers.Conv1DTranspose,
        keras.layers.Conv2DTranspose,
        keras.layers.Conv3DTranspose,
    )
    return isinstance(layer, bases)


def _places(layer):
    """Returns at how many places a convolution applies its kernel, and 1 for other layers.

    They are the places of its output, or of its input if it is transposed.
    """
    if not is_convolution(layer):
        return 1
    tensor = getattr(layer, "input" if _is_transposed(layer) else "output", None)
    return 1 if tensor is None else math.prod(size or 1 for size in tensor.shape[1:-1])


def _is_trusted(layer):
    """Returns True for any model, and for most layers of Keras and of this package.

    Not for `Lambda` and preprocessing layers.
    """
    module = type(layer).__module__
    known = module.startswith(("keras.", "tfvae.")) and ".preprocessing." not in module
    return (known or isinstance(layer, keras.Model)) and not isinstance(layer, keras.layers.Lambda)
