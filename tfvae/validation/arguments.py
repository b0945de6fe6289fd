"""Checks numbers passed as arguments.

NumPy's numbers count as numbers, and so do arrays and tensors of one of them and no axis. Booleans
and texts do not.
"""

import contextlib
import math
import numbers
import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tfvae.errors import InputError, InputTypeError, invalid


def whole_number(
    name: str, value: Any, minimum: int | None = None, error: type[Exception] = InputError
) -> int:
    """Returns a whole number as a Python int.

    Args:
        name: name of the argument, for the message.
        value: the value that was passed.
        minimum: the smallest value that is accepted, or None.
        error: the exception class to raise.

    Raises:
        InputError: any other value, 3.0 included; or the class `error`.
    """
    number = _index(value)
    if number is not None and (minimum is None or number >= minimum):
        return number
    least = "" if minimum is None else f" from {minimum}"
    fix = f"pass a number such as {name}={minimum or 7}"
    raise invalid(f"{name} to be a whole number{least}", f"{name}={value!r}", fix, error)


def seed(name: str, value: Any) -> int:
    """Returns a seed of Keras' or scikit-learn's generators as a Python int.

    Args:
        name: name of the argument, for the message.
        value: the value that was passed.

    Raises:
        InputError: any other value than a whole number from 0 to 2^32 - 1.
    """
    number = whole_number(name, value, 0)
    if number >= 2**32:
        raise invalid(f"{name} from 0 to 2^32 - 1", f"{name}={number}", f"pass {name}=7")
    return number


def sizes(name: str, values: Any) -> int | tuple[int, ...] | list[int]:
    """Returns one size, or several, as Python's integers.

    Args:
        name: name of the argument, for the message.
        values: the value that was passed: a size, or a list, tuple or array of sizes.

    Returns:
        An integer for one size, a list for a list, else a tuple.

    Raises:
        InputTypeError: a size that is not a whole number from 1, or an empty sequence.
    """
    found = list(values) if hasattr(values, "__len__") else [values]
    if not found or not all(_is_a(numbers.Integral, size) and size >= 1 for size in found):
        raise invalid(
            f"{name} of whole numbers from 1",
            f"{values!r}",
            "pass sizes such as 32",
            InputTypeError,
        )

    found = [int(size) for size in found]
    if not hasattr(values, "__len__"):
        return found[0]
    return found if isinstance(values, list) else tuple(found)


def listed(name: str, values: Any) -> list[Any]:
    """Returns the values of a sequence or an iterator as a list.

    Args:
        name: name of the argument, for the message.
        values: the value that was passed.

    Raises:
        InputTypeError: one value, or a text or dictionary.
    """
    if isinstance(values, Iterable) and not isinstance(values, (str, bytes, Mapping)):
        with contextlib.suppress(TypeError):  # an array or tensor without axes
            return list(values)
    fix = f"pass {name}=[...]"
    raise invalid(f"{name} to be a list", f"{name}={values!r}", fix, InputTypeError)


def real_number(
    name: str, value: Any, minimum: float = -math.inf, maximum: float = math.inf
) -> float:
    """Returns a finite number as a Python int or float.

    Args:
        name: name of the argument, for the message.
        value: the value that was passed.
        minimum: the smallest value that is accepted.
        maximum: the largest value that is accepted.

    Raises:
        InputError: any other value.
    """
    if _is_a(numbers.Real, value) and math.isfinite(value) and minimum <= value <= maximum:
        return _as_python(value)

    ends = [
        f" from {minimum}" if minimum > -math.inf else "",
        f" to {maximum}" if maximum < math.inf else "",
    ]
    raise invalid(
        f"{name} to be a finite number{''.join(ends)}",
        f"{name}={value!r}",
        f"pass a number such as {name}=1.0",
    )


def positive_number(name: str, value: Any) -> float:
    """Returns a finite number above 0 as a Python int or float.

    Args:
        name: name of the argument, for the message.
        value: the value that was passed.

    Raises:
        InputError: any other value.
    """
    if _is_a(numbers.Real, value) and 0 < value < math.inf:
        return _as_python(value)
    raise invalid(
        f"{name} to be a positive, finite number",
        f"{name}={value!r}",
        f"pass a number such as {name}=1.0",
    )


def _index(value):
    """Returns a whole number as a Python int, or None if the value is none."""
    if isinstance(value, (bool, np.bool_)):  # the latter is an index to NumPy before 2
        return None
    try:
        return operator.index(value)
    except (TypeError, AttributeError):  # the latter of a tensor of another type
        return None


def _is_a(kind, value):
    return isinstance(value, kind) and not isinstance(value, bool)


def _as_python(value):
    return value.item() if isinstance(value, np.generic) else value
