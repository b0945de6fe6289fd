"""Reads files of data, and says which file is wrong and why."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np

from tfvae.errors import invalid

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}

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
        data = gzip.decompress(Path(file).read_bytes())
        zero, code, rank = struct.unpack(">HBB", data[:4])
        shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
        if zero != 0:
            raise ValueError("it does not start with two zero bytes")
        return np.frombuffer(data, _IDX_DTYPES[code], offset=4 + 4 * rank).reshape(shape)
    except (OSError, EOFError, struct.error, KeyError, ValueError) as error:
        raise invalid(
            f"{file} to be a gzipped IDX file",
            f"{type(error).__name__}: {error}",
            "fetch the file again",
        ) from error


def read_images(folder: str | os.PathLike[str]) -> np.ndarray:
    """Reads all images of a folder and of the folders in it, in the order of their paths.

    Grey images become colour images if there are colour images beside them.

    Args:
        folder: its path.

    Returns:
        The images, float32 `[N, H, W, 1 or 3]`, with values from 0 to 1.

    Raises:
        InputError: no image, or an image that cannot be read, has another size than the first,
            or has more than 8 bits a value. The message names it.
    """
    files = sorted(f for f in Path(folder).rglob("*") if f.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise invalid(
            f"images in {folder} ({' '.join(sorted(IMAGE_SUFFIXES))})", "none", "check the path"
        )

    images = [_read_image(file) for file in files]
    if len({i.ndim for i in images}) > 1:
        images = [i if i.ndim == 3 else np.repeat(i[..., None], 3, axis=-1) for i in images]

    for file, pixels in zip(files, images):
        if pixels.shape != images[0].shape:
            raise invalid(
                f"images of one size, {images[0].shape[:2]} as {files[0].name}",
                f"{file} of size {pixels.shape[:2]}",
                "resize or crop the images to one size",
            )

    stacked = unit(np.stack(images))
    return stacked if stacked.ndim == 4 else stacked[..., None]


def _read_image(file):
    """Returns the pixels of an image, uint8: `[H, W]` if it is grey, else `[H, W, 3]`."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            mode = image.mode
            if mode[0] not in "IF":
                grey = mode in ("1", "L", "LA")
                return np.asarray(image.convert("L" if grey else "RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise invalid(f"{file} to be an image", f"{error}", "remove or repair the file") from error

    # The values are whole numbers of 16 or 32 bits, or floats. Pillow would silently cut off
    # values above 255.
    fix = "convert it to 8 bits, or give the values as a .npy"
    raise invalid(f"{file} to have 8 bits a value", f"mode {mode}", fix)


def read_npz(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads the arrays of a `.npz`, by name.

    Args:
        path: the file.

    Raises:
        InputError: a file that cannot be read, or that holds pickled objects.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except Exception as error:  # of zipfile, pickle, OSError or ValueError
        raise _unreadable(path, error) from error


def read_npy(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads the array of a `.npy`.

    Args:
        path: the file.

    Raises:
        InputError: a file that cannot be read, or that holds pickled objects.
    """
    try:
        return np.load(path, allow_pickle=False)
    except Exception as error:
        raise _unreadable(path, error) from error


def _unreadable(path, error):
    return invalid(
        f"{path} to be a NumPy file of numbers",
        f"{type(error).__name__}: {error}",
        "save it with numpy.save",
    )


def unit(x: np.ndarray) -> np.ndarray:
    """Scales 8-bit values to float32 from 0 to 1."""
    return x.astype(np.float32) / np.float32(255)
