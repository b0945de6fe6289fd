"""Notices a loss or a gradient that is not finite, in the step in which it arises."""

import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras
from tfvae.errors import InputError, invalid
from tfvae.ops import xla
from tfvae.training import replicas

ON_NONFINITE = ("raise", "skip")
_MAX_GUARDED = 2**16  # numbers in a weight that is restored after a bad step
_COUNT, _STEP, _LOSS, _FIRST_TERM = range(4)
# Of Keras' optimizers, by name, since Keras 3.12 has no MultiOptimizer.
_ASSIGN_DIRECTLY = ("LossScaleOptimizer", "MultiOptimizer", "Muon")


class NonFiniteLoss(InputError):
    """A loss or gradient that is not finite. The weights are those of the step before."""


class Alarm:
    """Records the steps that are not finite, and keeps their updates out of the weights.

    A step is not finite if its loss or one of its gradients is infinite or NaN. So is one with
    a gradient beyond 1e15, unless the optimizer clips: its square may be infinite.

    Args:
        on_nonfinite: "raise" stops a run, "skip" counts such steps and leaves them out.
        terms: the names of the loss terms whose means the error reports, such as ("rate",).
    """

    def __init__(
        self, on_nonfinite: Literal["raise", "skip"] = "raise", terms: Sequence[str] = ()
    ) -> None:
        """Starts with an empty record."""
        self.on_nonfinite = on_nonfinite
        self._names = tuple(terms)
        # No weight of the model, so a TensorFlow variable, which Keras does not track.
        self._record = tf.Variable(
            np.zeros(_FIRST_TERM + len(self._names), np.float32), trainable=False
        )

    def is_clear(
        self, loss: tf.Tensor, gradients: Sequence[tf.Tensor], limit: float = math.inf
    ) -> tf.Tensor:
        """Returns whether a step may change the weights.

        Where `on_nonfinite` is "raise", no step may do so after the first bad one.

        Args:
            loss: the loss of the batch, a scalar.
            gradients: the parts of the gradients to look at, see `gradient_checks`.
            limit: gradients of this size and more are not finite, see `gradient_checks`.

        Returns:
            A Boolean scalar.
        """
        finite = tf.math.is_finite(loss)
        for gradient in gradients:
            finite &= tf.reduce_all(tf.abs(gradient) < tf.cast(limit, gradient.dtype))
        if self.on_nonfinite == "skip":
            return finite

        return finite & (self._record[_COUNT] == 0.0)

    def note(
        self, clear: tf.Tensor, step: tf.Tensor, loss: tf.Tensor, terms: Sequence[tf.Tensor]
    ) -> None:
        """Counts a step that is not clear, and records the values of the first one.

        Args:
            clear: the answer of `is_clear`, a Boolean scalar.
            step: the number of the step, from 0.
            loss: the loss of the batch, a scalar.
            terms: the means of the loss terms over the batch, scalars.
        """
        row = tf.stack([tf.cast(value, tf.float32) for value in (step, loss, *terms)])
        first = self._record[_COUNT] == 0.0
        row = tf.where(first & ~clear, row, self._record[_STEP:])
        count = self._record[_COUNT] + tf.cast(~clear, tf.float32)
        self._record.assign(tf.concat([count[None], row], axis=0))

    def skipped(self) -> int:
        """Returns how many steps have been left out since `reset`."""
        return int(self._record.numpy()[_COUNT])

    def variables(self) -> list[tf.Variable]:
        """Returns the variable that holds the record."""
        return [self._record]

    def reset(self) -> None:
        """Empties the record."""
        self._record.assign(tf.zeros_like(self._record))

    def check(self) -> None:
        """Raises an error if a step since `reset` was not finite and is not to be skipped.

        Raises:
            NonFiniteLoss: there was such a step. The message gives its number and values.
        """
        if self.on_nonfinite == "skip" or not self.skipped():
            return

        _, step, loss, *terms = self._record.numpy().tolist()
        self.reset()
        values = dict(zip(self._names, terms))
        raise invalid(
            "a loss and gradients that are finite in every step",
            _what_was_not_finite(int(step), loss, values),
            _remedy(loss, values),
            NonFiniteLoss,
        )


def guarded_apply(
    optimizer: keras.optimizers.Optimizer,
    gradients: Sequence[tf.Tensor | tf.IndexedSlices | None],
    variables: Sequence[keras.Variable],
    clear: tf.Tensor,
    apply: Callable[[Sequence[tf.Tensor | tf.IndexedSlices | None]], None],
) -> None:
    """Applies gradients to the weights if a step is clear, and changes nothing if it is not.

    In general `tf.cond` decides, but XLA would copy each weight for that. So where XLA compiles
    the whole step, or the compiler is not known, the assignments of Keras' plain optimizers
    select between the new and the old value. This costs no more than reading the old value.

    Args:
        optimizer: a Keras optimizer.
        gradients: the gradients of the variables.
        variables: the weights.
        clear: a Boolean scalar.
        apply: a function of the gradients that makes the optimizer apply them.
    """
    plan = xla.current_plan()
    alone = not tf.distribute.has_strategy()
    if (
        alone
        and (plan is None or plan.whole_step)
        and _assigns_by_its_methods(optimizer, variables)
    ):
        iterations = internals.update_counter(optimizer)
        before = tf.identity(iterations.value)
        with _selecting(optimizer, clear):
            apply(gradients)
        iterations.assign(tf.where(clear, iterations.value, before))
        return

    def change():
        # Copies, since the gradients to apply must belong to the condition's own graph.
        apply([None if g is None else _identity(g) for g in gradients])
        return tf.constant(0)

    tf.cond(clear, change, lambda: tf.constant(0))


