"""Takes likelihoods of one kind for one likelihood of as many columns.

A program of 100 columns, each computed by itself, takes a minute to compile. Normals that differ
only in numbers such as a scale are one normal with as many scales.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.likelihoods.base import Likelihood


def groups(likelihoods: Sequence[Likelihood], sizes: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Returns the numbers of the columns of each kind, in the order of their first ones.

    Args:
        likelihoods: one for each column, built.
        sizes: for each column, how many elements it has, and how many parameters.
    """
    found: dict[Any, list[int]] = {}
    for i, (part, size) in enumerate(zip(likelihoods, sizes)):
        kind = _kind(part)
        found.setdefault(i if kind is None else (kind, size), []).append(i)
    return list(found.values())


def joined(parts: Sequence[Likelihood]) -> Likelihood:
    """Returns the likelihood of columns of one kind, `[..., n, width]`, with their weights.

    It is for one use in one program: it holds what the weights were.

    Args:
        parts: n likelihoods of one kind, see `groups`. One alone is returned as it is.
    """
    first = parts[0]
    if len(parts) == 1:
        return first

    # Not by copy.copy, which for a Keras layer writes a file and reads it.
    made = object.__new__(type(first))
    made.__dict__.update(vars(first))
    for name in first.of_each or ():
        if hasattr(first, name):
            made.__dict__[name] = _stacked([getattr(part, name) for part in parts])
    if hasattr(first, "base"):
        made.__dict__["base"] = joined([part.base for part in parts])  # type: ignore[attr-defined]
    if hasattr(first, "event_rank"):
        made.__dict__["event_rank"] = first.event_rank + 1
    return made


def _kind(part):
    """Returns what all likelihoods of a kind have in common, or None for one that stands alone."""
    # A class that says so itself: a subclass may have weights that are not named there.
    if "of_each" not in vars(type(part)) or part.updates_state_in_training or part.randomizes:
        return None

    given = {"name", "base", *part.of_each}
    config = {name: value for name, value in part.get_config().items() if name not in given}
    held = [getattr(part, name) for name in part.of_each if hasattr(part, name)]
    shapes = [tuple(np.shape(value)) for value in held]
    kind = (type(part), repr(config), repr(shapes), getattr(part, "_stand_in", None))
    if not hasattr(part, "base"):
        return kind
    inner = _kind(part.base)
    return None if inner is None else (*kind, inner)


def _stacked(values):
    """Returns numbers or arrays of each column, with the columns as the axis before the last."""
    if len(np.shape(values[0])) == 0:  # of a weight, a TensorShape, which is never false
        values = [tf.reshape(v, [1]) if _is_weight(v) else np.reshape(v, [1]) for v in values]
    return tf.stack(values, axis=-2) if _is_weight(values[0]) else np.stack(values, axis=-2)


def _is_weight(value):
    return tf.is_tensor(value) or hasattr(value, "trainable")
