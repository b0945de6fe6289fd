"""The terms of a bound: what one draw of K latents per example says about the model.

log_weights[k, b] = log p(x_b|z_kb) + log p(z_kb) - log q(z_kb|x_b)
"""

from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.errors import invalid
from tfvae.ops import weighting

tfd = tfp.distributions


class Terms(NamedTuple):
    """Log-probabilities in nats, and where they came from.

    Attributes:
        log_likelihood: log p(x|z), `[K, B]`.
        log_prior: log p(z), `[K, B]`.
        log_posterior: log q(z|x), `[K, B]`.
        analytic_rate: KL(q(z|x) || p(z)), `[B]`, where it has a closed form, else None.
        z: the latents, `[K, B, D]`, or a list of layers.
        posterior, prior: the distributions q(z|x) and p(z).
        seed: int32 pair, for additions to a bound that draw samples of their own.
        weights: q(z|x) of each latent, `[K, B]`, where they are all there are and not a sample; else None.
        example_weights: how much each example counts, float32 `[B]`, or None where all count 1. One of weight 0
            is not there: what takes examples together goes by `mean_over_examples`.
    """

    log_likelihood: Any
    log_prior: Any
    log_posterior: Any
    analytic_rate: Any = None
    z: Any = None
    posterior: Any = None
    prior: Any = None
    seed: Any = None
    weights: Any = None
    example_weights: Any = None

    def expectation(self, values):
        """E_q of values `[K, B]`: their mean over K, or their sum by `weights`."""
        return (
            tf.reduce_mean(values, axis=0)
            if self.weights is None
            else tf.reduce_sum(self.weights * values, axis=0)
        )

    def mean_over_examples(self, values):
        """Returns the mean of values `[B, ...]` over the batch, by `example_weights`: `[...]`, 0 where all are 0."""
        return weighting.mean(values, self.example_weights)

    @property
    def log_ratio(self):
        """log q(z|x) - log p(z), `[K, B]`.

        Raises:
            InputError: a posterior without a density.
        """
        if self.log_posterior is None:
            raise no_density(self.posterior)
        return self.log_posterior - self.log_prior

    @property
    def log_weights(self):
        """log p(x, z) - log q(z|x), `[K, B]`."""
        return self.log_likelihood - self.log_ratio

    @property
    def monte_carlo_rate(self):
        """E_q of log q(z|x) - log p(z), `[B]`, from the latents."""
        return self.expectation(self.log_ratio)

    @property
    def rate(self):
        """KL(q(z|x) || p(z)), `[B]`, in closed form where there is one."""
        return self.monte_carlo_rate if self.analytic_rate is None else self.analytic_rate

    def rate_per_latent(self, analytic=True):
        """KL of each latent, `[B, D]`, where q and p factorize over the latents.

        Raises:
            InputError: a q or p that does not.
        """
        if not all(isinstance(d, tfd.Independent) for d in (self.posterior, self.prior)):
            raise invalid(
                "a posterior and a prior that are independent over the latents, for free bits",
                f"{type(self.posterior).__name__} and {type(self.prior).__name__}",
                "use DiagonalNormal() and StandardNormal(), or a beta schedule in place of free bits",
            )
        q, p = self.posterior.distribution, self.prior.distribution
        if analytic and self.analytic_rate is not None:
            return q.kl_divergence(p)
        return tf.reduce_mean(q.log_prob(self.z) - p.log_prob(self.z), axis=0)

    @property
    def distortion(self):
        """-E_q log p(x|z), `[B]`."""
        return -self.expectation(self.log_likelihood)

    @property
    def elbo(self):
        """The evidence lower bound, `[B]`, whatever objective is trained."""
        return -(self.rate + self.distortion)


def closed_form_kl(q, p):
    """KL(q || p), `[B]`, or None where TFP has no closed form."""
    # Joint distributions raise the other error where a layer depends on another.
    unknown = (
        (NotImplementedError, ValueError)
        if isinstance(q, tfd.JointDistribution)
        else (NotImplementedError,)
    )
    try:
        return q.kl_divergence(p)
    except unknown:
        return None


def no_density(posterior):
    """The refusal of a question about log q(z|x), or about log p(x), where there is no log q."""
    return invalid(
        "a posterior with a density, which rate, bounds and NLL are made of",
        f"{type(posterior).__name__}, which has none",
        "use DiagonalNormal(), or ask for the distortion: ELBO(beta=0.0), reconstruct, sample",
    )
