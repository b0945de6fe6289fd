"""Estimates log p(x) and the terms of the bound for a block of examples, chunk by chunk."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae import random
from tfvae.gradients import Pathwise
from tfvae.gradients.discrete import given_values
from tfvae.models import forward_pass

if TYPE_CHECKING:
    from tfvae.models.vae import VAE


class Estimates(NamedTuple):
    """The estimates for each example, float64 NumPy `[N]` each, in nats but for the last.

    Attributes:
        log_likelihood: estimate of log p(x).
        elbo: the evidence lower bound, averaged over the same latents.
        rate: KL(q(z|x) || p(z)), in closed form where there is one.
        distortion: mean of -log p(x|z).
        gap: log p(x) - the mean log-weight of the same latents, an estimate of
            KL(q(z|x) || p(z|x)) that is never negative. It differs from log p(x) - elbo by the
            sampling error of the rate where the rate is in closed form.
        effective_samples: how many of the latents carry log p(x): the square of the sum of the
            weights over the sum of their squares, from 1 to K.
    """

    log_likelihood: np.ndarray
    elbo: np.ndarray
    rate: np.ndarray
    distortion: np.ndarray
    gap: np.ndarray
    effective_samples: np.ndarray


def of_block(
    vae: "VAE",
    x: tf.Tensor,
    y: tf.Tensor | None,
    seed: tf.Tensor,
    num_samples: tf.Tensor,
    samples: int,
    sampled: bool,
) -> Estimates:
    """Estimates the numbers of one block of examples.

    The encoder runs once, and the decoder on `samples` latents of each example at a time.

    Args:
        vae: the model.
        x: the examples, `[B, *event]`, as the likelihood prepares them.
        y: conditions `[B, ...]`, or None.
        seed: int32 `[2]`.
        num_samples: K, latents of each example in all.
        samples: latents of each example at a time.
        sampled: True to draw latents; False to list all values of z.

    Returns:
        `[B]` float64 each.
    """
    y = None if y is None else vae.condition(y)
    params = vae.encoder_params(x, y, training=False)
    seed = random.seed_for(seed, "latents")
    latents = _drawn(vae, params, samples, seed) if sampled else _listed(vae, params, samples)

    def chunk(first, log_sum, log_squares, total, log_weight_sum, log_likelihood_sum):
        given, log_share = latents(first)
        terms = forward_pass.evaluation_terms(vae, x, y, given)
        # The last chunk counts only the latents still missing.
        used = (first + tf.range(samples) < num_samples)[:, None]
        share = tf.where(used, tf.exp(log_share), tf.zeros_like(log_share))  # [K, B]
        shared = tf.where(used, terms.log_weights + log_share, tf.constant(-np.inf, tf.float64))
        return (
            first + samples,
            tf.reduce_logsumexp(tf.stack([log_sum, tf.reduce_logsumexp(shared, 0)]), 0),
            tf.reduce_logsumexp(tf.stack([log_squares, tf.reduce_logsumexp(2 * shared, 0)]), 0),
            total + tf.reduce_sum(share, 0),
            log_weight_sum + _sum_by(share, terms.log_weights),
            log_likelihood_sum + _sum_by(share, terms.log_likelihood),
        )

    zeros = tf.zeros(x.shape[:1], tf.float64)
    log_sum, log_squares, total, *sums = tf.while_loop(
        lambda first, *_: first < num_samples,
        chunk,
        (0, zeros - np.inf, zeros - np.inf, zeros, zeros, zeros),
        parallel_iterations=1,
    )[1:]

    log_likelihood = log_sum - tf.math.log(total)
    log_weight, distortion = sums[0] / total, -sums[1] / total
    rate = forward_pass.closed_form_rate(vae, params, y)
    rate = -log_weight - distortion if rate is None else tf.cast(rate, tf.float64)
    gap = log_likelihood - log_weight
    effective = tf.exp(2 * log_sum - log_squares)
    return Estimates(log_likelihood, -(rate + distortion), rate, distortion, gap, effective)


def _drawn(vae, params, samples, seed):
    """Returns a function of the number of a chunk's first latent.

    It gives the latents of the chunk, and the logarithm of the share of each of them in a mean,
    float64 `[K, B]`, up to a constant.
    """

    def latents(first):
        drawn = Pathwise().latents(vae, params, samples, tf.random.fold_in(seed, first // samples))
        return drawn, tf.zeros_like(drawn.log_q, tf.float64)

    return latents


def _listed(vae, params, samples):
    """Returns what `_drawn` does, for all values of z in their order."""
    values = vae.posterior.enumerate_support(vae.latent_sizes)  # [S, D]

    def latents(first):
        # A last chunk is filled up with the last value.
        rows = tf.minimum(first + tf.range(samples), len(values) - 1)
        given = given_values(vae, params, tf.gather(values, rows))
        return given, tf.cast(given.log_q, tf.float64)

    return latents


def _sum_by(share, values):
    """Computes the sum over K of values by their share; those without a share do not count."""
    return tf.reduce_sum(tf.math.multiply_no_nan(values, share), axis=0)
