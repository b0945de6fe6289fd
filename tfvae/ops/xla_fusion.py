"""What lies between the networks of a step that runs as a TensorFlow graph, compiled by XLA piece by piece."""

import tensorflow as tf

from tfvae.ops import xla


def fused(function, *inputs):
    """`function(*inputs)`, a structure of tensors, as one XLA program, and its gradient as another.

    Only where a `CompilationPlan` has XLA compile what lies between the networks: elsewhere the function
    is called as it is. TensorFlow would pass over the elements once for each operation. The gradient computes the
    function anew, since all that could be kept for it is as large as the inputs and has to be
    written first; so the function may not change any state.

    Args:
        function: what it has from elsewhere is constant to it, but for weights.
        *inputs: tensors of floating-point numbers.
    """
    plan = xla.current_plan()
    if plan is None or not plan.between_networks:
        return function(*inputs)
    structure = []

    @tf.custom_gradient
    def program(*inputs):
        # or TensorFlow's own gradient is prepared as well
        given = [tf.stop_gradient(t) for t in inputs]
        outputs = _by_xla(function)(*given)
        structure.append(outputs)
        return tf.nest.flatten(outputs), lambda *upstream, variables=(): _gradient(
            function, given, upstream, variables
        )

    outputs = program(*inputs)
    return tf.nest.pack_sequence_as(structure[-1], tf.nest.flatten(outputs))


def _gradient(function, inputs, upstream, variables):
    """The gradients of the inputs, and, where there are variables, theirs."""

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

    return tf.function(traced, jit_compile=True, autograph=False)
