"""Where examples lie: in memory, or on disk if there are too many for that."""

import math
import shutil
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from tfvae._files import mapped
from tfvae.errors import invalid

IN_MEMORY = 2**30  # bytes of an array; those of more lie on disk
_RELEASED = 256  # examples after which memory is given back, of an array on disk
_SPARE = 2**30  # bytes of the disk that are left to others


def empty(shape: tuple[int, ...], name: str) -> np.ndarray:
    """Returns a new float32 array, in memory or on disk.

    Args:
        shape: its shape.
        name: what it will hold, for a message.

    Raises:
        InputError: a disk without room for it.
    """
    if 4 * math.prod(shape) <= IN_MEMORY:
        return np.empty(shape, np.float32)
    return _on_disk(shape, name)


def filled(examples: Iterable[np.ndarray], shape: tuple[int, ...], name: str) -> np.ndarray:
    """Returns examples that come one after the other as one array, in memory or on disk.

    Args:
        examples: N of them, each `[*event]` or of a shape that becomes it.
        shape: the shape of the array, `[N, *event]`.
        name: what they are, for a message.

    Raises:
        InputError: a disk without room for it.
    """
    made = empty(shape, name)
    for i, example in enumerate(examples):
        made[i] = example
        if i % _RELEASED == 0:
            mapped.release(made)
    return made


def converted(x: np.ndarray, convert: Callable[[np.ndarray], np.ndarray], name: str) -> np.ndarray:
    """Returns what a function makes of an array, page by page if that lies on disk.

    Args:
        x: numbers `[N, ...]`.
        convert: a function of a page, which returns float32 of the same shape.
        name: what x holds, for a message.
    """
    made = empty(x.shape, name)
    for rows in mapped.pages(x):
        made[rows] = convert(x[rows])
        mapped.release(made)
    return made


def taken(x: np.ndarray, rows: np.ndarray, name: str) -> np.ndarray:
    """Returns rows of an array in another order.

    Args:
        x: the array, `[N, ...]`.
        rows: their numbers, `[M]`.
        name: what x holds, for a message.

    Returns:
        `[M, ...]`, of the dtype of x.
    """
    if x.dtype != np.float32 or 4 * len(rows) * math.prod(x.shape[1:]) <= IN_MEMORY:
        return x[rows]
    made = _on_disk((len(rows), *x.shape[1:]), name)
    for page in mapped.pages(made):
        made[page] = x[rows[page]]
        mapped.release(x)
    return made


def joined(parts: Sequence[np.ndarray], rows: np.ndarray, name: str) -> np.ndarray:
    """Returns rows of several arrays, one after the other, in another order.

    Args:
        parts: float32 arrays `[N, ...]`.
        rows: numbers of their rows, counted through all of them, `[M]`.
        name: what they hold, for a message.
    """
    made = empty((len(rows), *parts[0].shape[1:]), name)
    first = 0
    for part in parts:
        chosen = np.flatnonzero((rows >= first) & (rows < first + len(part)))
        for page in mapped.pages(chosen[:, None]):
            made[chosen[page]] = part[rows[chosen[page]] - first]
            mapped.release(made)
            mapped.release(part)
        first += len(part)
    return made


def _on_disk(shape, name):
    folder = mapped.folder()
    size, free = 4 * math.prod(shape), shutil.disk_usage(folder).free - _SPARE
    if size > free:
        expected = f"{size >> 20:,} MiB on the disk of {folder}, to hold {name} as numbers"
        fix = "set TMPDIR to a folder on a larger disk, or give smaller data (--image-size 64)"
        raise invalid(expected, f"{max(0, free) >> 20:,} MiB that may be used", fix)
    return mapped.empty(shape)
