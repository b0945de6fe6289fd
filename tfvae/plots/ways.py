"""Goes through a model's latent for a figure: along one latent, or between two examples."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfvae.errors import invalid
from tfvae.models import locations
from tfvae.pieces import LAYERS, ONE_HOT, REAL, SIMPLEX, SPHERE
from tfvae.plots import figures, model_calls
from tfvae.validation import arguments

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

_MOST_ROWS = 16
_USUAL_ROWS = 8
_METHODS = ("linear", "spherical", "both")


class Way(NamedTuple):
    """What a model makes along ways through its latent.

    Attributes:
        x: `[ways, steps, *event]`.
        sides: a word for each way.
        tops: a word for each step, or none.
    """

    x: np.ndarray
    sides: list[str]
    tops: list[str]


def traversed(
    vae: "VAE",
    x: npt.ArrayLike | None,
    y: npt.ArrayLike | None,
    dimensions: Sequence[int] | None,
    steps: int,
    span: float,
    seed: int,
) -> Way:
    """Returns what a model makes while one latent changes and the others stay.

    Args:
        vae: the model.
        x: examples `[N, *event]`, or None.
        y: conditions `[N, ...]`, or None.
        dimensions: which latents, or None for those that vary most.
        steps: values of a latent.
        span: the largest value.
        seed: the seed of the sample to start from, if there is no x.
    """
    steps = arguments.whole_number("steps", steps, 2)
    span = arguments.positive_number("span", span)
    start, order, y = base(vae, x, y, seed)
    chosen = _dimensions(vae, dimensions, order, start.size)
    if vae.posterior.support in (ONE_HOT, SIMPLEX):
        z, tops = _classes(vae, start, chosen), []
    else:
        values = np.linspace(-span, span, steps, dtype=np.float32)
        z = np.stack([_line(vae, start, dimension, values) for dimension in chosen])
        tops = [f"{value:+.1f}" if value else "0" for value in values]
    made = _decoded(vae, z, model_calls.one(y, z.shape[0] * z.shape[1]))
    return Way(made, [f"z{dimension}" for dimension in chosen], tops)


def base(
    vae: "VAE", x: npt.ArrayLike | None, y: npt.ArrayLike | None, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Returns where a traversal starts.

    Args:
        vae: the model.
        x: examples `[N, *event]`, the first of which it is, or None for a sample.
        y: conditions `[N, ...]`, or None.
        seed: the seed of the sample.

    Returns:
        The latent `[D]`, its elements in the order of how much they vary, and y or None.
    """
    if x is None:
        y = model_calls.conditions(vae, 1, y)
        z = vae.prior.decoder_input(vae.sample_latent(1, seed=seed, y=None if y is None else y[:1]))
        start = locations.side_by_side(z)[0]
        return start, np.arange(start.size), y
    x = model_calls.checked(vae, x, y)
    z = locations.side_by_side(vae.prior.decoder_input(locations.point_estimates(vae, x, y)))
    return z[0], np.argsort(-z.var(axis=0), kind="stable"), None if y is None else np.asarray(y)


def between(
    vae: "VAE",
    start: npt.ArrayLike,
    end: npt.ArrayLike,
    y: npt.ArrayLike | None,
    steps: int,
    method: str,
) -> Way:
    """Returns what a model makes on the way from examples to others.

    Args:
        vae: the model.
        start: examples `[N, *event]`.
        end: as many others.
        y: conditions `[N, ...]`, or None.
        steps: how many latents on a way, with both ends.
        method: "linear", "spherical" or "both".
    """
    steps = arguments.whole_number("steps", steps, 2)
    _check_method(vae, method)
    ends = [model_calls.checked(vae, part, y) for part in (start, end)]
    if len(ends[0]) != len(ends[1]):
        received = f"{len(ends[0])} and {len(ends[1])}"
        raise invalid("as many examples to end at as to start from", received, "pass pairs")
    figures.few(ends[0], _MOST_ROWS, "ways in a figure", "pass fewer pairs")
    first, last = (vae.prior.decoder_input(locations.point_estimates(vae, x, y)) for x in ends)

    methods = ("linear", "spherical") if method == "both" else (method,)
    shares = np.linspace(0, 1, steps, dtype=np.float32)
    made = [_strips(vae, first, last, y, shares, name) for name in methods]
    x = np.stack(made, axis=1).reshape(-1, steps, *vae.event_shape)
    sides = list(methods) * len(ends[0]) if method == "both" else []
    return Way(x, sides, [f"{share:.0%}" for share in shares])


