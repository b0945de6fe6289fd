"""Estimators for samples without a gradient, such as classes."""

import tensorflow as tf

from tfvae._keras.backend import register
from tfvae.errors import invalid
from tfvae.gradients.base import Estimator, Latents, once_more, random_states
from tfvae.objectives.terms import no_density
from tfvae.ops.networks import in_mode
from tfvae.validation import arguments


@register
class ScoreFunction(Estimator):
    """REINFORCE with a leave-one-out baseline; for the IWAE bound this is VIMCO [2], equation 10.

    For samples without a gradient. Each sample's log-probability is pushed by how much the
    loss would have been worse without it, the others' mean in its place:

        signal_k = loss - loss(log_weights with row k replaced by the mean of the others)

    References:
        [1] Williams, Simple statistical gradient-following algorithms. Machine Learning 8, 1992.
        [2] Mnih & Rezende, Variational inference for Monte Carlo objectives. ICML 2016. arXiv:1602.06725.
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
                "one loss that is a function of the log-weights",
                repr(objective),
                "use gradients.Pathwise()",
            )

    def latents(self, vae, params, num_samples, seed, training=False):
        states = random_states(vae)
        q = in_mode(vae.posterior.distribution, params, training=training)
        z = tf.nest.map_structure(tf.stop_gradient, q.sample(num_samples, seed=seed))
        with once_more(vae, states):
            return Latents(z, q.log_prob(z), q)

    def losses(self, objective, terms, step):
        loss = objective(terms, step)
        count = objective.num_samples
        surrogate = tf.zeros_like(loss)
        for k in range(count):
            without = objective(_leave_out(terms, k, count), step)
            surrogate += tf.stop_gradient(loss - without) * terms.log_posterior[k]
        return [loss + surrogate - tf.stop_gradient(surrogate)]


@register
class Enumeration(Estimator):
    """The bound itself, and its exact gradient: z runs through all its values, weighted by q(z|x).

    For posteriors over classes with few values in all; the decoder runs once for each of
    them. The objective's `num_samples` plays no part.

    Args:
        max_values: more values than this are refused.
    """

    exact = True

    def __init__(self, max_values=1024):
        self.max_values = arguments.whole_number("max_values", max_values, 1)

    def _check(self, objective, posterior, latent_dim):
        values = posterior.values(latent_dim)
        if values is None or len(values) > self.max_values:
            raise invalid(
                f"a posterior whose z has at most {self.max_values} values, for Enumeration",
                f"{posterior!r} of latent size {latent_dim}"
                + ("" if values is None else f", {len(values)} values"),
                "use gradients.ScoreFunction() for many classes, gradients.Pathwise() for real vectors",
            )
        if not objective.of_expectations:
            raise invalid(
                "an objective made of expectations under q, such as ELBO()",
                repr(objective),
                "use ELBO()",
            )

    def latents(self, vae, params, num_samples, seed, training=False):
        q = in_mode(vae.posterior.distribution, params, training=training)
        values = vae.posterior.values(vae.latent_sizes)  # [S, D]
        z = tf.tile(tf.constant(values)[:, None], [1, tf.shape(params)[0], 1])
        log_q = q.log_prob(z)
        return Latents(z, log_q, q, tf.exp(log_q))

    def get_config(self):
        return {"max_values": self.max_values}


def _leave_out(terms, k, count):
    """`terms` with row k of each log-probability replaced by the mean of the other rows."""

    def replace(rows):
        others = (tf.reduce_sum(rows, axis=0) - rows[k]) / (count - 1)
        return tf.concat([rows[:k], others[None], rows[k + 1 :]], axis=0)

    rows = {
        name: replace(getattr(terms, name))
        for name in ("log_likelihood", "log_prior", "log_posterior")
    }
    return terms._replace(**rows)
