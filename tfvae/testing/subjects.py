"""The distributions of pieces, as `densities` checks them: values as rows of numbers."""

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfvae import random
from tfvae.pieces import LAYERS, REAL
from tfvae.testing.densities import COUNT, Subject

if TYPE_CHECKING:
    from tfvae.likelihoods import Likelihood
    from tfvae.posteriors import Posterior
    from tfvae.priors import Prior

_SEED, _PAIR = 5, (1, 2)  # of the stream, and of TFP's draws


def stream(count: int = COUNT) -> random.Stream:
    """Returns the noise of samples 0 ... count - 1 under a fixed seed."""
    return random.Stream(random.seed_key(tf.constant(_SEED)), tf.range(count))


def of_prior(prior: "Prior", sizes: Any, y: np.ndarray | None) -> Subject:
    """Returns p(z), or p(z|y) for the first condition.

    Args:
        prior: the prior, built.
        sizes: D, or a list of the sizes of layers.
        y: conditions `[B, ...]`, or None.
    """

    def make(count):
        return prior.distribution(None if y is None else np.repeat(y[:1], count, axis=0))

    rows = None if y is None else np.repeat(y[:1], COUNT, axis=0)
    shape = [] if _has_batch(make(COUNT)) else [COUNT]
    draws = _tried(
        lambda: prior.sample(stream(), rows), lambda: make(COUNT).sample(shape, seed=_PAIR)
    )
    return _of_latents(prior, make, draws, sizes)


def of_posterior(posterior: "Posterior", sizes: Any) -> Subject:
    """Returns q(z|x) for one output of the encoder.

    Args:
        posterior: the posterior, built.
        sizes: D, or a list of the sizes of layers.
    """
    params = codes(posterior, sizes, 1)

    def repeated(count):
        return tf.nest.map_structure(lambda part: tf.repeat(part, count, axis=0), params)

    def make(count):
        return posterior.distribution(repeated(count))

    draws = _tried(
        lambda: posterior.sample(repeated(COUNT), stream()),
        lambda: make(COUNT).sample(seed=_PAIR),
    )
    return _of_latents(posterior, make, draws, sizes)


def of_likelihood(likelihood: "Likelihood", event_shape: tuple[int, ...]) -> Subject:
    """Returns p(x|z) for one output of the decoder.

    Args:
        likelihood: the likelihood, built.
        event_shape: shape of x.
    """
    rows = tf.repeat(decoded(likelihood, event_shape, 1), COUNT, axis=0)
    draws = _tried(
        lambda: likelihood.draw(rows, stream()),
        lambda: likelihood.distribution(rows).sample(seed=_PAIR),
        first="draw",
    )

    def log_prob(x):
        x = np.asarray(x, np.float32)
        distribution = likelihood.distribution(rows[: len(x)])
        found = distribution.log_prob(x.reshape(-1, *event_shape)).numpy()
        inside = np.asarray(likelihood.in_support(x)).reshape(len(x), -1).all(axis=1)
        return np.where(inside, found, -np.inf)

    support = "values" if likelihood.discrete else "numbers"
    return Subject(likelihood, support, log_prob, {n: _rows(part) for n, part in draws.items()})


def codes(posterior: "Posterior", sizes: Any, count: int) -> Any:
    """Returns outputs of an encoder for a posterior, `[count, P]`, or a list for layers.

    Args:
        posterior: the posterior.
        sizes: D, or a list of the sizes of layers.
        count: the number of examples.
    """
    rng = np.random.default_rng(2)
    return tf.nest.map_structure(
        lambda size: tf.constant(rng.normal(0.0, 0.7, (count, size)), tf.float32),
        posterior.params_size(sizes),
    )


def decoded(likelihood: "Likelihood", event_shape: tuple[int, ...], count: int) -> tf.Tensor:
    """Returns outputs of a decoder for a likelihood, `[count, *params_shape]`.

    Args:
        likelihood: the likelihood.
        event_shape: shape of x.
        count: the number of examples.
    """
    shape = (count, *likelihood.params_shape(event_shape))
    return tf.constant(np.random.default_rng(3).normal(0.0, 0.7, shape), tf.float32)


def _tried(own, of_distribution, first="sample"):
    """The draws of the piece's own sampler and of its distribution, of those that exist."""
    found = {}
    for name, method in ((first, own), ("distribution.sample", of_distribution)):
        with contextlib.suppress(NotImplementedError):
            found[name] = method()
    return found


def _has_batch(distribution):
    """Whether a distribution of one layer, or any of several, depends on the condition."""
    shapes = distribution.batch_shape
    shapes = shapes if isinstance(shapes, (list, tuple)) else [shapes]
    return any(bool(tf.TensorShape(shape).rank) for shape in shapes)


def _of_latents(piece, make, draws, sizes):
    flat = tf.nest.flatten(sizes)

    def log_prob(z):
        parts = tf.split(tf.constant(z, tf.float32), flat, axis=1)
        return make(len(z)).log_prob(tf.nest.pack_sequence_as(sizes, parts)).numpy()

    rows = {
        name: np.concatenate([_rows(part) for part in tf.nest.flatten(z)], axis=1)
        for name, z in draws.items()
    }
    support = REAL if piece.support == LAYERS else piece.support
    return Subject(piece, support, log_prob, rows)


def _rows(part):
    part = np.asarray(part)
    return part.reshape(len(part), -1)
