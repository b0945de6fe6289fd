"""The file of a checkpoint: JSON and arrays under a hash, by which a torn file is known.

A line of text that tells what it is, a line with the SHA-256 of the rest in hexadecimal digits, 8
bytes that count the bytes of the JSON (little-endian), the JSON, and the bytes of the arrays one
after the other. Their types and shapes are in the JSON. Nothing in it is code.
"""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._files.whole import Target, whole_file
from tfvae.datasets import readers
from tfvae.errors import InputError, invalid

_FIRST_LINE = b"tfvae checkpoint, version 1\n"
_COUNT = 8  # bytes of the count


class DamagedCheckpointError(InputError):
    """A file that is no checkpoint, or not the whole of one."""


def write(path: Path, content: dict[str, Any], arrays: list[np.ndarray]) -> None:
    """Writes a checkpoint, whole and on the disk before this returns.

    Args:
        path: the file.
        content: values for JSON.
        arrays: the arrays.

    Raises:
        WriteError: it cannot be written.
    """
    # NumPy's name of bfloat16 and the like is TensorFlow's.
    specs = [[array.dtype.name, list(array.shape)] for array in arrays]
    text = json.dumps({"content": content, "arrays": specs}).encode()
    parts = [len(text).to_bytes(_COUNT, "little"), text]
    parts += [np.ascontiguousarray(array).tobytes() for array in arrays]

    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    with whole_file(Target(path, "a checkpoint", _foreign)) as file, file.open("wb") as stream:
        stream.writelines([_FIRST_LINE, found.hexdigest().encode() + b"\n", *parts])


def read(path: Path) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Reads a checkpoint.

    Args:
        path: the file.

    Returns:
        (content, arrays), as they were given to `write`.

    Raises:
        DamagedCheckpointError: another file, or one that is torn or altered.
    """
    try:
        return _read(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise invalid(
            f"{path} to be a whole checkpoint",
            f"{type(error).__name__}: {error}",
            "go on from another checkpoint",
            DamagedCheckpointError,
        ) from error


def _read(path):
    readers.regular(path)
    with path.open("rb") as file:
        if file.read(len(_FIRST_LINE)) != _FIRST_LINE:
            raise ValueError("a file of another kind")
        named, data = file.readline(80).strip().decode(), file.read()
    if hashlib.sha256(data).hexdigest() != named:
        raise ValueError("its SHA-256 is not the one that it names")

    start = _COUNT + int.from_bytes(data[:_COUNT], "little")
    found = json.loads(data[_COUNT:start])
    arrays = []
    for name, shape in found["arrays"]:
        dtype, count = tf.as_dtype(name).as_numpy_dtype, math.prod(shape)
        arrays.append(np.frombuffer(data, dtype, count, start).reshape(shape))
        start += arrays[-1].nbytes
    return found["content"], arrays


def _foreign(path):
    with path.open("rb") as file:
        is_own = file.read(len(_FIRST_LINE)) == _FIRST_LINE
    return None if is_own else "another file"
