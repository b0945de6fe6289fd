"""The optimizer's update of the weights, arranged so that it passes over them few times.

A network's weights, gradients and an optimizer's moments are more than a processor's caches hold,
so what an update costs is how often it reads and writes them.
"""

import contextlib
import functools

import tensorflow as tf

from tfvae import compiling
from tfvae._backend import keras


def in_turn(gradients):
    """The same gradients, each of them ready only when the one before is, for a step that XLA compiles.

    Layer by layer the backward pass reads a weight for the last time to get the gradient of the weight
    before it. Only from then on can the weight be written in place; XLA sees no such order in two results
    of one step, and would copy every weight first.
    """
    dense = [g for g in gradients if isinstance(g, tf.Tensor)]
    after = {id(g): before for before, g in zip(dense, dense[1:])}
    return [g + compiling.opaque_zero(after[id(g)], g.dtype) if id(g) in after else g for g in gradients]


def is_adam(optimizer):
    """Whether an optimizer updates weights as plain Adam does, AdamW and clipping included."""
    adam = keras.optimizers.Adam
    return isinstance(optimizer, adam) and type(optimizer).update_step is adam.update_step and not optimizer.amsgrad


@contextlib.contextmanager
def adam_in_one_pass(optimizer):
    """Within it, each weight is updated by TensorFlow's own kernel for Adam, where Keras makes ten passes.

    All else an optimizer does stays Keras': schedules, clipping, weight decay, averages.
    """
    optimizer.update_step = functools.partial(_adam_step, optimizer)
    try:
        yield
    finally:
        del optimizer.update_step


def _adam_step(optimizer, gradient, variable, learning_rate):
    """`keras.optimizers.Adam.update_step`."""
    step = tf.cast(optimizer.iterations + 1, variable.dtype)
    index = optimizer._get_variable_index(variable)
    moments = (slots[index].value.handle for slots in (optimizer._momentums, optimizer._velocities))
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        **dict(zip("mv", moments)),
        beta1_power=tf.pow(tf.cast(optimizer.beta_1, variable.dtype), step),
        beta2_power=tf.pow(tf.cast(optimizer.beta_2, variable.dtype), step),
        lr=tf.cast(learning_rate, variable.dtype),
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        epsilon=optimizer.epsilon,
        grad=tf.cast(tf.convert_to_tensor(gradient), variable.dtype),
    )
