"""Checks of the shapes of draws, log-probabilities and losses, and that rows do not mix."""

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfvae.testing import subjects
from tfvae.testing.failure import failed

if TYPE_CHECKING:
    import tensorflow_probability as tfp

    from tfvae.likelihoods import Likelihood
    from tfvae.models.vae import VAE
    from tfvae.pieces import Piece
    from tfvae.posteriors import Posterior
    from tfvae.priors import Prior

_SAMPLES, _BATCH = 3, 4  # K and B


def check_prior(prior: "Prior", sizes: Any, y: np.ndarray | None) -> None:
    """Checks p(z) `[]`, or p(z|y) `[B]`: draws `[B, D]`, log-probabilities `[K, B]`.

    Args:
        prior: the prior, built.
        sizes: D, or a list of the sizes of layers.
        y: at least 4 conditions, or None.

    Raises:
        CheckError: other shapes, or p(z|y) that depends on the y of other rows.
    """
    y = None if y is None else y[:_BATCH]

    def make(rows):
        return prior.distribution(None if y is None else y[rows])

    draw = _drawn(lambda: prior.sample(subjects.stream(_BATCH), y))
    if draw is None:
        draw = make(slice(None)).sample([] if y is not None else [_BATCH], seed=(1, 2))
    _check(prior, make, draw, [(size,) for size in tf.nest.flatten(sizes)])


def check_posterior(posterior: "Posterior", sizes: Any) -> None:
    """Checks q(z|x) `[B]`: draws `[B, D]`, log-probabilities `[K, B]`, location and summary.

    Args:
        posterior: the posterior, built.
        sizes: D, or a list of the sizes of layers.

    Raises:
        CheckError: other shapes, or q(z|x) that depends on the x of other rows.
    """
    params = subjects.codes(posterior, sizes, _BATCH)

    def make(rows):
        return posterior.distribution(tf.nest.map_structure(lambda part: part[rows], params))

    draw = _drawn(lambda: posterior.sample(params, subjects.stream(_BATCH)))
    if draw is None:
        draw = make(slice(None)).sample(seed=(1, 2))
    events = [(size,) for size in tf.nest.flatten(sizes)]
    _check(posterior, make if posterior.has_density else None, draw, events)
    _check_draw(posterior, "location", posterior.point_estimate(params), events)
    for name, value in posterior.encode_outputs(params).items():
        _check_batch(posterior, f"summary, {name!r},", value)


def check_likelihood(likelihood: "Likelihood", event_shape: tuple[int, ...]) -> None:
    """Checks p(x|z): draws and mean `[B, *event]`, log-probabilities `[K, B]`.

    Args:
        likelihood: the likelihood, built.
        event_shape: shape of x.

    Raises:
        CheckError: other shapes, or p(x|z) that depends on the z of other rows.
    """
    params = subjects.decoded(likelihood, event_shape, _BATCH)
    draw = _drawn(lambda: likelihood.draw(params, subjects.stream(_BATCH)))
    if draw is None:
        draw = likelihood.distribution(params).sample(seed=(1, 2))
    _check(likelihood, lambda rows: likelihood.distribution(params[rows]), draw, [event_shape])
    _check_draw(likelihood, "mean", likelihood.mean(params), [event_shape])


def check_loss(vae: "VAE", x: np.ndarray) -> None:
    """Checks that the objective of a model gives a finite loss of each example, `[B]`.

    Args:
        vae: the model.
        x: examples, `[B, *event]`.

    Raises:
        CheckError: another shape, or a loss that is not finite.
    """
    terms = vae.terms(x, vae.objective.num_samples, seed=0)
    for name in ("__call__", "encoder_loss"):
        loss = getattr(vae.objective, name)(terms, tf.constant(0, tf.int64))
        if loss is None:
            continue
        if list(loss.shape) != [len(x)]:
            fix = "reduce over the latents, axis 0, and leave the mean over examples to the step"
            expected = f"a loss of shape [{len(x)}] from {name}, one number for each example"
            raise failed("shapes", vae.objective, expected, f"shape {list(loss.shape)}", fix)
        if not np.isfinite(loss).all():
            fix = "look for a log of 0, or an exp of a large number"
            received = f"{np.asarray(loss).tolist()}"
            raise failed("shapes", vae.objective, f"finite losses from {name}", received, fix)


def _drawn(method):
    """The draws of a method, or None if the piece does not define it."""
    with contextlib.suppress(NotImplementedError):
        return method()
    return None


def _check(
    piece: "Piece",
    make: "Callable[[Any], tfp.distributions.Distribution] | None",
    draw: Any,
    events: Sequence[tuple[int, ...]],
) -> None:
    """Checks draws, and the log-probabilities of a distribution.

    Args:
        piece: the piece, for messages.
        make: the distribution of some rows; None if it has no density.
        draw: B draws, `[B, *event]`, or a list of layers.
        events: the shape of an event, of each layer.
    """
    _check_draw(piece, "draws", draw, events)
    if make is None:
        return
    several = tf.nest.map_structure(lambda part: tf.stack([part] * _SAMPLES), draw)
    found = make(slice(None)).log_prob(several)
    if list(found.shape) != [_SAMPLES, _BATCH]:
        fix = "make the event's axes independent, tfd.Independent(distribution, rank of the event)"
        expected = f"log_prob of shape [{_SAMPLES}, {_BATCH}], one number for each value"
        raise failed("shapes", piece, expected, f"shape {list(found.shape)}", fix)

    for row in range(_BATCH):
        one = tf.nest.map_structure(lambda part, row=row: part[row : row + 1], draw)
        alone = make(slice(row, row + 1)).log_prob(one)
        if not np.allclose(alone, found[0, row], rtol=1e-4, atol=1e-4):
            fix = "reduce over the axes of the event alone, never over axis 0"
            received = f"{float(alone[0]):.6g} and {float(found[0, row]):.6g}"
            expected = "the same log_prob of a row alone and in a batch"
            raise failed("shapes", piece, expected, received, fix)


def _check_draw(piece, name, draw, events):
    """Draws, locations or means: float32 `[B, *event]` of each layer."""
    found = [(list(part.shape), part.dtype.name) for part in tf.nest.flatten(draw)]
    expected = [([_BATCH, *event], "float32") for event in events]
    if found != expected:
        fix = "give one value for each row, in float32"
        raise failed("shapes", piece, f"{name} of {expected}", f"{found}", fix)


def _check_batch(piece, name, value):
    if value.shape[0] != _BATCH:
        fix = "give one row for each example"
        raise failed("shapes", piece, f"{name} of {_BATCH} rows", f"shape {value.shape}", fix)
