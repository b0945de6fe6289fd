"""Refuses pieces whose distributions have another event or batch than the model's.

A prior or likelihood that forgets `tfd.Independent` gives a log-probability for each element.
Where the sizes happen to fit, these broadcast against those of the batch, and nothing fails.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfvae.errors import ShapeError, invalid
from tfvae.ops.networks import beside_the_batch, in_mode
from tfvae.priors import Hierarchy

if TYPE_CHECKING:
    import tensorflow_probability as tfp

    from tfvae.models.vae import VAE
    from tfvae.pieces import Piece

_SAMPLES, _BATCH = 2, 3


def check(vae: "VAE") -> None:
    """Checks the event and the batch of q(z|x), p(z) and p(x|z), without computing a number.

    The distributions are traced. One that a piece does not define, or leaves without a shape in
    a graph, is not checked. Nor are the layers of this package's own hierarchies, apart from the
    top, since TFP takes seconds to tell their shapes.

    Args:
        vae: the model, whose pieces are built.

    Raises:
        ShapeError: another event or batch; the message has both shapes.
    """
    with beside_the_batch(vae):
        _check_posterior(vae)
        _check_prior(vae, vae.prior, vae.latent_sizes)
        _check_likelihood(vae)


def _check_posterior(vae):
    sizes = vae.posterior.params_size(vae.latent_sizes)

    def make():
        params = tf.nest.map_structure(lambda size: tf.zeros([_BATCH, size]), sizes)
        return in_mode(vae.posterior.distribution, params, training=False)

    if not _is_own_hierarchy(vae.posterior, vae.latent_sizes):
        _check(vae.posterior, make, _events(vae.latent_sizes), [(_BATCH,)])


def _check_prior(vae, prior, sizes):
    shape = vae.condition_shape

    def make():
        y = None if shape is None else tf.zeros([_BATCH, *shape], vae.condition_dtype)
        return in_mode(prior.distribution, y, training=False)

    if isinstance(prior, Hierarchy):
        _check_prior(vae, prior.top, sizes[0])
    elif not _is_own_hierarchy(prior, sizes):
        given_y = [] if shape is None else [(_BATCH,)]
        _check(prior, make, _events(sizes), [(1,), (), *given_y])


def _check_likelihood(vae):
    likelihood, event = vae.likelihood, vae.event_shape
    params_shape = [_SAMPLES, _BATCH, *likelihood.params_shape(event)]

    def make():
        return likelihood.distribution(tf.zeros(params_shape))

    def fitted():
        return likelihood.training_distribution(tf.zeros(params_shape), tf.zeros([_BATCH, *event]))

    _check(likelihood, make, [event], [(_SAMPLES, _BATCH)])
    if likelihood.updates_state_in_training:
        _check(likelihood, fitted, [event], [(_SAMPLES, _BATCH)])


def _events(sizes):
    return [(size,) for size in tf.nest.flatten(sizes)]


def _is_own_hierarchy(piece, sizes):
    return isinstance(sizes, list) and type(piece).__module__.startswith("tfvae.")


def _check(
    piece: "Piece",
    make: "Callable[[], tfp.distributions.Distribution]",
    events: list[tuple[int, ...]],
    batches: list[tuple[int, ...]],
) -> None:
    """Refuses the distribution of a piece if its shapes are not those of the model.

    Args:
        piece: the piece.
        make: makes its distribution.
        events: the shape of an event, of each layer of latents.
        batches: the shapes of the batch that are right.
    """
    found: list[tuple[Any, Any]] = []

    def trace():
        distribution = make()
        shapes = (distribution.event_shape, distribution.batch_shape)
        found.append(tuple(_listed(shape) for shape in shapes))

    try:
        tf.function(trace, autograph=False).get_concrete_function()
    except Exception:  # which training explains better, where it comes to this distribution
        return

    ((event, batch),) = found
    if event is not None and event != events:
        raise _refusal(
            piece, f"events of shape {_words(events)}", f"events of shape {_words(event)}"
        )
    if batch is not None and any(shape not in batches for shape in batch):
        right = f"batches of shape {_words(batches)}"
        raise _refusal(piece, right, f"batches of shape {_words(batch)}")


def _listed(shapes):
    """Returns the shapes of all layers as tuples, or None if one is unknown."""
    listed = shapes if isinstance(shapes, (list, tuple)) else [shapes]
    if not all(tf.TensorShape(shape).is_fully_defined() for shape in listed):
        return None
    return [tuple(tf.TensorShape(shape)) for shape in listed]


def _words(shapes):
    return ", ".join(str(list(shape)) for shape in shapes)


def _refusal(piece, expected, received):
    return invalid(
        f"a distribution of {expected} from {type(piece).__name__}, for parameters of "
        f"{_SAMPLES} x {_BATCH} or {_BATCH} examples",
        received,
        "make the event's axes independent, tfd.Independent(distribution, rank of the event), "
        "so that log_prob gives one number for each example",
        ShapeError,
    )
