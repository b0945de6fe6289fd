"""Computes the terms of the bound from a batch: the part of a model that compiled code traces.

The functions do not check their input. Their callers have done so.
"""

from typing import TYPE_CHECKING

import tensorflow as tf

from tfvae.distributions import simplex
from tfvae.gradients import Pathwise
from tfvae.objectives.terms import Terms, closed_form_kl
from tfvae.ops import in_float64, networks, xla_fusion
from tfvae.ops.networks import in_mode

if TYPE_CHECKING:
    from tfvae.gradients import Estimator
    from tfvae.gradients.base import Latents
    from tfvae.models.vae import VAE


def batch_terms(
    vae: "VAE",
    x: tf.Tensor,
    y: tf.Tensor | None,
    num_samples: int,
    seed: tf.Tensor,
    training: bool,
    estimator: "Estimator | None" = None,
    example_weights: tf.Tensor | None = None,
) -> Terms:
    """Returns the `Terms` of a prepared batch.

    Args:
        vae: the model.
        x: `[B, *event]`, as the likelihood's `prepare` returns it.
        y: conditions `[B, ...]`, or None.
        num_samples: K, latents per example.
        seed: int32 `[2]`, for the latents.
        training: whether networks and likelihood run as in training.
        estimator: decides which parts are held constant; None where no gradient is wanted.
        example_weights: float32 `[B]`, or None if every example counts 1.

    Returns:
        The terms; their log-probabilities are `[K, B]`, in nats.
    """
    params = vae.encoder_params(x, y, training)
    return terms_from_params(
        vae, params, x, y, num_samples, seed, training, estimator, example_weights
    )


def terms_from_params(
    vae: "VAE",
    params: tf.Tensor | list[tf.Tensor],
    x: tf.Tensor,
    y: tf.Tensor | None,
    num_samples: int,
    seed: tf.Tensor,
    training: bool,
    estimator: "Estimator | None" = None,
    example_weights: tf.Tensor | None = None,
) -> Terms:
    """Returns the `Terms` of a batch from the encoder's output.

    Args:
        vae: the model.
        params: the encoder's output `[B, P]`, or a list with one tensor per layer of latents.
        x: `[B, *event]`, as the likelihood's `prepare` returns it.
        y: conditions `[B, ...]`, or None.
        num_samples: K, latents per example.
        seed: int32 `[2]`, for the latents.
        training: whether networks and likelihood run as in training.
        estimator: as in `batch_terms`.
        example_weights: float32 `[B]`, or None if every example counts 1.

    Returns:
        The terms; their log-probabilities are `[K, B]`, in nats.
    """
    draw = (estimator or Pathwise()).latents
    drawn = in_mode(draw, vae, params, num_samples, seed, training=training)
    p = in_mode(vae.prior.distribution, y, training=training)
    params = vae.decode_batch(vae.prior.decoder_input(drawn.z), y, training)

    # Where log q holds its parameters constant, a closed form would bring their gradient back.
    rate = (
        None
        if estimator is not None and estimator.stops_density_gradient
        else closed_form_kl(drawn.q, p)
    )
    return Terms(
        log_likelihood=_log_likelihood(vae.likelihood, params, x, training, example_weights),
        log_prior=simplex.log_prob(p, drawn.z, drawn.log_z),
        log_posterior=drawn.log_q,
        analytic_rate=rate,
        z=drawn.z,
        posterior=drawn.q,
        prior=p,
        seed=seed,
        weights=drawn.weights,
        example_weights=example_weights,
        log_z=drawn.log_z,
    )


def evaluation_terms(vae: "VAE", x: tf.Tensor, y: tf.Tensor | None, drawn: "Latents") -> Terms:
    """Returns the `Terms` of a batch for given latents, in float64 and without a closed form.

    Args:
        vae: the model.
        x: `[B, *event]`, as the likelihood's `prepare` returns it.
        y: conditions `[B, ...]`, or None.
        drawn: the latents, as an estimator's `latents` returns them.

    Returns:
        The terms; their log-probabilities are float64 `[K, B]`, in nats.
    """
    p = in_mode(vae.prior.distribution, y, training=False)
    params = vae.decode_batch(vae.prior.decoder_input(drawn.z), y, training=False)
    return Terms(
        log_likelihood=in_float64.log_prob(vae.likelihood, params, x),
        log_prior=in_float64.latents_log_prob(
            p, drawn.z, None if drawn.log_z is None else simplex.log_prob(p, drawn.z, drawn.log_z)
        ),
        log_posterior=in_float64.latents_log_prob(drawn.q, drawn.z, drawn.log_q),
        z=drawn.z,
        posterior=drawn.q,
        prior=p,
        log_z=drawn.log_z,
    )


def closed_form_rate(
    vae: "VAE", params: tf.Tensor | list[tf.Tensor], y: tf.Tensor | None
) -> tf.Tensor | None:
    """Returns the rate KL(q(z|x) || p(z)) of a batch in closed form.

    Args:
        vae: the model.
        params: the encoder's output `[B, P]`, or a list with one tensor per layer of latents.
        y: conditions `[B, ...]`, or None.

    Returns:
        `[B]` in nats, or None if TFP has no closed form.
    """
    return closed_form_kl(vae.posterior.distribution(params), vae.prior.distribution(y))


def _log_likelihood(likelihood, params, x, training, example_weights):
    """Returns log p(x|z), `[K, B]`, from the decoder's output."""

    def log_prob(params):
        if not training:
            return likelihood.distribution(params).log_prob(x)
        return networks.fitted(likelihood, params, x, example_weights).log_prob(x)

    return (
        log_prob(params)
        if training and likelihood.updates_state_in_training
        else xla_fusion.fused(log_prob, params)
    )
