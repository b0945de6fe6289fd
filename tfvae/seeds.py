"""Checks seeds and sample numbers of the counter-based stream, without TensorFlow."""

import numpy as np

from tfvae.errors import InputTypeError, invalid
from tfvae.validation import arguments


def as_int32(seed: int | np.integer) -> int:
    """Returns the int32 with the same 32 bits as a seed, -2^31 <= seed < 2^32.

    Args:
        seed: a whole number of any type.

    Raises:
        InputTypeError: a seed that is not a whole number.
        InputError: a seed outside that range.
    """
    # A Python int, since the remainder of a smaller type would overflow.
    seed = arguments.whole_number("seed", seed, error=InputTypeError)
    if not -(2**31) <= seed < 2**32:
        raise invalid("seed from -2^31 to 2^32 - 1", f"seed={seed}", "pass a seed such as 7")
    return int(np.array(seed % 2**32, np.uint32).view(np.int32))


def check_range(
    start: int | np.integer, count: int | np.integer, size: int | np.integer
) -> tuple[int, int]:
    """Refuses samples `start ... start + count - 1` that lie beyond the end of the stream.

    Args:
        start: number of the first sample, of any type.
        count: number of samples, of any type.
        size: random numbers per sample.

    Returns:
        (start, count), as Python's integers.

    Raises:
        InputTypeError: a start or count that is not a whole number.
        InputError: no samples, a negative start, or `(start + count) * size > 2^32`.
    """
    count = arguments.whole_number("n", count, error=InputTypeError)
    start = arguments.whole_number("start", start, error=InputTypeError)
    if count < 1 or start < 0:
        raise invalid(
            "n from 1 and start from 0", f"n={count}, start={start}", "ask for at least one sample"
        )
    if (start + count) * int(size) > 2**32:
        raise invalid(
            f"(start + n) * {size} of at most 2^32, the length of one seed's stream",
            f"start={start}, n={count}",
            "take further samples from another seed",
        )
    return start, count
