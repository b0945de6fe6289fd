"""Tells of numbers whose differences are lost in float32, which networks compute in."""

import logging

import numpy as np

from tfvae._files import mapped

_LOG = logging.getLogger("tfvae")
_FEW = 256  # steps of float32 from the least number to the largest, as of 8 bits
_NOISE = 1e-12  # of a number, by which results of float64 arithmetic differ that mean the same


def tell(x: np.ndarray, name: str = "x") -> None:
    """Warns of a place of examples at which float32 has few numbers for what they differ by.

    Times in nanoseconds are an example, or a measurement with an offset of 1e9.

    Args:
        x: numbers `[N, ...]`. Those of 32 bits and fewer are as they are, and are passed over.
        name: name of the data, for the message.
    """
    if x.dtype.itemsize <= 4 or x.dtype.kind not in "fiu" or len(x) < 2:
        return

    low, high = _ends(x)
    size = np.maximum(np.abs(low), np.abs(high)).astype(np.float32)
    with np.errstate(invalid="ignore"):  # of infinite ones nothing is told
        step = np.spacing(size).astype(np.float64)
        few = (high - low > _NOISE * size) & (high - low < _FEW * step)
    for place in map(tuple, np.argwhere(few)):
        if not _is_rounded(x[(slice(None), *place)]):
            continue

        where = ", ".join([":", *map(str, place)])
        ends_and_step = (low[place], high[place], step[place])
        _LOG.warning(
            "%s[%s] lies between %.10g and %.10g, where float32, which networks compute in, "
            "has a number every %.3g: subtract an offset first, such as its mean",
            *(name, where, *ends_and_step),
        )
        return


def _ends(x):
    """Returns the least and the largest number at each place, float64; NaN does not count."""
    low, high = np.inf, -np.inf
    for rows in mapped.pages(x):
        low = np.fmin(low, np.fmin.reduce(x[rows], axis=0))
        high = np.fmax(high, np.fmax.reduce(x[rows], axis=0))
    return np.asarray(low, np.float64), np.asarray(high, np.float64)


def _is_rounded(values):
    known = values[np.isfinite(values)]
    return bool((known.astype(np.float32) != known).any())
