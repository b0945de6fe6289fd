"""Checks conditions y, the same on every path to a sample, without TensorFlow.

A label beyond the classes is no error further down: a lookup takes the last class, or none.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfvae.errors import invalid
from tfvae.validation import kinds


def check_presence(y: Any, shape: Sequence[int] | None) -> None:
    """Refuses missing conditions of a conditional model, and conditions for any other.

    Args:
        y: conditions, or None.
        shape: shape of one condition, or None if the model takes none.

    Raises:
        InputError: one of the two is None and the other is not.
    """
    if (y is None) != (shape is None):
        raise invalid(
            "y for a conditional model, and none for any other",
            "no y" if y is None else "y for a model whose encoder takes x alone",
            "pass y=..."
            if y is None
            else "leave y out, or build networks that take [x, y] and [z, y]",
        )


def checked(
    y: Any,
    shape: Sequence[int] | None,
    dtype: str | None,
    num_classes: int | None,
    rows: int | None = None,
) -> np.ndarray | None:
    """Returns conditions as `check` does, or None for a model that takes none.

    Args:
        y: conditions `[rows, *shape]`, or None.
        shape: shape of one condition, or None if the model takes none.
        dtype: as in `check`, or None likewise.
        num_classes: as in `check`.
        rows: as in `check`.

    Raises:
        InputError: as `check_presence` and `check`.
    """
    check_presence(y, shape)
    if shape is None or dtype is None:
        return None
    return check(y, shape, dtype, num_classes, rows)


def check(
    y: Any,
    shape: Sequence[int],
    dtype: str,
    num_classes: int | None,
    rows: int | None = None,
    beside: str = "",
) -> np.ndarray:
    """Returns conditions as an array, int32 if they are labels, else float32.

    Args:
        y: conditions `[rows, *shape]`.
        shape: shape of one condition.
        dtype: the dtype that the networks take. Integers are labels.
        num_classes: the number of labels, or None if it is unknown.
        rows: the number of examples or samples that y is for, or None if it is unknown.
        beside: name of the examples, for the message.

    Raises:
        InputError: another shape or number of rows, a label that is not among the classes or is
            no whole number, or a number that is not finite.
    """
    kinds.check_kind(y, "y")
    values = kinds.as_array(y, "y")
    given = len(values) if values.ndim else None
    if values.ndim == 0 or values.shape[1:] != tuple(shape) or rows not in (None, given):
        wanted = ", ".join(map(str, ("N" if rows is None else rows, *shape)))
        raise invalid(
            f"y of shape [{wanted}]{f' beside {beside}' if beside else ''}, for a conditional "
            "model: one row for each example or sample",
            f"y of shape {list(values.shape)}",
            "give each of them its own y, such as numpy.resize(y, n) to repeat labels",
        )

    if not dtype.startswith(("int", "uint")):
        kinds.check_finite(values)
        return values.astype(np.float32)
    most = min(np.iinfo(dtype).max, np.iinfo(np.int32).max)
    kinds.check_labels(values, num_classes or int(most) + 1)
    return values.astype(np.int32)
