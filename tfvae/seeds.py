"""Which seeds and sample numbers the counter-based stream has, for callers with and without TensorFlow."""

import numpy as np

from tfvae.errors import InputTypeError, invalid


def as_int32(seed):
    """`seed` as the int32 with the same 32 bits; -2^31 <= seed < 2^32.

    Raises:
        InputTypeError: not a whole number.
        InputError: outside that range.
    """
    _whole("seed", seed)
    if not -(2**31) <= seed < 2**32:
        raise invalid("seed from -2^31 to 2^32 - 1", f"seed={seed}", "pass a seed such as 7")
    return int(np.array(seed % 2**32, np.uint32).view(np.int32))


def check_range(start, count, size):
    """Refuses samples `start ... start + count - 1` of `size` numbers that leave the stream.

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
