"""The terms of a bound, computed from one draw of K latents for each example of a batch.

log_weights[k, b] = log p(x_b|z_kb) + log p(z_kb) - log q(z_kb|x_b)
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.errors import invalid
from tfvae.ops import weighting
from tfvae.ops.independent import is_independent

if TYPE_CHECKING:
    from tfvae.posteriors import Posterior

tfd = tfp.distributions


class Terms(NamedTuple):
    """The log-probabilities of a batch and its latents, in nats, and their origin.

    In a training step an objective reads them under a gradient tape. "Encoder" stands for all
    on which q(z|x) depends: the encoder and the weights of the posterior, and with a `Ladder`
    the networks of the prior that it shares. Gradients flow as follows.

    - `z`, `log_z`: to the encoder, with the estimators that draw by `z = g(eps; x)`: `Pathwise`,
      `StickingTheLanding`, `DoublyReparameterized`. With `ScoreFunction` and `Enumeration`, and
      for posteriors whose draws have no gradient, z is constant.
    - `log_likelihood`: to decoder and likelihood, and through z.
    - `log_prior`: to the prior, and through z.
    - `log_posterior`: through z, and to the encoder by the parameters of the density.
      `StickingTheLanding` and `DoublyReparameterized` hold these parameters constant.
    - `analytic_rate`: to the encoder and the prior, not through z. The two estimators that hold
      the density constant have none.
    - `posterior`, `prior`: what their methods return has a gradient to the encoder and to the
      prior, with every estimator, and through the z that is passed to them.
    - `weights`: to the encoder.
    - `seed`, `example_weights`: none.

    The loss of `Objective.__call__` trains all variables. If there is an `encoder_loss`, it trains
    those of posterior and encoder, and the first loss the others. Where a loss is to see z as
    a constant, pass `tf.nest.map_structure(tf.stop_gradient, terms.z)` to the distributions: the
    gradient of `log_posterior` itself goes through z as well. So reweighted wake-sleep [1] is

        def __call__(self, terms, step=0):  # for decoder and prior
            return -(tf.reduce_logsumexp(terms.log_weights, 0) - math.log(self.num_samples))

        def encoder_loss(self, terms, step=0):
            shares = tf.stop_gradient(tf.nn.softmax(terms.log_weights, axis=0))
            z = tf.nest.map_structure(tf.stop_gradient, terms.z)
            return -tf.reduce_sum(shares * terms.posterior.log_prob(z), axis=0)

    with `has_encoder_loss = True`, and `needs_reparameterized = False` for posteriors over classes.

    Attributes:
        log_likelihood: log p(x|z), `[K, B]`.
        log_prior: log p(z), `[K, B]`.
        log_posterior: log q(z|x), `[K, B]`, or None for a posterior without a density.
        analytic_rate: KL(q(z|x) || p(z)), `[B]`, where it has a closed form, else None.
        z: the latents, `[K, B, D]`, or a list of layers.
        posterior: the distribution q(z|x), of batch `[B]`.
        prior: the distribution p(z), of batch `[]`, or `[B]` in a conditional model.
        seed: int32 pair, for additions to a bound that draw samples of their own.
        weights: the probability q(z|x) of each latent, `[K, B]`, where the latents are all
            values of z; None where they are a sample.
        example_weights: the weight of each example, float32 `[B]`, or None where all are 1. An
            example of weight 0 counts as absent, so take means over examples by
            `mean_over_examples`.
        log_z: log z, `[K, B, D]`, for latents on the simplex, which z is computed from; None for
            all others. Numbers of z below the least float32 are 0.

    References:
        [1] Bornschein & Bengio, Reweighted Wake-Sleep. ICLR 2015. arXiv:1406.2751.
    """

    log_likelihood: tf.Tensor
    log_prior: tf.Tensor
    log_posterior: Any
    analytic_rate: tf.Tensor | None = None
    z: Any = None
    posterior: Any = None
    prior: Any = None
    seed: Any = None
    weights: tf.Tensor | None = None
    example_weights: tf.Tensor | None = None
    log_z: tf.Tensor | None = None

    def expectation(self, values: tf.Tensor) -> tf.Tensor:
        """Returns E_q of values `[K, B]`: their mean over K, or their sum by `weights`, `[B]`."""
        return (
            tf.reduce_mean(values, axis=0)
            if self.weights is None
            else tf.reduce_sum(self.weights * values, axis=0)
        )

    def mean_over_examples(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the mean of values `[B, ...]` over the batch, by `example_weights`.

        Args:
            values: `[B, ...]`.

        Returns:
            `[...]`; 0 where all weights are 0.
        """
        return weighting.mean(values, self.example_weights)

    @property
    def log_ratio(self) -> tf.Tensor:
        """The difference log q(z|x) - log p(z), `[K, B]`, in nats.

        Raises:
            InputError: a posterior without a density.
        """
        if self.log_posterior is None:
            raise no_density(self.posterior)
        return self.log_posterior - self.log_prior

    @property
    def log_weights(self) -> tf.Tensor:
        """The log-weights log p(x, z) - log q(z|x), `[K, B]`, in nats.

        Raises:
            InputError: a posterior without a density.
        """
        return self.log_likelihood - self.log_ratio

    @property
    def monte_carlo_rate(self) -> tf.Tensor:
        """The rate E_q[log q(z|x) - log p(z)], `[B]`, in nats, by the latents.

        Raises:
            InputError: a posterior without a density.
        """
        return self.expectation(self.log_ratio)

    @property
    def rate(self) -> tf.Tensor:
        """The rate KL(q(z|x) || p(z)), `[B]`, in nats: in closed form, or else by the latents.

        Raises:
            InputError: a posterior without a density, and no closed form.
        """
        return self.monte_carlo_rate if self.analytic_rate is None else self.analytic_rate

    def rate_per_latent(self, analytic: bool = True) -> tf.Tensor:
        """Returns the rate of each latent, for q and p that are independent over the latents.

        Args:
            analytic: True to use the closed form where there is one.

        Returns:
            `[B, D]`, in nats.

        Raises:
            InputError: a q or p that is not independent over the latents.
        """
        if not all(is_independent(d) for d in (self.posterior, self.prior)):
            raise invalid(
                "a posterior and a prior that are independent over the latents, for free bits",
                f"{type(self.posterior).__name__} and {type(self.prior).__name__}",
                "use DiagonalNormal() and StandardNormal(), "
                "or a beta schedule in place of free bits",
            )

        q, p = self.posterior.distribution, self.prior.distribution
        if analytic and self.analytic_rate is not None:
            return q.kl_divergence(p)
        return tf.reduce_mean(q.log_prob(self.z) - p.log_prob(self.z), axis=0)

    @property
    def distortion(self) -> tf.Tensor:
        """The distortion -E_q[log p(x|z)], `[B]`, in nats."""
        return -self.expectation(self.log_likelihood)

    @property
    def elbo(self) -> tf.Tensor:
        """The evidence lower bound, `[B]`, in nats, whichever objective is trained.

        Raises:
            InputError: a posterior without a density, and no closed form of the rate.
        """
        return -(self.rate + self.distortion)


def closed_form_kl(
    q: "tfp.distributions.Distribution", p: "tfp.distributions.Distribution"
) -> tf.Tensor | None:
    """Returns KL(q || p) in closed form, if TFP has one.

    Args:
        q: a distribution of batch `[B]`.
        p: a distribution over the same values, of batch `[]` or `[B]`.

    Returns:
        `[B]`, in nats, or None.
    """
    # Joint distributions raise a ValueError where a layer depends on another.
    unknown = (
        (NotImplementedError, ValueError)
        if isinstance(q, tfd.JointDistribution)
        else (NotImplementedError,)
    )
    try:
        return q.kl_divergence(p)
    except unknown:
        return None


def no_density(posterior: "Posterior | tfp.distributions.Distribution") -> Exception:
    """Returns the error for a use of log q(z|x) or log p(x) with a posterior without a density."""
    return invalid(
        "a posterior with a density, which rate, bounds and NLL are made of",
        f"{type(posterior).__name__}, which has none",
        "use DiagonalNormal(), or ask for the distortion: ELBO(beta=0.0), reconstruct, sample",
    )
