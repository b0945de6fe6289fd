"""Compiles the ops between the networks of a TensorFlow graph by XLA, piece by piece."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfvae._keras import internals
from tfvae.ops import xla


def fused(function: Callable[..., Any], *inputs: tf.Tensor) -> Any:
    """Computes `function(*inputs)` as one XLA program, and its gradient as another.

    TensorFlow would pass over the elements once for each operation. XLA is used only if the
    current `CompilationPlan` says `between_networks`. Otherwise the function is called as it is.

    The gradient computes the function a second time, so the function may not change any state.
    Intermediate results are not kept for it: they are as large as the inputs and would have to
    be written to memory first.

    Args:
        function: returns a structure of tensors. Its gradient reaches the inputs and the weights
            that it uses; other tensors from outside are constant.
        *inputs: tensors of floating-point numbers.

    Returns:
        The result of the function.
    """
    plan = xla.current_plan()
    if plan is None or not plan.between_networks:
        return function(*inputs)

    structure = []

    @tf.custom_gradient
    def program(*inputs):
        # Without this TensorFlow would prepare a gradient of its own as well.
        given = [tf.stop_gradient(t) for t in inputs]
        outputs = _by_xla(function)(*given)
        structure.append(outputs)
        return tf.nest.flatten(outputs), lambda *upstream, variables=(): _gradient(
            function, given, upstream, variables
        )

    outputs = program(*inputs)
    return tf.nest.pack_sequence_as(structure[-1], tf.nest.flatten(outputs))


def _gradient(function, inputs, upstream, variables):
    """Returns the gradients of the inputs, and those of the variables if there are any."""

    def anew(inputs, upstream):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = tf.nest.flatten(function(*inputs))
        return tape.gradient(
            outputs, [inputs, list(variables)], upstream, unconnected_gradients="zero"
        )

    of_inputs, of_variables = _by_xla(anew)(inputs, list(upstream))
    return (of_inputs, of_variables) if variables else of_inputs


def _by_xla(function):
    def traced(*args):
        with xla.tracing_for(xla.XLA):
            return function(*args)

    return internals.program(traced, jit_compile=True)
