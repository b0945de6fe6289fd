"""Bounds of powers of the importance weights, between the ELBO and log p(x)."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._keras.backend import register
from tfvae.objectives.base import Objective
from tfvae.objectives.terms import Terms as Terms
from tfvae.validation import arguments


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