def _assigns_by_its_methods(optimizer, variables):
    """Returns True if an optimizer makes all changes by `Optimizer.assign` and its like."""
    kind = type(optimizer)
    if kind.__name__ in _ASSIGN_DIRECTLY or not kind.__module__.startswith("keras."):
        return False
    if optimizer.use_ema or optimizer.gradient_accumulation_steps:
        return False

    return not any(v.constraint is not None or v.overwrite_with_gradient for v in variables)


@contextlib.contextmanager
def _selecting(optimizer, clear):
    """Makes an optimizer's assignments change nothing, in a context, if a step is not clear."""
    assign, add, subtract = optimizer.assign, optimizer.assign_add, optimizer.assign_sub
    decay = optimizer.weight_decay

    def assign_selected(variable, value):
        value = tf.cast(value, variable.dtype)
        # Some optimizers, such as Ftrl, give the variable of TensorFlow.
        before = variable.value if isinstance(variable, keras.Variable) else variable
        assign(variable, tf.where(clear, value, before))

    optimizer.assign = assign_selected
    optimizer.assign_add = lambda variable, value: add(variable, _where_clear(clear, value))
    optimizer.assign_sub = lambda variable, value: subtract(variable, _where_clear(clear, value))
    if decay is not None:
        optimizer.weight_decay = tf.where(clear, decay, 0.0)

    try:
        yield
    finally:
        optimizer.weight_decay = decay
        del optimizer.assign, optimizer.assign_add, optimizer.assign_sub


def state_before(model: keras.Model) -> list[tuple[keras.Variable, tf.Tensor]]:
    """Returns small weights that a forward pass may change (moving averages), and their values."""
    weights = [v for v in model.non_trainable_weights if v.dtype.startswith("float")]
    return [(v, tf.identity(v.value)) for v in weights if np.prod(v.shape) <= _MAX_GUARDED]


def average_if(clear: tf.Tensor, state: Sequence[tuple[keras.Variable, tf.Tensor]]) -> None:
    """Gives weights the mean of all replicas' values, or their earlier values.

    Each replica has changed its own copy, such as a moving average, by its part of the batch.

    Args:
        clear: a Boolean scalar, equal on all replicas: whether the step counts.
        state: the weights and their earlier values, from `state_before`.
    """
    means = replicas.averaged([tf.identity(variable.value) for variable, _ in state])
    for (variable, value), mean in zip(state, means):
        variable.assign(tf.where(clear, mean, value))


def restore_unless(clear: tf.Tensor, state: Sequence[tuple[keras.Variable, tf.Tensor]]) -> None:
    """Gives weights their earlier values back if a step is not clear.

    Args:
        clear: a Boolean scalar.
        state: the weights and their values, from `state_before`.
    """
    for variable, value in state:
        variable.assign(tf.where(clear, variable.value, value))


def _where_clear(clear, value):
    if isinstance(value, tf.IndexedSlices):
        values = tf.where(clear, value.values, tf.zeros_like(value.values))
        return tf.IndexedSlices(values, value.indices, value.dense_shape)
    value = tf.convert_to_tensor(value)
    return tf.where(clear, value, tf.zeros_like(value))


def _identity(gradient):
    if isinstance(gradient, tf.IndexedSlices):
        shape = gradient.dense_shape
        return tf.IndexedSlices(
            tf.identity(gradient.values),
            tf.identity(gradient.indices),
            None if shape is None else tf.identity(shape),
        )

    return tf.identity(gradient)


def _what_was_not_finite(step, loss, values):
    told = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
    what = "a gradient that is not finite, at a loss of" if np.isfinite(loss) else "a loss of"
    return f"{what} {loss:.4g} in step {step} of the training (from 0; {told})"


def _remedy(loss, values):
    broken = [name for name, value in values.items() if not np.isfinite(value)]
    causes = {
        "rate": "the posterior or the prior has run away: lower the learning rate, clip gradients"
        " (clipnorm=1.0), or warm beta up by a schedule",
        "distortion": "the likelihood has run away, as a learned scale does that nears 0: lower the"
        " learning rate, clip gradients (clipnorm=1.0), or look for values far outside the others"
        " in x",
    }

    cause = next((causes[name] for name in broken if name in causes), None)
    if cause is None:
        cause = "lower the learning rate or clip gradients (clipnorm=1.0)"

    return (
        f"{cause}. The weights are those before that step;"
        " compile(on_nonfinite='skip') leaves such steps out instead"
    )
