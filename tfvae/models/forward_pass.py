"""From a batch to the terms of its bound: the part of a model that compiled code traces.

Nothing here checks its input; that has been done before.
"""

from tfvae.gradients import Pathwise
from tfvae.objectives.terms import Terms, closed_form_kl
from tfvae.ops import networks, xla_fusion
from tfvae.ops.networks import in_mode


def batch_terms(vae, x, y, num_samples, seed, training, estimator=None, example_weights=None):
    """Returns the `Terms` of a prepared batch.

    Args:
        vae: a `VAE`.
        x: `[B, *event]`.
        y: conditions `[B, ...]`, or None.
        num_samples: K, latents per example.
        seed: int32 pair.
        training: whether networks and likelihood run as in training.
        estimator: says what is held constant; None where no gradient is wanted.
        example_weights: how much each example counts, float32 `[B]`, or None where all count 1.
    """
    params = vae.encoder_params(x, y, training)
    return terms_given(vae, params, x, y, num_samples, seed, training, estimator, example_weights)


def terms_given(
    vae, params, x, y, num_samples, seed, training, estimator=None, example_weights=None
):
    """Returns the `Terms` from the encoder's output, as when it runs once for many chunks of latents."""
    draw = (estimator or Pathwise()).latents
    drawn = in_mode(draw, vae, params, num_samples, seed, training=training)
    p = in_mode(vae.prior.distribution, y, training=training)
    params = vae.decode_batch(vae.prior.for_decoder(drawn.z), y, training)
    # Where log q holds its parameters constant, a closed form would bring their gradient back.
    rate = None if estimator is not None and estimator.stops_density else closed_form_kl(drawn.q, p)
    return Terms(
        log_likelihood=_log_likelihood(vae.likelihood, params, x, training, example_weights),
        log_prior=p.log_prob(drawn.z),
        log_posterior=drawn.log_q,
        analytic_rate=rate,
        z=drawn.z,
        posterior=drawn.q,
        prior=p,
        seed=seed,
        weights=drawn.weights,
        example_weights=example_weights,
    )


def closed_form_rate(vae, params, y):
    """Returns KL(q(z|x) || p(z)), `[B]`, or None where TFP has no closed form."""
    return closed_form_kl(vae.posterior.distribution(params), vae.prior.distribution(y))


def _log_likelihood(likelihood, params, x, training, example_weights):
    """log p(x|z), `[K, B]`, by the decoder's output."""

    def log_prob(params):
        if not training:
            return likelihood.distribution(params).log_prob(x)
        return networks.fitted(likelihood, params, x, example_weights).log_prob(x)

    return (
        log_prob(params)
        if training and likelihood.fits_batches
        else xla_fusion.fused(log_prob, params)
    )
