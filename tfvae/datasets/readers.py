"""Reads files of data, and says which file is wrong and why."""

import gzip
import math
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from tfvae.datasets import storage
from tfvae.errors import invalid

_LARGE = 2**28  # bytes; smaller files may be packed as tightly as they like
_RATIO = 100  # of the sizes unpacked and packed; pictures reach 10, few one-hot tables 100

# The dtypes of numbers, by their code in an IDX file.
_IDX_DTYPES: dict[int, np.dtype] = {
    code: np.dtype(kind)
    for code, kind in ((8, "u1"), (9, "i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8"))
}


def read_idx(file: str | os.PathLike[str]) -> np.ndarray:
    """Reads a gzipped IDX file, the format in which MNIST is published.

    Args:
        file: its path.

    Returns:
        The array, of the shape and dtype that the file states.

    Raises:
        InputError: a file of another format, or one that is cut short.
    """
    try:
        with gzip.open(regular(file)) as stream:
            zero, code, rank = struct.unpack(">HBB", stream.read(4))
            shape = struct.unpack(f">{rank}I", stream.read(4 * rank))
            if zero != 0:
                raise ValueError("it does not start with two zero bytes")

            dtype = _IDX_DTYPES[code]
            size = math.prod(shape) * dtype.itemsize
            check_unpacked(size, os.path.getsize(file))
            data = stream.read(size + 1)

        if len(data) != size:
            raise ValueError(f"it does not hold the {size} bytes that it states")
        return np.frombuffer(data, dtype).reshape(shape)
    except (OSError, EOFError, struct.error, zlib.error, KeyError, ValueError) as error:
        raise invalid(
            f"{file} to be a gzipped IDX file",
            f"{type(error).__name__}: {error}",
            "fetch the file again",
        ) from error


def read_npz(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads the arrays of a `.npz`, by name.

    Args:
        path: the file.

    Raises:
        InputError: a file that cannot be read, or that holds pickled objects.
    """
    try:
        with zipfile.ZipFile(regular(path)) as archive:
            members = archive.infolist()
            packed = sum(member.compress_size for member in members)
            check_unpacked(sum(member.file_size for member in members), packed)
        with np.load(path, allow_pickle=False) as file:
            return {name: _array_in(file, name) for name in file.files}
    except Exception as error:  # of zipfile, pickle, OSError or ValueError
        raise _unreadable(path, error) from error


def _array_in(file, name):
    """Returns a member of a `.npz`. NumPy returns the bytes of one that is no array."""
    if not isinstance(file[name], np.ndarray):
        raise ValueError(f"{name} is no array")
    return file[name]


def read_npy(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads the array of a `.npy`. A large one stays on disk, and is read where it is used.

    Args:
        path: the file.

    Raises:
        InputError: a file that cannot be read, or that holds pickled objects.
    """
    try:
        # Mapped first: then a file that is shorter than it states is refused before any memory is
        # set aside.
        found = np.load(regular(path), mmap_mode="r", allow_pickle=False)
        return found if found.nbytes > storage.IN_MEMORY else np.array(found)
    except Exception as error:
        raise _unreadable(path, error) from error


def regular(path: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Returns the path of a regular file. A pipe would be waited for, for ever.

    Raises:
        ValueError: a folder, a pipe or a device.
    """
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError("it is no regular file")
    return path


def check_unpacked(size: int, packed: int) -> None:
    """Refuses a file that unpacks to far more than data do, before it fills the memory.

    Args:
        size: bytes unpacked.
        packed: bytes of the file.

    Raises:
        ValueError: sizes that are not those of data.
    """
    if size > _LARGE and size > _RATIO * packed:
        raise ValueError(f"it unpacks to {size:,} bytes, {size // max(packed, 1):,} times its size")


def _unreadable(path, error):
    return invalid(
        f"{path} to be a NumPy file of numbers",
        f"{type(error).__name__}: {error}",
        "save it with numpy.save",
    )


def unit(x: np.ndarray) -> np.ndarray:
    """Scales 8-bit values to float32 from 0 to 1."""
    return x.astype(np.float32) / np.float32(255)
