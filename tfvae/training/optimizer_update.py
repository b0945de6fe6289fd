"""Lets the optimizer update the weights in few passes over them.

The weights, the gradients and the optimizer's moments do not fit into a processor's caches. So
the cost of an update is the number of times that it reads and writes them.
"""

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras
from tfvae.ops import xla
from tfvae.training import alarm

if TYPE_CHECKING:
    from tfvae.training.compiled_fit import CompiledFit


def update(
    model: "CompiledFit",
    gradients: Sequence[tf.Tensor | tf.IndexedSlices | None],
    clear: tf.Tensor,
) -> None:
    """Updates a model's weights by its optimizer, in the cheapest way for the step's compiler.

    Args:
        model: a `CompiledFit` model.
        gradients: the gradients of its trainable variables.
        clear: a Boolean scalar. If it is False nothing changes.
    """
    optimizer = model.optimizer
    alarm.guarded_apply(
        optimizer,
        dense(gradients),
        model.trainable_variables,
        clear,
        lambda given: _apply(model, given),
    )


def dense(
    gradients: Sequence[tf.Tensor | tf.IndexedSlices | None],
) -> list[tf.Tensor | None]:
    """Returns gradients as tensors, also those of tables, such as of `Embedding`.

    TensorFlow gives these as slices, one for each time that a row was looked up. Keras' optimizers
    clip and square each slice by itself, and so take two slices of a row for two rows.

    Args:
        gradients: gradients of any kind; None where a variable has none.

    Returns:
        The same gradients, the slices of each row added up.
    """
    return [None if g is None else tf.convert_to_tensor(g) for g in gradients]


def _apply(model, gradients):
    optimizer, plan = model.optimizer, xla.current_plan()
    if plan is None or tf.distribute.has_strategy() or plan.whole_step:
        # Each assignment waits for all gradients (the alarm reads them), so XLA copies no weight.
        _plainly(model, gradients)
    elif is_adam(optimizer):
        with adam_in_one_pass(optimizer):
            _plainly(model, gradients)
    elif plan.update:
        # All programs of steps share one update, so that XLA compiles it once.
        model.update_by_xla(lambda given: _plainly(model, given))(gradients)
    else:
        _plainly(model, gradients)


def _plainly(model, gradients):
    if tf.distribute.in_cross_replica_context():
        with internals.updates_outside_replicas(tf.distribute.get_strategy()):
            model.optimizer.apply(gradients, model.trainable_variables)
        return
    model.optimizer.apply(gradients, model.trainable_variables)


def is_adam(optimizer: keras.optimizers.Optimizer) -> bool:
    """Returns True if an optimizer updates weights as plain Adam, AdamW and clipping included."""
    adam = keras.optimizers.Adam
    return (
        isinstance(optimizer, adam)
        and type(optimizer).update_step is adam.update_step
        and not optimizer.amsgrad
    )


@contextlib.contextmanager
def adam_in_one_pass(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Makes Adam update each weight, in a context, by TensorFlow's own kernel.

    The kernel makes one pass over a weight; Keras makes ten. Keras still does the rest:
    schedules, clipping, weight decay and averages.

    References:
        Kingma & Ba (2015), "Adam: A Method for Stochastic Optimization", Algorithm 1, in the
        more efficient order of section 2.
    """
    optimizer.update_step = functools.partial(_adam_step, optimizer)
    try:
        yield
    finally:
        del optimizer.update_step


def _adam_step(optimizer, gradient, variable, learning_rate):
    """Takes the place of `keras.optimizers.Adam.update_step`."""
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
