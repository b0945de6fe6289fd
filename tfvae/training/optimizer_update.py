"""The optimizer's update of the weights, arranged so that it passes over them few times.

A network's weights, gradients and an optimizer's moments are more than a processor's caches hold,
so what an update costs is how often it reads and writes them.
"""

import contextlib
import functools

import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras
from tfvae.ops import xla
from tfvae.training import alarm


def update(model, gradients, clear):
    """Has a model's optimizer update its weights, by what costs least where the step runs.

    Args:
        model: a `CompiledFit` model.
        gradients: of its trainable variables.
        clear: a Boolean scalar: where it is False nothing changes.
    """
    optimizer = model.optimizer
    alarm.guarded_apply(
        optimizer, gradients, model.trainable_variables, clear, lambda given: _apply(model, given)
    )


def _apply(model, gradients):
    optimizer, plan = model.optimizer, xla.current_plan()
    if plan is None or plan.whole_step:
        # Each assignment waits for all gradients, which the alarm looks at, so that XLA copies no weight.
        _plainly(model, gradients)
    elif is_adam(optimizer):
        with adam_in_one_pass(optimizer):
            _plainly(model, gradients)
    elif plan.update:
        # One for all programs of steps, so that XLA compiles it once.
        model.update_by_xla(lambda given: _plainly(model, given))(gradients)
    else:
        _plainly(model, gradients)


def _plainly(model, gradients):
    model.optimizer.apply(gradients, model.trainable_variables)


def is_adam(optimizer):
    """Whether an optimizer updates weights as plain Adam does, AdamW and clipping included."""
    adam = keras.optimizers.Adam
    return (
        isinstance(optimizer, adam)
        and type(optimizer).update_step is adam.update_step
        and not optimizer.amsgrad
    )


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
    moments = (moment.value.handle for moment in internals.adam_moments(optimizer, variable))
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
