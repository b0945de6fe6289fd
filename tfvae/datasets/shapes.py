"""Draws simple shapes whose factors are known, to measure what latents have to do with them.

In the manner of dSprites (Matthey et al. 2017), but drawn here, and small.
"""

import dataclasses
import itertools
import math

import numpy as np

from tfvae.errors import invalid
from tfvae.validation import arguments

SHAPES = ("square", "ellipse", "triangle")
_LEAST, _MOST = 0.12, 0.24  # half the width of a shape, as a share of the picture
_LEVELS = 255
_SLENDER = 0.5  # the short half axis of the ellipse, by the long one


@dataclasses.dataclass(frozen=True)
class Factored:
    """Examples, and for each the values of the factors that it was made from.

    Attributes:
        x: examples, float32 `[N, *event]`.
        factors: the number of each factor's value, from 0, int32 `[N, F]`.
        names: the names of the factors.
        values: the values of each factor by their numbers; of a categorical one their names.
        categorical: the names of the factors whose values have no order.
    """

    x: np.ndarray
    factors: np.ndarray
    names: tuple[str, ...]
    values: tuple[tuple[float | str, ...], ...]
    categorical: tuple[str, ...] = ()


def shapes(size: int = 32, scales: int = 4, orientations: int = 6, positions: int = 7) -> Factored:
    """Draws every combination of three shapes, sizes, orientations and places once.

    The shapes are white on black, of 256 grey levels at their edges. Nothing is random. The order
    is that of counting: the last factor, y, changes first.

    Args:
        size: pixels a side, from 8.
        scales: how many sizes, half widths from 0.12 to 0.24 of the picture.
        orientations: how many turns in a quarter of a circle, by which all shapes differ.
        positions: how many places across, and as many down, from 0.3 to 0.7 of the picture.

    Returns:
        `x` `[N, size, size, 1]` from 0 to 1, N = 3 scales orientations positions^2 (3,528 by
        default), with the factors `shape`, `scale`, `orientation` (radians), `x` and `y` (of the
        picture's width).

    Raises:
        InputError: counts out of range.
    """
    size = arguments.whole_number("size", size, 8)
    counts = {"scales": scales, "orientations": orientations, "positions": positions}
    for name, count in counts.items():
        if arguments.whole_number(name, count, 1) == 1:
            fix = f"pass {name}=2 or more"
            raise invalid(f"at least two {name}, so that the factor varies", f"{name}=1", fix)

    places = tuple(np.linspace(0.3, 0.7, positions).tolist())
    values = (
        SHAPES,
        tuple(np.linspace(_LEAST, _MOST, scales).tolist()),
        tuple((math.pi / 2 * np.arange(orientations) / orientations).tolist()),
        places,
        places,
    )
    factors = np.array(list(itertools.product(*map(range, map(len, values)))), np.int32)
    columns = [np.array(known)[column] for known, column in zip(values[1:], factors.T[1:])]
    x = _drawn(size, factors[:, 0], *columns)
    names = ("shape", "scale", "orientation", "x", "y")
    return Factored(x, factors, names, values, ("shape",))


def _drawn(size, shape, scale, angle, across, down):
    """Returns the pictures, `[N, size, size, 1]`."""
    pixels = (np.arange(size) + 0.5) / size
    right = (pixels[None, None, :] - across[:, None, None]) / scale[:, None, None]
    below = (pixels[None, :, None] - down[:, None, None]) / scale[:, None, None]
    cosine, sine = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    u, v = cosine * right + sine * below, cosine * below - sine * right  # in the shape's own axes

    outside = np.empty_like(u)  # the distance from the edge, negative within, by the half width
    for number, distance in enumerate((_square, _ellipse, _triangle)):
        rows = shape == number
        outside[rows] = distance(u[rows], v[rows])
    covered = np.clip(0.5 - outside * scale[:, None, None] * size, 0, 1)
    return (np.round(covered * _LEVELS) / _LEVELS).astype(np.float32)[..., None]


def _square(u, v):
    return np.maximum(np.abs(u), np.abs(v)) - 0.8


def _ellipse(u, v):
    return (np.hypot(u, v / _SLENDER) - 1) * _SLENDER


def _triangle(u, v):
    """Returns the distance from an equilateral triangle whose corners are 1 from its centre."""
    slope = math.sqrt(3) / 2
    return np.maximum(v, slope * np.abs(u) - 0.5 * v) - 0.5
