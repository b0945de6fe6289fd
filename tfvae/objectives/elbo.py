"""The evidence lower bound and its variants."""

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfvae._keras.backend import keras, register
from tfvae.errors import invalid
from tfvae.objectives.base import Objective, at_step, number_or_schedule
from tfvae.objectives.terms import Terms as Terms

if TYPE_CHECKING:
    from keras.optimizers.schedules import LearningRateSchedule


@register
class ELBO(Objective):
    """The loss distortion + beta * rate; with beta = 1 the negative ELBO [1].

    Two settings counter a collapse of the posterior: a beta that rises from 0, and free bits.
    With free bits, the rate of each latent is averaged over the batch and costs at least
    `free_bits`, so that lowering it below that gains nothing [3]. A capacity holds the rate
    near a target: the loss is then distortion + beta * |rate - capacity| [4]. The distance is
    taken for each example, before any mean: a batch of rates above and below the target pays for
    both. Free bits, in contrast, see the mean of the batch alone.

    Args:
        num_samples: K, latents per example.
        beta: weight of the rate [2]: a number, or a Keras learning-rate schedule of the step.
        free_bits: least cost of the rate of each latent, in nats: a number or a schedule. Other
            values than 0 need a posterior and a prior that are independent over the latents.
        capacity: target of the rate in nats: a number or a schedule, or None.
        analytic_rate: True to use KL(q || p) in closed form where there is one, False to
            estimate it from the latents.

    Raises:
        InputError: a number that is negative or not finite, num_samples below 1, or free
            bits together with a capacity.

    References:
        [1] Kingma & Welling, Auto-Encoding Variational Bayes. ICLR 2014, equation 3.
        [2] Higgins et al., beta-VAE. ICLR 2017, equation 4.
        [3] Kingma et al., Inverse Autoregressive Flow. NeurIPS 2016, equation 15.
        [4] Burgess et al., Understanding disentangling in beta-VAE. 2018. arXiv:1804.03599,
            equation 8.
    """

    def __init__(
        self,
        num_samples: int = 1,
        beta: "float | LearningRateSchedule" = 1.0,
        *,
        free_bits: "float | LearningRateSchedule" = 0.0,
        capacity: "float | LearningRateSchedule | None" = None,
        analytic_rate: bool = True,
    ) -> None:
        """Checks the settings, and derives from them the loss's needs."""
        super().__init__(num_samples)
        self.beta = number_or_schedule("beta", beta)
        self.free_bits = number_or_schedule("free_bits", free_bits)
        self.capacity = None if capacity is None else number_or_schedule("capacity", capacity)
        self.analytic_rate = analytic_rate
        if capacity is not None and free_bits:
            raise invalid(
                "free_bits or a capacity",
                f"free_bits={free_bits!r} and capacity={capacity!r}",
                "set one of them",
            )

        self.linear = not free_bits and capacity is None
        self.is_expectation = not free_bits
        self.needs_factorized = ("posterior", "prior") if free_bits else ()
        # Beside the log-probabilities, such free bits take the density of z of each latent.
        self.needs_sample_gradients = bool(free_bits) and not analytic_rate
        # With a beta that is always 0 the rate is not computed at all.
        self.needs_density = not (self.linear and not callable(beta) and beta == 0)

    def __call__(self, terms: Terms, step: int | tf.Tensor = 0) -> tf.Tensor:
        """Returns distortion + beta * rate.

        Args:
            terms: the `Terms` of the batch.
            step: the number of training steps so far, for schedules.

        Returns:
            `[B]`, in nats.
        """
        if not self.needs_density:
            return terms.distortion
        return terms.distortion + at_step(self.beta, step) * self._rate(terms, step)

    def _rate(self, terms, step):
        if self.free_bits:
            per_latent = terms.mean_over_examples(terms.rate_per_latent(self.analytic_rate))  # [D]
            return tf.reduce_sum(tf.maximum(per_latent, at_step(self.free_bits, step)))
        rate = terms.rate if self.analytic_rate else terms.monte_carlo_rate
        return rate if self.capacity is None else tf.abs(rate - at_step(self.capacity, step))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, schedules as their own configurations."""
        schedules = ("beta", "free_bits", "capacity")
        values = {
            name: keras.saving.serialize_keras_object(getattr(self, name)) for name in schedules
        }
        return {**super().get_config(), **values, "analytic_rate": self.analytic_rate}
