"""What compiles the steps of a model, how many of them run in one call, and what XLA is to be told."""

import contextlib
import contextvars
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae._backend import keras

_SECONDS = 1.0  # of one call: long enough to hide what a call costs, and for a progress bar that moves
_FLOPS = {"CPU": 5e10, "GPU": 1e13}  # a second, roughly what small networks get
_MOST_BYTES = 2**26  # of the batches of one call, which are stacked
_MANY_ROWS = 4096  # of one product, from where it outweighs the way into and out of pieces


class Compiler(NamedTuple):
    """What compiles the steps of a model.

    Attributes:
        why: in words.
        steps_by_xla: whether XLA does, each as a whole.
        update_by_xla: whether, where it does not, it compiles an optimizer's update that TensorFlow has no kernel for.
        pieces_by_xla: whether, where it does not, it compiles what lies between the networks (see `fusing`).
    """

    why: str
    steps_by_xla: bool = False
    update_by_xla: bool = False
    pieces_by_xla: bool = False


XLA = Compiler("XLA, as stated", steps_by_xla=True)
GRAPH = Compiler("a TensorFlow graph, as stated")
_CURRENT = contextvars.ContextVar("compiler", default=GRAPH)


def choose_compiler(model, rows=0):
    """The `Compiler` where the user does not say; `rows` is how many latents go forward and backward at once.

    XLA fuses the small operations of dense networks, and is what a GPU wants; on CPU its
    convolutions are mostly slower than oneDNN's (measured on two cores: 2.2-3.1 k against
    3.1-4.2 k images/s, on a slower processor 1.1 k against 1.0 k), so a model that holds one
    runs as a TensorFlow graph there. Its optimizer would pass over all weights once for each
    operation; XLA makes few passes of them and saves, with Adam, 6 % of a step, and TensorFlow's
    own kernel for Adam 14 %.

    Products of many rows oneDNN computes faster, too, and by enough to pay for the way into and
    out of pieces that XLA compiles alone (measured with layers of 200 and 512: 0.9 of XLA's speed
    at 1,000 rows, 1.0 at 4,000, 1.05-1.15 at 6,400; going forward only, XLA stays ahead).
    """
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        return Compiler("a TensorFlow graph, since XLA has no collectives for every device")
    if gpus():
        return Compiler("XLA, on a GPU", steps_by_xla=True)
    convolutional, many = has_convolution(model), rows >= _MANY_ROWS
    if convolutional or many:
        products = "convolutions" if convolutional else "products of many rows"
        rest = "XLA for what lies between" if many else "the optimizer's update in few passes"
        why = f"a TensorFlow graph, whose {products} are faster than XLA's on a CPU, and {rest}"
        return Compiler(why, update_by_xla=True, pieces_by_xla=many)
    return Compiler("XLA, which fuses what is between the products of dense layers", steps_by_xla=True)


def choose_steps(model, source):
    """How many steps run in one call, on data described by a `feeds.Source`; a partial batch waits for its own."""
    passes = forward_flops(model.encoder) + model.objective.num_samples * forward_flops(model.decoder)
    seconds = 3 * passes * source.batch_size / _FLOPS[device()]  # backward is twice forward
    size = source.batch_size * math.prod(model.event_shape) * source.dtype.size
    steps = max(1, min(int(_SECONDS / max(seconds, 1e-9)), _MOST_BYTES // size, 1024))
    whole = max(1, source.num_examples // source.batch_size) if source.num_examples else source.num_batches
    return math.ceil(whole / math.ceil(whole / steps)) if whole else steps  # calls of much the same length


def largest_divisor(number, limit):
    """The largest divisor of `number` up to `limit`."""
    return max(n for n in range(1, min(number, limit) + 1) if number % n == 0)


def forward_flops(network):
    """Roughly how many additions and multiplications a network takes for one example."""
    total = 0
    for layer in network._flatten_layers(recursive=True):
        kernel = getattr(layer, "kernel", None)
        if kernel is None:
            continue
        # A convolution applies its kernel at each place of its output, a transposed one of its input.
        places = getattr(layer, "input" if is_transposed(layer) else "output", None) if is_convolution(layer) else None
        total += 2 * math.prod(kernel.shape) * (1 if places is None else math.prod(n or 1 for n in places.shape[1:-1]))
    return total


def has_convolution(model):
    """Whether one of Keras' convolutions is among the layers of a model."""
    return any(is_convolution(layer) for layer in model._flatten_layers())


@contextlib.contextmanager
def by(compiler):
    """Within it, what is traced will be compiled by this `Compiler`."""
    token = _CURRENT.set(compiler)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current():
    """The `Compiler` of what is traced now."""
    return _CURRENT.get()


def is_by_xla():
    """Whether what is traced now will be compiled by XLA as a whole."""
    return current().steps_by_xla


def computed_once(tensor, unknown):
    """The same tensor, which XLA computes once however often it is used, if it is of floating-point numbers.

    XLA computes anew, in each of its uses, what it takes for cheap, as it does a slice, a cast or a hundred
    operations on integers, but never a division. It cannot tell that this is one by 1, which it makes of
    `unknown`, a tensor that comes from outside the program.
    """
    if not is_by_xla() or not tensor.dtype.is_floating:
        return tensor
    return tensor / (1.0 + opaque_zero(unknown, tensor.dtype))


def opaque_zero(tensor, dtype=tf.float32):
    """A 0 that depends on a tensor of numbers, in a way that no compiler sees through."""
    first = tf.reshape(tensor, [-1])[0]
    return tf.cast(tf.cast(first, tf.float32) > np.inf, dtype)


def device():
    """Where models run: "GPU" or "CPU"."""
    return "GPU" if gpus() else "CPU"


def gpus():
    """The GPUs TensorFlow sees."""
    return tf.config.list_physical_devices("GPU")


def is_convolution(layer):
    """Whether a layer is one of Keras' convolutions."""
    bases = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
    return isinstance(layer, bases) or is_transposed(layer)


def is_transposed(layer):
    """Whether a layer is one of Keras' transposed convolutions."""
    return isinstance(layer, (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose))
