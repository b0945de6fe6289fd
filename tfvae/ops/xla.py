"""Tells traced code which compiler will run it, and keeps XLA from repeating work."""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import tensorflow as tf


class CompilationPlan(NamedTuple):
    """The choice of the compiler for the steps of a model.

    Attributes:
        why: the reason, in words, for the log.
        whole_step: True if XLA compiles each step as a whole; otherwise a step is a TensorFlow
            graph.
        update: True if XLA compiles the optimizer's update within a graph.
        between_networks: True if XLA compiles the ops between the networks of a graph, see
            `tfvae.ops.xla_fusion`.
    """

    why: str
    whole_step: bool = False
    update: bool = False
    between_networks: bool = False


XLA = CompilationPlan("XLA, as stated", whole_step=True)
GRAPH = CompilationPlan("a TensorFlow graph, as stated")

_HELD_BY = {tf.int32: tf.float64, tf.bool: tf.float32}

_CURRENT: contextvars.ContextVar = contextvars.ContextVar("compilation_plan", default=None)


@contextlib.contextmanager
def tracing_for(plan: CompilationPlan) -> Iterator[None]:
    """Makes `plan` the current plan in the `with` block, for code traced there to read."""
    token = _CURRENT.set(plan)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current_plan() -> CompilationPlan | None:
    """Returns the `CompilationPlan` of the code that is traced now, or None if it is unknown."""
    return _CURRENT.get()


def is_by_xla() -> bool:
    """Returns True if the code traced now is known to be compiled by XLA as a whole."""
    plan = current_plan()
    return plan is not None and plan.whole_step


def compute_once(tensor: tf.Tensor, runtime_input: tf.Tensor) -> tf.Tensor:
    """Keeps XLA from recomputing `tensor` in every place that uses it.

    XLA duplicates ops that it takes for cheap, but never a division. So the tensor is divided
    by 1 + 0, where the 0 depends on an input that XLA does not know.

    Args:
        tensor: floating-point numbers, int32 or Booleans. The latter two pass through float64 and
            float32, which hold all of them. Others are not kept from being recomputed.
        runtime_input: a tensor of numbers that comes from outside the program.

    Returns:
        The same numbers.
    """
    dtype = _HELD_BY.get(tensor.dtype, tensor.dtype)
    if not is_by_xla() or not dtype.is_floating:
        return tensor

    held = tf.cast(tensor, dtype) / (1.0 + opaque_zero(runtime_input, dtype))
    return tf.cast(held, tensor.dtype)


def opaque_zero(tensor: tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Returns a 0 that no compiler can replace by a constant.

    Args:
        tensor: a tensor of numbers, on which the 0 depends.
        dtype: the dtype of the 0.

    Returns:
        A scalar.
    """
    first = tf.reshape(tensor, [-1])[0]
    return tf.cast(tf.cast(first, tf.float32) > np.inf, dtype)


def device() -> Literal["GPU", "CPU"]:
    """Returns the kind of device that models run on: "GPU" or "CPU"."""
    return "GPU" if gpus() else "CPU"


def gpus() -> list[tf.config.PhysicalDevice]:
    """Returns the GPUs that TensorFlow sees."""
    return tf.config.list_physical_devices("GPU")
