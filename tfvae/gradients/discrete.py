"""Estimators for samples without a gradient, such as classes."""

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfvae._keras.backend import register
from tfvae.distributions import simplex
from tfvae.errors import invalid
from tfvae.gradients.base import Estimator, Latents, drawn, once_more, random_states
from tfvae.objectives.terms import no_density
from tfvae.ops.networks import in_mode
from tfvae.validation import arguments

if TYPE_CHECKING:
    from tfvae.models.vae import VAE
    from tfvae.objectives import Objective, Terms


@register
class ScoreFunction(Estimator):
    """REINFORCE [1] with a leave-one-out baseline, for samples without a gradient.

    For the IWAE bound this is VIMCO [2]. The gradient of log q(z_k|x) is weighted by a signal.
    The signal compares the loss with the loss if sample k were replaced by the others' mean:

        signal_k = loss - loss(log-probabilities with row k replaced by the mean of the others)

    References:
        [1] Williams, Simple statistical gradient-following algorithms. Machine Learning 8, 1992.
        [2] Mnih & Rezende, Variational inference for Monte Carlo objectives. ICML 2016.
            arXiv:1602.06725, equation 10.
    """

    def _check(self, objective, posterior, latent_dim):
        if not posterior.has_density:
            raise no_density(posterior)
        if objective.num_samples < 2:
            raise invalid(
                "at least two latents per example for ScoreFunction, whose baseline leaves one out",
                repr(objective),
                "set the objective's num_samples to 2 or more",
            )
        if objective.has_encoder_loss or objective.needs_sample_gradients:
            raise invalid(
                "one loss that is a function of the log-weights, and of rates in closed form",
                repr(objective),
                "use gradients.Pathwise(), or, with free bits, analytic_rate=True",
            )

    def latents(
        self,
        vae: "VAE",
        params: tf.Tensor | list[tf.Tensor],
        num_samples: int,
        seed: tf.Tensor,
        training: bool = False,
    ) -> Latents:
        """Draws latents, held constant, and their log q with a gradient to the encoder.

        Args:
            vae: the model.
            params: the encoder's output, `[B, P]`, or a list of outputs for layers.
            num_samples: K, latents per example.
            seed: int32 pair.
            training: True to run networks of the posterior as in training.

        Returns:
            The `Latents`.
        """
        states = random_states(vae)
        q = in_mode(vae.posterior.distribution, params, training=training)
        z, log_z = drawn(q, num_samples, seed)
        z = tf.nest.map_structure(tf.stop_gradient, z)
        log_z = None if log_z is None else tf.stop_gradient(log_z)

        # The same dropout again: networks within q may run for the density as well.
        with once_more(vae, states):
            return Latents(z, simplex.log_prob(q, z, log_z), q, log_z=log_z)

    def losses(
        self, objective: "Objective", terms: "Terms", step: int | tf.Tensor
    ) -> list[tf.Tensor]:
        """Returns the loss, with the score function's gradient added to its own.

        Args:
            objective: the objective that is trained.
            terms: the `Terms` of the batch.
            step: the number of training steps so far.

        Returns:
            One loss, `[B]`, in nats.

        Raises:
            InputError: free bits, and a rate that has no closed form.
        """
        if objective.needs_factorized and terms.analytic_rate is None:
            # By the latents, the rate of each is no function of the log-probabilities [K, B].
            raise invalid(
                "a rate in closed form for ScoreFunction, where latents are taken apart",
                f"{objective!r}, and a KL(q || p) without one",
                "use gradients.Pathwise(), or an objective without free bits",
            )

        loss = objective(terms, step)
        count = objective.num_samples
        surrogate = tf.zeros_like(loss)
        for k in range(count):
            without = objective(_leave_out(terms, k, count), step)
            surrogate += tf.stop_gradient(loss - without) * terms.log_posterior[k]

        # The surrogate adds its gradient, and 0 to the value.
        return [loss + surrogate - tf.stop_gradient(surrogate)]


@register
class Enumeration(Estimator):
    """The exact bound and its gradient, by a sum over all values of z weighted by q(z|x).

    For posteriors over classes with few values of z in all; the decoder runs once for each of
    them. The objective's `num_samples` plays no part.

    Args:
        max_values: the largest number of values of z that is accepted.

    Raises:
        InputError: max_values below 1.
    """

    exact = True

    def __init__(self, max_values: int = 1024) -> None:
        """Checks and keeps the limit."""
        self.max_values = arguments.whole_number("max_values", max_values, 1)

    def _check(self, objective, posterior, latent_dim):
        count = posterior.num_values(latent_dim)
        if count is None or count > self.max_values:
            raise invalid(
                f"a posterior whose z has at most {self.max_values} values, for Enumeration",
                f"{posterior!r} of latent size {latent_dim}"
                + ("" if count is None else f", {count} values"),
                "use gradients.ScoreFunction() for many classes, "
                "gradients.Pathwise() for real vectors",
            )
        if not objective.is_expectation:
            raise invalid(
                "an objective made of expectations under q, such as ELBO()",
                repr(objective),
                "use ELBO()",
            )

    def latents(
        self,
        vae: "VAE",
        params: tf.Tensor | list[tf.Tensor],
        num_samples: int,
        seed: tf.Tensor,
        training: bool = False,
    ) -> Latents:
        """Returns every value of z as the latents of each example, with weights q(z|x).

        Args:
            vae: the model.
            params: the encoder's output, `[B, P]`.
            num_samples: not used.
            seed: not used.
            training: True to run networks of the posterior as in training.

        Returns:
            The `Latents`, with K the number of values.
        """
        values = tf.constant(vae.posterior.enumerate_support(vae.latent_sizes))  # [S, D]
        return given_values(vae, params, values, training)

    def get_config(self) -> dict[str, Any]:
        """Returns the argument of the constructor."""
        return {"max_values": self.max_values}


def given_values(
    vae: "VAE", params: tf.Tensor, values: tf.Tensor, training: bool = False
) -> Latents:
    """Returns the same latents for each example, with weights q(z|x).

    Args:
        vae: the model.
        params: the encoder's output, `[B, P]`.
        values: values of z, `[S, D]`.
        training: True to run networks of the posterior as in training.

    Returns:
        The `Latents`, with K = S.
    """
    q = in_mode(vae.posterior.distribution, params, training=training)
    z = tf.tile(values[:, None], [1, tf.shape(params)[0], 1])
    log_q = q.log_prob(z)
    return Latents(z, log_q, q, tf.exp(log_q))


def _leave_out(terms, k, count):
    """Returns `terms` with row k of each log-probability replaced by the other rows' mean."""

    def replace(rows):
        others = (tf.reduce_sum(rows, axis=0) - rows[k]) / (count - 1)
        return tf.concat([rows[:k], others[None], rows[k + 1 :]], axis=0)

    rows = {
        name: replace(getattr(terms, name))
        for name in ("log_likelihood", "log_prior", "log_posterior")
    }
    return terms._replace(**rows)
