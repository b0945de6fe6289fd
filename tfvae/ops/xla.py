"""Tells the code that is traced into a step what will compile it, and keeps XLA from repeating work."""

import contextlib
import contextvars
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class CompilationPlan(NamedTuple):
    """What compiles the steps of a model.

    Attributes:
        why: the reason, in words, for the log.
        whole_step: True if XLA compiles each step as a whole; otherwise it is a TensorFlow graph.
        update: True if XLA compiles the optimizer's update within a graph.
        between_networks: True if XLA compiles what lies between the networks of a graph, see
            `tfvae.ops.xla_fusion`.
    """

    why: str
    whole_step: bool = False
    update: bool = False
    between_networks: bool = False


XLA = CompilationPlan("XLA, as stated", whole_step=True)
GRAPH = CompilationPlan("a TensorFlow graph, as stated")

_CURRENT: contextvars.ContextVar = contextvars.ContextVar("compilation_plan", default=None)


@contextlib.contextmanager
def tracing_for(plan):
    """Within it, `current_plan()` is `plan`: what is traced will be compiled by it."""
    token = _CURRENT.set(plan)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current_plan():
    """Returns the `CompilationPlan` of what is traced now, or None where that is not known."""
    return _CURRENT.get()


def is_by_xla():
    """Returns True if what is traced now is known to be compiled by XLA as a whole."""
    plan = current_plan()
    return plan is not None and plan.whole_step


def compute_once(tensor, runtime_input):
    """Keeps XLA from recomputing `tensor` in every place that uses it.

    XLA duplicates producers that it takes for cheap, but never a division, so the tensor is
    divided by 1 + 0, where the 0 depends on an input that XLA does not know.

    Args:
        tensor: of any dtype; only floating-point numbers are kept from being recomputed.
        runtime_input: a tensor of numbers that comes from outside the program.

    Returns:
        The same numbers.
    """
    if not is_by_xla() or not tensor.dtype.is_floating:
        return tensor

    return tensor / (1.0 + opaque_zero(runtime_input, tensor.dtype))


def opaque_zero(tensor, dtype=tf.float32):
    """Returns a 0 that depends on a tensor of numbers, in a way that no compiler sees through."""
    first = tf.reshape(tensor, [-1])[0]
    return tf.cast(tf.cast(first, tf.float32) > np.inf, dtype)


def device():
    """Returns where models run: "GPU" or "CPU"."""
    return "GPU" if gpus() else "CPU"


def gpus():
    """Returns the GPUs that TensorFlow sees."""
    return tf.config.list_physical_devices("GPU")
