"""The base class of all objectives."""

import math
from typing import TYPE_CHECKING, Any

from tfvae._keras.backend import keras
from tfvae._keras.stateful import Stateful
from tfvae.objectives.terms import Terms as Terms
from tfvae.pieces import as_call
from tfvae.validation import arguments

if TYPE_CHECKING:
    import tensorflow as tf
    from keras.optimizers.schedules import LearningRateSchedule


class Objective(Stateful):
    """The loss of each example, computed from `num_samples` latents of that example.

    To write an objective, return the loss `[B]` from `__call__` and the constructor's arguments
    from `get_config`. Decorate the class with `keras.saving.register_keras_serializable`.

    An objective may hold variables, made in its constructor. `keras.Variable(0.0)` is trained by
    the loss. `keras.Variable(0.0, trainable=False)` follows a rule of its own, in `update`. Both
    are variables of the model, are saved with it, and stay as they are in evaluation. Models
    that are given the same objective share its variables.

    Args:
        num_samples: K, latents per example.

    Attributes:
        linear: True if the loss is linear in the log-weights, as the ELBO is.
        importance_weighted: True for the IWAE bound, whose gradient weights the samples.
        has_encoder_loss: True if the encoder is trained by a loss of its own.
        needs_sample_gradients: True if the loss has terms of z that only a gradient through z
            can lower.
        needs_reparameterized: True if the gradient of the encoder's loss goes through z, so that
            the pathwise estimators refuse posteriors whose draws have none. False for losses
            that hold z constant for the encoder, as wake-sleep does.
        needs_density: True if the loss needs log q(z|x), which not every posterior has.
        is_expectation: True if the loss is made of expectations under q alone. These may be
            summed over all values of z.
        needs_factorized: which of "posterior" and "prior" must be independent over the latents.

    Raises:
        InputError: num_samples below 1.
    """

    linear = False
    importance_weighted = False
    has_encoder_loss = False
    needs_sample_gradients = False
    needs_reparameterized = True
    needs_density = True
    is_expectation = False
    needs_factorized: tuple[str, ...] = ()

    def __init__(self, num_samples: int = 1) -> None:
        """Checks and keeps the number of latents."""
        self.num_samples = arguments.whole_number("num_samples", num_samples, 1)

    def __call__(self, terms: Terms, step: "int | tf.Tensor" = 0) -> "tf.Tensor":
        """Returns the loss of each example.

        Args:
            terms: the `Terms` of the batch.
            step: the number of training steps so far, for schedules.

        Returns:
            `[B]`, in nats.
        """
        raise NotImplementedError

    def encoder_loss(self, terms: Terms, step: "int | tf.Tensor" = 0) -> "tf.Tensor | None":
        """Returns the loss that trains the encoder, if it has one of its own.

        Args:
            terms: the `Terms` of the batch.
            step: as in `__call__`.

        Returns:
            `[B]`, in nats, or None if `__call__` gives the loss of the encoder as well.
        """
        return None

    def update(self, terms: Terms, step: "int | tf.Tensor" = 0) -> None:
        """Assigns the variables that are not trained by the loss.

        Each training step calls it once the gradient is known. The base class does nothing.

        Args:
            terms: the `Terms` of the batch. A mean over it is `terms.mean_over_examples`.
            step: as in `__call__`.
        """

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, for `.keras` files."""
        return {"num_samples": self.num_samples}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Objective":
        """Returns the objective that `get_config` described."""
        return cls(**keras.saving.deserialize_keras_object(config))

    def __repr__(self) -> str:
        """Returns the class and its settings, as they would be written in code."""
        return as_call(self)


def at_step(value: "float | LearningRateSchedule", step: "int | tf.Tensor") -> "float | tf.Tensor":
    """Returns the value of a setting at a training step.

    Args:
        value: a number, or a Keras schedule of the step.
        step: the number of training steps so far.

    Returns:
        The number itself, or the schedule's value as a scalar tensor.
    """
    return value(step) if callable(value) else value


def number_or_schedule(
    name: str, value: "float | LearningRateSchedule", maximum: float = math.inf
) -> "float | LearningRateSchedule":
    """Checks a setting that may be a number or a Keras schedule, and returns it.

    Args:
        name: the setting's name, for the message.
        value: the number or schedule. A schedule is not checked.
        maximum: the largest number allowed; the smallest is 0.

    Returns:
        The number as a Python number, or the schedule.

    Raises:
        InputError: a number that is not finite, negative or above the maximum.
    """
    scheduled = isinstance(value, keras.optimizers.schedules.LearningRateSchedule)
    return (
        value
        if scheduled
        else arguments.real_number(f"{name}, where it is no schedule,", value, 0, maximum)
    )
