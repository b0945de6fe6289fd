"""Bounds of several importance-weighted samples."""

import math
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfvae._keras.backend import keras, register
from tfvae.objectives.base import Objective, at_step, number_or_schedule
from tfvae.objectives.terms import Terms as Terms
from tfvae.validation import arguments

if TYPE_CHECKING:
    from keras.optimizers.schedules import LearningRateSchedule


@register
class IWAE(Objective):
    """The negative importance-weighted bound: -(logsumexp_k log_weights - log K) [1].

    Args:
        num_samples: K, latents per example; with 1 this is the ELBO by Monte Carlo.

    Raises:
        InputError: num_samples below 1.

    References:
        [1] Burda et al., Importance Weighted Autoencoders. ICLR 2016. arXiv:1509.00519,
            equation 8.
    """

    importance_weighted = True

    def __init__(self, num_samples: int = 5) -> None:
        """Checks and keeps the number of latents."""
        super().__init__(num_samples)

    def __call__(self, terms: Terms, step: int | tf.Tensor = 0) -> tf.Tensor:
        """Returns the negative bound.

        Args:
            terms: the `Terms` of the batch.
            step: not used.

        Returns:
            `[B]`, in nats.
        """
        return -_iwae(terms.log_weights)


class _Grouped(Objective):
    """A loss of `groups` importance-weighted bounds of `group_size` latents each."""

    def __init__(self, groups: int = 4, group_size: int = 4) -> None:
        """Checks and keeps the sizes."""
        self.groups = arguments.whole_number("groups", groups, 1)
        self.group_size = arguments.whole_number("group_size", group_size, 1)
        super().__init__(self.groups * self.group_size)

    def miwae(self, terms: Terms) -> tf.Tensor:
        """Returns the mean over the groups of each group's bound, `[B]`, in nats."""
        log_weights = terms.log_weights
        grouped = tf.reshape(log_weights, [self.group_size, self.groups, -1])
        return tf.reduce_mean(_iwae(grouped), axis=0)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, which give the number of latents."""
        return {"groups": self.groups, "group_size": self.group_size}


@register
class MIWAE(_Grouped):
    """The negative mean of M importance-weighted bounds of K latents each [1].

    This is not the bound for missing data of the same name.

    Args:
        groups: M.
        group_size: K.

    Raises:
        InputError: a number below 1.

    References:
        [1] Rainforth et al., Tighter Variational Bounds are Not Necessarily Better. ICML 2018.
            arXiv:1802.04537, equation 8.
    """

    def __call__(self, terms: Terms, step: int | tf.Tensor = 0) -> tf.Tensor:
        """Returns the negative mean of the groups' bounds.

        Args:
            terms: the `Terms` of the batch.
            step: not used.

        Returns:
            `[B]`, in nats.
        """
        return -self.miwae(terms)


@register
class PIWAE(_Grouped):
    """Two losses: the IWAE bound for decoder and prior, the MIWAE bound for the encoder [1].

    The IWAE bound is that of all M K latents together.

    Args:
        groups: M.
        group_size: K.

    Raises:
        InputError: a number below 1.

    References:
        [1] Rainforth et al., Tighter Variational Bounds are Not Necessarily Better. ICML 2018.
            arXiv:1802.04537, section 5.
    """

    has_encoder_loss = True

    def __call__(self, terms: Terms, step: int | tf.Tensor = 0) -> tf.Tensor:
        """Returns the negative IWAE bound of all latents, for decoder and prior.

        Args:
            terms: the `Terms` of the batch.
            step: not used.

        Returns:
            `[B]`, in nats.
        """
        return -_iwae(terms.log_weights)

    def encoder_loss(self, terms: Terms, step: int | tf.Tensor = 0) -> tf.Tensor:
        """Returns the negative MIWAE bound, for the encoder.

        Args:
            terms: the `Terms` of the batch.
            step: not used.

        Returns:
            `[B]`, in nats.
        """
        return -self.miwae(terms)


@register
class CIWAE(Objective):
    """A mixture of two bounds: -(mix * ELBO + (1 - mix) * IWAE), of the same latents [1].

    Args:
        num_samples: K, latents per example.
        mix: from 0, the IWAE bound, to 1, the ELBO: a number, or a Keras learning-rate schedule
            of the step.

    Raises:
        InputError: a number out of range.

    References:
        [1] Rainforth et al., Tighter Variational Bounds are Not Necessarily Better. ICML 2018.
            arXiv:1802.04537, equation 9.
    """

    def __init__(self, num_samples: int = 5, mix: "float | LearningRateSchedule" = 0.5) -> None:
        """Checks and keeps the settings."""
        super().__init__(num_samples)
        self.mix = number_or_schedule("mix", mix, 1)

    def __call__(self, terms: Terms, step: int | tf.Tensor = 0) -> tf.Tensor:
        """Returns the negative mixture of the ELBO, by Monte Carlo, and the IWAE bound.

        Args:
            terms: the `Terms` of the batch.
            step: the number of training steps so far, for a schedule of `mix`.

        Returns:
            `[B]`, in nats.
        """
        mix = at_step(self.mix, step)
        elbo = tf.reduce_mean(terms.log_weights, axis=0)
        return -(mix * elbo + (1 - mix) * _iwae(terms.log_weights))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, a schedule as its own configuration."""
        return {**super().get_config(), "mix": keras.saving.serialize_keras_object(self.mix)}


def _iwae(log_weights):
    """Returns the log of the mean of the weights over the first axis: `[K, ...] -> [...]`."""
    return tf.reduce_logsumexp(log_weights, axis=0) - math.log(log_weights.shape[0])