def _strips(vae, first, last, y, shares, method):
    """Returns what the model makes at shares of the ways, `[N, steps, *event]`."""
    step = _slerp if method == "spherical" else vae.posterior.interpolate
    made = []
    for share in shares:
        parts = [
            step(a, b, tf.fill([len(a), 1], share))
            for a, b in zip(tf.nest.flatten(first), tf.nest.flatten(last))
        ]
        made.append(model_calls.decoded(vae, tf.nest.pack_sequence_as(first, parts), y))
    return np.stack(made, axis=1)


def _slerp(a, b, share):
    """Returns the latent at a share of the angle from a to b."""
    lengths = [tf.norm(part, axis=-1, keepdims=True) for part in (a, b)]
    cosine = tf.reduce_sum(a * b, axis=-1, keepdims=True) / (lengths[0] * lengths[1] + 1e-12)
    angle = tf.acos(tf.clip_by_value(cosine, -1.0, 1.0))
    sine = tf.sin(angle)
    straight = (1 - share) * a + share * b
    turned = (tf.sin((1 - share) * angle) * a + tf.sin(share * angle) * b) / (sine + 1e-12)
    return tf.where(sine < 1e-4, straight, turned)


def _check_method(vae, method):
    if method not in _METHODS:
        expected = f"method to be one of {', '.join(_METHODS)}"
        raise invalid(expected, f"method={method!r}", 'use method="linear"')
    support = vae.posterior.support
    if method != "linear" and support not in (REAL, LAYERS, SPHERE):
        fix = 'use method="linear"'
        raise invalid("latents with angles between them", f"{support}", fix)


def _dimensions(vae, dimensions, order, size):
    """Returns which latents are drawn: of classes, which groups of them."""
    count = size // _width(vae)
    if dimensions is None:
        groups = list(dict.fromkeys(int(i) // _width(vae) for i in order))
        return groups[:_USUAL_ROWS]
    chosen = [int(dimension) for dimension in dimensions]
    if not chosen or not all(0 <= dimension < count for dimension in chosen):
        fix = f"give numbers from 0 to {count - 1}"
        raise invalid(f"dimensions among the {count} latents", f"dimensions={chosen}", fix)
    figures.few(chosen, _MOST_ROWS, "latents in a figure", "give fewer dimensions")
    return chosen


def _width(vae):
    """Returns how many elements of z are one latent: of classes, a group of them."""
    if vae.posterior.support not in (ONE_HOT, SIMPLEX):
        return 1
    return getattr(vae.posterior, "num_classes", None) or sum(tf.nest.flatten(vae.latent_dim))


def _line(vae, base, dimension, values):
    """Returns a latent with other values in one place, `[steps, D]`."""
    if vae.posterior.support == SPHERE:
        axis = np.zeros_like(base)
        axis[dimension] = 1
        towards = np.sign(values)[:, None] * axis
        share = np.abs(values)[:, None] / np.abs(values).max()
        pair = (tf.constant(part, tf.float32) for part in (base + 0 * towards, towards, share))
        return np.asarray(vae.posterior.interpolate(*pair))
    z = np.repeat(base[None], len(values), axis=0)
    z[:, dimension] = values
    return z


def _classes(vae, base, groups):
    """Returns a latent with each class in one group, `[groups, classes, D]`."""
    width = _width(vae)
    z = np.tile(base, (len(groups), width, 1))
    for row, group in enumerate(groups):
        z[row, :, group * width : (group + 1) * width] = np.eye(width)
    return z


def _decoded(vae, z, y):
    """Decodes `[ways, steps, D]`, the layers of which lie side by side."""
    flat = z.reshape(-1, z.shape[-1]).astype(np.float32)
    sizes = tf.nest.flatten(vae.latent_dim)
    parts: list[Any] = np.split(flat, np.cumsum(sizes)[:-1], axis=-1)
    structure = tf.nest.pack_sequence_as(vae.latent_dim, parts)
    return model_calls.decoded(vae, structure, y).reshape(*z.shape[:2], *vae.event_shape)
