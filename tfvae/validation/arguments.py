"""Numbers as arguments: NumPy's are numbers as Python's are, booleans and texts are none."""

import math
import numbers

import numpy as np

from tfvae.errors import InputError, InputTypeError, invalid


def whole_number(name, value, minimum=None, error=InputError):
    """Returns a whole number from `minimum` as a Python int.

    Args:
        name: of the argument, for the message.
        value: what was passed for it.
        minimum: the least that is accepted, or None.
        error: the exception to raise.

    Raises:
        InputError: anything else, 3.0 included, or what `error` says.
    """
    if _is_a(numbers.Integral, value) and (minimum is None or value >= minimum):
        return int(value)
    least = "" if minimum is None else f" from {minimum}"
    fix = f"pass a number such as {name}={minimum or 7}"
    raise invalid(f"{name} to be a whole number{least}", f"{name}={value!r}", fix, error)


def sizes(name, values):
    """Returns one size, or a tuple or list of them, as Python's integers.

    Raises:
        InputTypeError: sizes that are not whole numbers from 1, or none.
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


def real_number(name, value, minimum=-math.inf, maximum=math.inf):
    """Returns a finite number from `minimum` to `maximum`, both included, as a Python int or float.

    Raises:
        InputError: anything else.
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


def positive_number(name, value):
    """Returns a finite number above 0 as a Python int or float.

    Raises:
        InputError: anything else.
    """
    if _is_a(numbers.Real, value) and 0 < value < math.inf:
        return _as_python(value)
    raise invalid(
        f"{name} to be a positive, finite number",
        f"{name}={value!r}",
        f"pass a number such as {name}=1.0",
    )


def _is_a(kind, value):
    return isinstance(value, kind) and not isinstance(value, bool)


def _as_python(value):
    return value.item() if isinstance(value, np.generic) else value
