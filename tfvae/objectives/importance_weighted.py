"""Bounds of several importance-weighted samples."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
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


@register
class Renyi(Objective):
    """The negative variational Renyi bound of order alpha [1].

    By the latents it is -(logsumexp_k((1 - alpha) log_weights) - log K) / (1 - alpha).

    With alpha = 0 it is the IWAE bound; with alpha = 1, the limit, the ELBO by the latents. With
    a negative alpha it exceeds log p(x) for large K; towards minus infinity it is the largest
    log-weight.

    Args:
        alpha: the order: any number.
        num_samples: K, latents per example.

    Raises:
        InputError: an alpha that is not a finite number, or num_samples below 1.

    References:
        [1] Li & Turner, Renyi Divergence Variational Inference. NeurIPS 2016. arXiv:1602.02311,
            section 4.1.
    """

    def __init__(self, alpha: float = 0.5, num_samples: int = 5) -> None:
        """Checks and keeps the settings."""
        super().__init__(num_samples)
        self.alpha = arguments.real_number("alpha", alpha)
        self.linear = self.alpha == 1

    def __call__(self, terms: Terms, step: int | tf.Tensor = 0) -> tf.Tensor:
        """Returns the negative bound.

        Args:
            terms: the `Terms` of the batch.
            step: not used.

        Returns:
            `[B]`, in nats.
        """
        order, log_weights = 1.0 - self.alpha, terms.log_weights
        if self.alpha == 1:
            return -tf.reduce_mean(log_weights, axis=0)
        # From the end of the range whose power is largest: a small order leaves no digits in
        # logsumexp, and a large one overflows.
        end = tf.reduce_max if order > 0 else tf.reduce_min
        shift = tf.stop_gradient(end(log_weights, axis=0))
        powers = tf.math.expm1(order * (log_weights - shift))
        return -(shift + tf.math.log1p(tf.reduce_mean(powers, axis=0)) / order)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, for `.keras` files."""
        return {**super().get_config(), "alpha": self.alpha}


@register
class TVO(Objective):
    """The negative thermodynamic variational objective [1].

    log p(x) is the integral over beta from 0 to 1 of the mean of log p(x, z) - log q(z|x) under
    the density in proportion to q(z|x)^(1 - beta) p(x, z)^beta. The objective is its lower
    Riemann sum. The mean at each beta is by the latents, weighted by exp(beta log_weights).

    Each estimator's gradient is that of this sum, whose weights depend on the latents too. As K
    grows it tends to the gradient of [1], section 4, a covariance, also for the encoder.

    Args:
        partitions: intervals of beta. The first ends at `first`, and the others are equal in
            log beta. With 1 the objective is the ELBO, by the latents.
        num_samples: K, latents per example.
        first: the end of the first interval, in (0, 1).

    Raises:
        InputError: a number out of range.

    References:
        [1] Masrani et al., The Thermodynamic Variational Objective. NeurIPS 2019.
            arXiv:1907.00031, sections 3 and 4.
    """

    def __init__(self, partitions: int = 2, num_samples: int = 5, first: float = 0.1) -> None:
        """Checks and keeps the settings."""
        super().__init__(num_samples)
        self.partitions = arguments.whole_number("partitions", partitions, 1)
        self.first = arguments.real_number("first", first, 1e-12, 1 - 1e-6)

    def __call__(self, terms: Terms, step: int | tf.Tensor = 0) -> tf.Tensor:
        """Returns the negative sum over the intervals.

        Args:
            terms: the `Terms` of the batch.
            step: not used.

        Returns:
            `[B]`, in nats.
        """
        log_weights = terms.log_weights
        ends = np.geomspace(self.first, 1.0, self.partitions) if self.partitions > 1 else [1.0]
        betas = [0.0, *map(float, ends)]
        means = [
            tf.reduce_sum(tf.nn.softmax(beta * log_weights, axis=0) * log_weights, axis=0)
            for beta in betas[:-1]
        ]
        return -tf.add_n([width * mean for width, mean in zip(np.diff(betas).tolist(), means)])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, for `.keras` files."""
        return {**super().get_config(), "partitions": self.partitions, "first": self.first}


def _iwae(log_weights):
    """Returns the log of the mean of the weights over the first axis: `[K, ...] -> [...]`."""
    return tf.reduce_logsumexp(log_weights, axis=0) - math.log(log_weights.shape[0])
