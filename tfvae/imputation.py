"""Fills in missing elements of data by importance resampling.

References:
    [1] Mattei & Frellsen, MIWAE. ICML 2019. arXiv:1812.02633, section 3.
"""

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tfvae.errors import invalid
from tfvae.models import forward_pass
from tfvae.objectives.terms import no_density
from tfvae.random import seed_for
from tfvae.seeds import as_int32
from tfvae.validation import arguments, data_checks, piece_arguments

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

_MAX_LATENTS_AT_ONCE = 8192  # latents decoded at once


def impute(
    vae: "VAE",
    x: np.ndarray | tf.Tensor,
    num_samples: int = 1000,
    seed: int = 0,
    y: np.ndarray | tf.Tensor | None = None,
    *,
    draws: int | None = None,
) -> np.ndarray:
    """Replaces NaN in x by its expectation given the observed elements, or by draws.

    Latents z_k of q(z|x_observed) get the normalized weights w_k of the importance-weighted
    bound. The expectation is sum_k w_k E[x|z_k], equation 8 of [1]. A draw takes z_k with
    probability w_k, then x from p(x|z_k).

    Args:
        vae: a `tfvae.VAE` whose likelihood is `Observed`.
        x: `[N, *event]`, NaN where missing.
        num_samples: latents per example, at most 8192.
        seed: the seed of latents and draws.
        y: conditions `[N, ...]` of a conditional model.
        draws: number of completed data sets to draw; None gives the expectation.

    Returns:
        NumPy `[N, *event]`, or `[draws, N, *event]`, float64 if x is, else float32. The observed
        elements are unchanged; grey ones, which the model binarizes to compute the rest, too.

    Raises:
        InputError: data that the model does not take, a number out of range, or a posterior
            without a density.
        InputTypeError: a seed that is not a whole number.
    """
    num_samples = arguments.whole_number("num_samples", num_samples, 1)
    draws = None if draws is None else arguments.whole_number("draws", draws, 1)
    if num_samples > _MAX_LATENTS_AT_ONCE:
        raise invalid(
            f"num_samples from 1 to {_MAX_LATENTS_AT_ONCE}",
            f"num_samples={num_samples!r}",
            "pass num_samples=1000",
        )
    piece_arguments.check_model(vae, "to impute with")
    if not vae.posterior.has_density:
        raise no_density(vae.posterior)

    data_checks.check_condition(x, y, vae)
    given = data_checks.check_events(x, vae.likelihood, vae.event_shape)
    x = np.asarray(given, np.float32)
    count = min(len(x), _MAX_LATENTS_AT_ONCE // num_samples)
    pages = []
    for first in range(0, len(x), count):
        # The last page is filled up with the first examples, so that all pages have one shape.
        rows = np.arange(first, first + count) % len(x)
        pair = tf.constant([as_int32(seed), first], tf.int32)
        condition = None if y is None else vae.condition(np.asarray(y)[rows])
        found = _complete(vae, tf.constant(x[rows]), condition, num_samples, pair, draws).numpy()
        pages.append(np.moveaxis(found, 0 if draws is None else 1, 0)[: len(x) - first])

    found = np.concatenate(pages)
    found = found if draws is None else np.moveaxis(found, 1, 0)
    # What was observed stays as it was given, grey values that the model binarizes among them.
    dtype = given.dtype if given.dtype == np.float64 else np.float32
    return np.where(given == given, given, found).astype(dtype)


def _complete(vae, x, y, num_samples, seed, draws):
    """Returns the expectation of all elements, or draws of them, observed ones included."""
    seed = seed_for(seed, "imputation")
    x = vae.likelihood.prepare_for_training(x, seed_for(seed, "binarization"))
    terms = forward_pass.batch_terms(
        vae, x, y, num_samples, seed_for(seed, "latents"), training=False
    )
    z = vae.prior.decoder_input(terms.z)

    if draws is None:
        weights = tf.nn.softmax(terms.log_weights, axis=0)  # [K, B]
        means = vae.likelihood.mean(vae.decode_batch(z, y, training=False))  # [K, B, *event]
        weights = tf.reshape(
            weights, tf.concat([tf.shape(weights), [1] * (len(means.shape) - 2)], axis=0)
        )
        return tf.reduce_sum(weights * means, axis=0)

    logits, choice = tf.transpose(terms.log_weights), seed_for(seed, "choice")
    chosen = tf.random.stateless_categorical(logits, draws, choice, dtype=tf.int32)  # [B, draws]
    picked = tf.nest.map_structure(lambda part: _pick(part, chosen), z)
    p = vae.likelihood.distribution(vae.decode_batch(picked, y, training=False))
    return tf.cast(p.sample(seed=seed_for(seed, "draw")), tf.float32)


def _pick(z, chosen):
    """Returns the latents z `[K, B, D]` at the indices `chosen` `[B, S]`, as `[S, B, D]`."""
    return tf.transpose(tf.gather(tf.transpose(z, [1, 0, 2]), chosen, batch_dims=1), [1, 0, 2])
