"""Arrays in a file on disk, read by pages, so that they need not fit in memory."""

import math
import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

_FOLDER = "/var/tmp"  # /tmp often lies in memory, where nothing would be gained
_PAGE = 2**24  # numbers in a page


def empty(shape: tuple[int, ...]) -> np.memmap:
    """Returns a new float32 array on disk. Its file has no name, and is gone when the array is.

    Args:
        shape: its shape.
    """
    with tempfile.TemporaryFile(dir=folder()) as file:
        return np.memmap(file, np.float32, "w+", shape=shape)


def folder() -> Path:
    """Returns the folder on whose disk new arrays lie."""
    if "TMPDIR" not in os.environ and os.access(_FOLDER, os.W_OK):
        return Path(_FOLDER)
    return Path(tempfile.gettempdir())


def is_mapped(array: Any) -> bool:
    """Returns True for an array that lies in a file, or a part of one."""
    return _map_of(array) is not None


def pages(array: np.ndarray) -> Iterator[slice]:
    """Yields which rows make up each page of an array, one after the other.

    Of an array on disk the memory of a page is given back once the next one is asked for.

    Args:
        array: the array, `[N, ...]`.
    """
    rows = max(1, _PAGE // max(1, math.prod(array.shape[1:])))
    for first in range(0, len(array), rows):
        yield slice(first, first + rows)
        release(array)


def release(array: np.ndarray) -> None:
    """Gives back the memory of what has been read of an array on disk, which stays on the disk.

    Args:
        array: the array. Nothing happens to one in memory.
    """
    found = _map_of(array)
    if found is not None and hasattr(mmap, "MADV_DONTNEED"):
        found.madvise(mmap.MADV_DONTNEED)


def _map_of(array):
    """Returns the map of a file that an array is a view of, or None."""
    base = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None
