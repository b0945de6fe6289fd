"""Loads arrays from `.npy` and `.npz` files, as float32."""

from pathlib import Path

import numpy as np

from tfvae._files import mapped
from tfvae.datasets import readers, storage
from tfvae.datasets.dataset import Dataset, split
from tfvae.errors import InputTypeError, invalid
from tfvae.validation import lost_digits

_DIVIDED = "8-bit values divided by 255"


def load(path: Path, least: int = 2) -> Dataset:
    """Loads a `.npy` or a `.npz`, and splits a single array.

    Args:
        path: the file, which `tfvae.datasets.load` describes.
        least: how many examples a single array must have.

    Raises:
        InputError: a file that cannot be read or used. The message names it.
        InputTypeError: an array that does not hold numbers.
    """
    arrays = {"x": readers.read_npy(path)} if path.suffix == ".npy" else readers.read_npz(path)
    for train, test in (("x_train", "x_test"), ("train", "test")):
        if train in arrays and test in arrays:
            (x_train, x_test), note = _examples([arrays[train], arrays[test]], path)
            if x_train.shape[1:] != x_test.shape[1:]:
                raise invalid(
                    f"{train} and {test} of the same shape per example in {path}",
                    f"{list(x_train.shape)} and {list(x_test.shape)}",
                    "store both parts in one form",
                )
            y_train = _labels_of(arrays, "y_train", len(x_train), path)
            y_test = _labels_of(arrays, "y_test", len(x_test), path)
            return Dataset(str(path), x_train, x_test, y_train, y_test, note)

    alone = {"x": arrays["x"]} if "x" in arrays else arrays
    if len(alone) != 1:
        raise invalid(
            f"arrays x_train and x_test, or train and test, or one array in {path}",
            f"arrays {', '.join(alone) or 'none'}",
            "rename the arrays",
        )

    (x,), note = _examples(alone.values(), path)
    y = _labels_of(arrays, "y", len(x), path) if "x" in arrays else None
    return split(str(path), x, y, note=note, least=least)


def _labels_of(arrays, name, count, path):
    """Returns the labels or conditions of a file, int32 where they are whole, or None."""
    if name not in arrays:
        return None

    y = arrays[name]
    if y.dtype.kind not in "fiub" or y.shape[:1] != (count,):
        raise invalid(
            f"{name} in {path} to hold a number or a row of numbers for each of {count:,} examples",
            f"{y.dtype} of shape {list(y.shape)}",
            "repair it, or leave it out of the file",
        )
    limits = np.iinfo(np.int32)
    if y.dtype.kind in "iu" and y.size and not limits.min <= y.min() <= y.max() <= limits.max:
        expected = f"whole numbers of 32 bits in {name} of {path}"
        fix = "number the classes from 0, or make floats of them"
        raise invalid(expected, f"numbers from {y.min()} to {y.max()}", fix)
    return y.astype(np.float32 if y.dtype.kind == "f" else np.int32)


def _examples(arrays, path):
    """Returns the arrays of a file as float32, and a note. 8-bit values are scaled to [0, 1]."""
    for x in arrays:
        if x.dtype.kind not in "fiub":
            raise invalid(
                f"numbers in {path}",
                f"dtype {x.dtype}",
                "convert the array to float32",
                InputTypeError,
            )
        if x.ndim < 2:
            raise invalid(
                f"examples [N, ...] in {path}",
                f"shape {list(x.shape)}",
                "reshape the array to [N, features]",
            )

        if x.dtype.itemsize > 4 and _goes_beyond_float32(x):
            raise invalid(
                f"numbers in {path} that float32 can hold, up to {np.finfo(np.float32).max:.2g}",
                f"{np.abs(x).max():.3g}",
                "divide the array by a constant",
            )
        lost_digits.tell(x, str(path))

    # Decided for all arrays of a file at once, since one of them may be nearly black.
    if any(x.dtype == np.uint8 and x.size and x.max() > 1 for x in arrays):
        return [_as_float32(x, str(path), of_8_bits=True) for x in arrays], _DIVIDED
    return [_as_float32(x, str(path)) for x in arrays], ""


def _goes_beyond_float32(x):
    """Returns True if finite numbers become infinite in float32."""
    for rows in mapped.pages(x):
        page = x[rows]
        if (np.isfinite(page) & ~np.isfinite(_float32(page))).any():
            return True
    return False


def _as_float32(x, name, of_8_bits=False):
    """Returns an array as float32, which stays where it lies if it is that already."""
    if x.dtype == np.float32 and x.dtype.isnative:
        return x
    unit = of_8_bits and x.dtype == np.uint8
    return storage.converted(x, readers.unit if unit else _float32, name)


def _float32(x):
    with np.errstate(over="ignore"):
        return x.astype(np.float32)
