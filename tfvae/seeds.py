"""Checks seeds and sample numbers of the counter-based stream, without TensorFlow."""

import numpy as np

from tfvae.errors import InputTypeError, invalid


def as_int32(seed: int | np.integer) -> int:
    """Returns the int32 with the same 32 bits as a seed, -2^31 <= seed < 2^32.

    Raises:
        InputTypeError: a seed that is not a whole number.
        InputError: a seed outside that range.
    """
    _whole("seed", seed)
    if not -(2**31) <= seed < 2**32:
        raise invalid("seed from -2^31 to 2^32 - 1", f"seed={seed}", "pass a seed such as 7")
    return int(np.array(seed % 2**32, np.uint32).view(np.int32))


def check_range(start: int | np.integer, count: int | np.integer, size: int) -> None:
    """Refuses samples `start ... start + count - 1` that lie beyond the end of the stream.

    Args:
        start: number of the first sample.
        count: number of samples.
        size: random numbers per sample.

    Raises:
        InputTypeError: a start or count that is not a whole number.
        InputError: no samples, a negative start, or `(start + count) * size > 2^32`.
    """
    _whole("n", count)
    _whole("start", start)
    if count < 1 or start < 0:
        raise invalid(
            "n from 1 and start from 0", f"n={count}, start={start}", "ask for at least one sample"
        )
    if (start + count) * size > 2**32:
        raise invalid(
            f"(start + n) * {size} of at most 2^32, the length of one seed's stream",
            f"start={start}, n={count}",
            "take further samples from another seed",
        )


def _whole(name, value):
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise invalid(
            f"{name} to be a whole number", f"{name}={value!r}", f"pass {name}=7", InputTypeError
        )
