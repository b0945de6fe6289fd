"""What every objective has."""

import math

from tfvae._keras.backend import keras
from tfvae._keras.stateful import Stateful
from tfvae.objectives.terms import Terms as Terms
from tfvae.validation import arguments


class Objective(Stateful):
    """The loss of each example, from `num_samples` latents each.

    To write one, return the loss `[B]` from `__call__`, the constructor's arguments
    from `get_config`, and decorate it with `keras.saving.register_keras_serializable`.

    It may hold variables, made in its constructor: `keras.Variable(0.0)` is trained by the
    loss, `keras.Variable(0.0, trainable=False)` follows a rule of its own, in `update`. Both are
    variables of the model, are saved with it, and stay as they are in evaluation. Models that
    are given the same objective share them.

    Attributes:
        linear: whether the loss is linear in the log-weights, as the ELBO is.
        importance_weighted: whether it is the IWAE bound, whose gradient weights the samples.
        has_encoder_loss: whether the encoder is trained by a loss of its own.
        needs_sample_gradients: whether it holds terms of z that only a gradient through z can lower.
        needs_density: whether it holds log q(z|x), which not every posterior has.
        of_expectations: whether it is made of expectations under q alone, which may then be summed.
        needs_factorized: which of "posterior" and "prior" it takes latent by latent.
    """

    linear = False
    importance_weighted = False
    has_encoder_loss = False
    needs_sample_gradients = False
    needs_density = True
    of_expectations = False
    needs_factorized: tuple = ()

    def __init__(self, num_samples=1):
        self.num_samples = arguments.whole_number("num_samples", num_samples, 1)

    def __call__(self, terms, step=0):
        """`Terms` -> the loss of each example, `[B]`; `step` counts optimizer updates."""
        raise NotImplementedError

    def encoder_loss(self, terms, step=0):
        """The loss the encoder is trained by, `[B]`, or None where it is the same."""
        return None

    def update(self, terms, step=0):
        """Called in each training step once the gradient is known, to assign variables that are not trained.

        Args:
            terms: the `Terms` of the batch. A mean over it is `terms.mean_over_examples`.
            step: as in `__call__`.
        """

    def get_config(self):
        return {"num_samples": self.num_samples}

    @classmethod
    def from_config(cls, config):
        return cls(**keras.saving.deserialize_keras_object(config))

    def __repr__(self):
        settings = ", ".join(f"{k}={getattr(self, k)!r}" for k in self.get_config())
        return f"{type(self).__name__}({settings})"


def at_step(value, step):
    return value(step) if callable(value) else value


def number_or_schedule(name, value, maximum=math.inf):
    scheduled = isinstance(value, keras.optimizers.schedules.LearningRateSchedule)
    return (
        value
        if scheduled
        else arguments.real_number(f"{name}, where it is no schedule,", value, 0, maximum)
    )
