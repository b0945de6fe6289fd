"""The one place that chooses what compiles the steps of a model, and how many run in one call.

The measurements behind the rules are in `tests/benchmarks/README.md`.
"""

import math

import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras
from tfvae.ops import xla
from tfvae.ops.xla import CompilationPlan

# of one call: long enough to hide what a call costs, and for a progress bar that moves
_SECONDS = 1.0
_FLOPS = {"CPU": 5e10, "GPU": 1e13}  # a second, roughly what small networks get
_MAX_BYTES = 2**26  # of the batches of one call, which are stacked
_MAX_STEPS = 1024
_MANY_ROWS = 4096  # of one product, from where oneDNN's is worth the way into and out of XLA
_REFUSALS = (
    "unsupported operations",
    "not compilable",
    "XLA_CPU_JIT",
    "XLA_GPU_JIT",
    "xla::",
    "XLA can't",
)


def choose(model, rows=0):
    """Returns the `CompilationPlan` of a model's steps where the user does not state one.

    XLA fuses the small operations of dense networks, and is what a GPU wants. On a CPU oneDNN's
    convolutions are faster than XLA's, and so are its products of many rows.

    Args:
        model: a Keras model.
        rows: how many latents go forward and backward at once; 0 for an evaluation.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        return CompilationPlan("a TensorFlow graph, since XLA has no collectives for every device")
    if not internals.supports_jit(model):
        return CompilationPlan("a TensorFlow graph, since a layer says that XLA cannot compile it")
    if xla.gpus():
        return CompilationPlan("XLA, on a GPU", whole_step=True)

    convolutional = has_convolution(model)
    many = rows >= _MANY_ROWS
    if not convolutional and not many:
        why = "XLA, which fuses what is between the products of dense layers"
        return CompilationPlan(why, whole_step=True)

    products = "convolutions" if convolutional else "products of many rows"
    rest = "XLA for what lies between" if many else "the optimizer's update in few passes"
    why = f"a TensorFlow graph, whose {products} are faster than XLA's on a CPU, and {rest}"
    return CompilationPlan(why, update=True, between_networks=many)


def stated(jit_compile):
    """Returns the plan that a user states by `compile(jit_compile=...)`."""
    return xla.XLA if jit_compile else xla.GRAPH


def choose_steps(model, source):
    """Returns how many steps run in one call.

    Args:
        model: a `CompiledFit` model.
        source: of `batch_sources`.
    """
    # backward is twice forward
    seconds = 3 * model.loop_hooks.flops_per_example() * source.batch_size / _FLOPS[xla.device()]
    size = max(1, source.batch_size * source.bytes_per_example)
    steps = max(1, min(int(_SECONDS / max(seconds, 1e-9)), _MAX_BYTES // size, _MAX_STEPS))
    whole = source.num_batches
    if source.num_examples:  # a partial batch waits for a call of its own
        whole = max(1, source.num_examples // source.batch_size)
    # calls of much the same length
    return math.ceil(whole / math.ceil(whole / steps)) if whole else steps


def is_refusal(error, plan):
    """Returns True if an error says that XLA cannot compile a program."""
    by_xla = plan.whole_step or plan.between_networks or plan.update
    return by_xla and any(words in error.message for words in _REFUSALS)


def reason_of_refusal(error):
    """Returns the line of XLA's error that names what it cannot compile."""
    lines = [line.strip() for line in error.message.splitlines() if line.strip()]
    return next((line for line in lines if any(words in line for words in _REFUSALS)), lines[0])[
        :300
    ]


def is_trusted_by_keras_loop(model):
    """Returns True if every layer is known to compile, for loops that could not go back to a graph."""
    return all(_is_trusted(layer) for layer in internals.flatten_layers(model))


def forward_flops(network):
    """Returns roughly how many additions and multiplications a network takes for one example."""
    total = 0
    for layer in internals.flatten_layers(network):
        kernel = getattr(layer, "kernel", None)
        if kernel is not None:
            total += 2 * math.prod(kernel.shape) * _places(layer)
    return total


def has_convolution(model):
    """Returns True if one of Keras' convolutions is among the layers of a model."""
    return any(is_convolution(layer) for layer in internals.flatten_layers(model))


def is_convolution(layer):
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
    """At how many places of its output, or a transposed one of its input, a convolution applies its kernel."""
    if not is_convolution(layer):
        return 1
    tensor = getattr(layer, "input" if _is_transposed(layer) else "output", None)
    return 1 if tensor is None else math.prod(size or 1 for size in tensor.shape[1:-1])


def _is_trusted(layer):
    module = type(layer).__module__
    known = module.startswith(("keras.", "tfvae.")) and ".preprocessing." not in module
    return (known or isinstance(layer, keras.Model)) and not isinstance(layer, keras.layers.Lambda)
