"""Reads folders of pictures by stated rules, and says which file is wrong and why.

Values lie between 0 and 1: of 8 bits divided by 255, of 16 bits by 65,535, floats as they are.
A picture is turned as its camera says (EXIF). What is transparent lies on white. Of an animation
the first frame counts. The note says how often each of these happened.
"""

import collections
import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, get_args

import numpy as np

from tfvae.datasets import storage
from tfvae.errors import invalid

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}

Source = Path | BinaryIO | np.ndarray
ImageFit = Literal["crop", "pad"]

_PIXELS = 2**26  # of one picture; more is taken for a file that is made to fill the memory
_SIDE = 64  # pixels a side, at most, where pictures of several sizes are made one
_MULTIPLE = 4  # which convolutions halve twice
_ORIENTATION = 0x0112  # the EXIF tag
_PHOTOMETRIC = 0x0106  # the TIFF tag, 0 where white is zero
_TURNED = (5, 6, 7, 8)  # its values by which width and height change places
_DEPTH_16 = ("I;16", "I;16B", "I;16L", "I;16N")
_GREY = ("1", "L", "LA", "La", "F", *_DEPTH_16)


class Pictures(NamedTuple):
    """The pictures of a folder.

    Attributes:
        x: float32 `[N, H, W, 1 or 3]`, with values from 0 to 1.
        y: int32 `[N]`, the number of the folder of each picture among `classes`, or None.
        classes: the names of the folders, sorted; empty where all pictures lie in one.
        note: how the values were changed, in words for a report.
    """

    x: np.ndarray
    y: np.ndarray | None
    classes: tuple[str, ...]
    note: str


def read(
    folder: str | os.PathLike[str],
    image_size: int | tuple[int, int] | None = None,
    fit: ImageFit = "crop",
) -> Pictures:
    """Reads all pictures of a folder and of the folders in it, in the order of their paths.

    Grey pictures become colour pictures if there are colour pictures beside them. If every
    picture lies in one of several folders, these are its labels.

    Args:
        folder: its path.
        image_size: height and width in pixels, or one number for both. By default the size that
            all have; where they differ, the usual shorter side, at most 64.
        fit: "crop" cuts a picture to the shape asked for, from its centre; "pad" adds black.

    Returns:
        The pictures, their labels, and a note.

    Raises:
        InputError: no picture, or one that cannot be read, is no regular file, has too many
            pixels, or values without a known range. The message names it.
    """
    files = picture_files(folder)
    x, note = together(files, image_size, fit)
    y, classes = _labels(files, Path(folder).expanduser())
    return Pictures(x, y, classes, note)


def together(
    sources: Iterable[Source],
    image_size: int | tuple[int, int] | None = None,
    fit: ImageFit = "crop",
) -> tuple[np.ndarray, str]:
    """Reads pictures, and brings them to one size.

    Args:
        sources: files, open files of their bytes, or arrays of 8 bits `[H, W]` or `[H, W, C]`.
            They are gone through twice, for their sizes and for their values.
        image_size: as for `read`.
        fit: as for `read`.

    Returns:
        (x, note): float32 `[N, H, W, 1 or 3]`, and how the values were changed.

    Raises:
        InputError: as for `read`.
    """
    check_fit(fit)
    headers = [_opened(source, _header) for source in sources]
    shape = _common(headers, image_size)
    size, channels = shape[:2], shape[2]
    sized = any(header.size != size for header in headers)
    changes: collections.Counter[str] = collections.Counter()
    images = (values(source, size if sized else None, fit, changes) for source in sources)
    images = (image[..., None] if channels == 1 else coloured(image) for image in images)
    x = storage.filled(images, (len(headers), *shape), f"{len(headers):,} pictures")

    notes = [f"{what}: {count}" for what, count in sorted(changes.items()) if count]
    if sized:
        how = "cropped at the centre" if fit == "crop" else "padded"
        notes.append(f"{how} and resized to {size[1]}x{size[0]}")
    return x, "; ".join(notes)


def shape_of_all(
    sources: Iterable[Source], image_size: int | tuple[int, int] | None = None
) -> tuple[int, int, int]:
    """Returns height, width and channels to which `together` brings pictures, by their headers.

    Args:
        sources: as for `together`.
        image_size: as for `read`.
    """
    return _common([_opened(source, _header) for source in sources], image_size)


def check_fit(fit: str) -> None:
    """Refuses a way to bring pictures to a shape that there is not.

    Args:
        fit: as for `read`.

    Raises:
        InputError: neither "crop" nor "pad".
    """
    if fit not in get_args(ImageFit):
        raise invalid(
            "image_fit='crop' or 'pad'", repr(fit), "crop cuts what is beyond, pad adds black"
        )


def picture_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Returns the files of pictures in a folder, in the order in which `read` reads them.

    Raises:
        InputError: no picture, or one that is no regular file.
    """
    root = Path(folder).expanduser()
    found = sorted(f for f in root.rglob("*") if f.suffix.lower() in IMAGE_SUFFIXES)
    # Hidden ones are thumbnails, notebooks' copies or what a system keeps about a file.
    found = [f for f in found if not any(p.startswith(".") for p in f.relative_to(root).parts)]
    files = [file for file in found if not file.is_dir()]
    if not files:
        suffixes = " ".join(sorted(IMAGE_SUFFIXES))
        raise invalid(f"images in {folder} ({suffixes})", "none", "check the path")

    for file in files:
        if not file.is_file():  # a pipe would never end
            raise invalid(f"{file} to be an image", "no regular file", "remove it from the folder")

    return files


class _Header(NamedTuple):
    """What the header of a picture tells.

    Attributes:
        size: height and width, once it is turned as its camera says.
        is_grey: True if it has no colours.
    """

    size: tuple[int, int]
    is_grey: bool


def _header(image):
    width, height = image.size
    if width * height > _PIXELS:
        raise ValueError(f"{width}x{height} pixels, more than {_PIXELS:,}")

    turned = image.getexif().get(_ORIENTATION, 1) in _TURNED
    is_grey = image.mode[0] == "I" or image.mode in _GREY
    return _Header((width, height) if turned else (height, width), is_grey)


def _common(headers, image_size):
    """Returns the height, width and channels to which pictures are brought."""
    channels = 1 if all(header.is_grey for header in headers) else 3
    sizes = {header.size for header in headers}
    if image_size is not None:
        return (*_sides(image_size), channels)
    if len(sizes) == 1:
        return (*sizes.pop(), channels)

    side = min(_SIDE, int(np.median([min(header.size) for header in headers])))
    side = max(_MULTIPLE, side - side % _MULTIPLE)
    return side, side, channels


def _sides(image_size):
    sides = image_size if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    if len(sides) != 2 or any(not isinstance(n, int) or n < 1 for n in sides):
        fix = "pass 64, or (height, width)"
        raise invalid("image_size, one or two whole numbers of pixels", repr(image_size), fix)
    return tuple(sides)


def _opened(file, use):
    """Returns what `use` makes of an opened picture."""
    from PIL import Image

    try:
        if isinstance(file, np.ndarray):
            return use(Image.fromarray(file[..., 0] if file.shape[2:] == (1,) else file))
        with Image.open(file) as image:
            return use(image)
    except Exception as error:  # each format of Pillow raises errors of its own
        raise invalid(
            f"{file} to be an image",
            f"{type(error).__name__}: {error}",
            "remove or repair the file",
        ) from error


def values(
    source: Source,
    size: tuple[int, int] | None,
    fit: ImageFit,
    changes: "collections.Counter[str]",
) -> np.ndarray:
    """Returns the values of a picture, float32: `[H, W]` if it is grey, else `[H, W, 3]`.

    Args:
        source: as for `together`.
        size: height and width to bring it to, or None to leave its own.
        fit: as for `read`.
        changes: counts what is done to pictures.
    """
    return _opened(source, lambda image: _values_of(image, size, fit, changes))


def _values_of(image, size, fit, changes):
    from PIL import ImageOps

    # First of all, since a picture whose values are read no longer tells of its tiles.
    deep = any("16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    changes["colours or alpha of 16 bits read as of 8"] += deep and image.mode[0] != "I"
    changes["first frame of several"] += getattr(image, "n_frames", 1) > 1
    changes["turned as the camera says"] += image.getexif().get(_ORIENTATION, 1) in range(2, 9)

    of_16_bits = image.mode in _DEPTH_16 or (image.mode == "I" and image.format == "PNG")
    # Pillow turns those of fewer bits.
    white_is_zero = image.format == "TIFF" and image.tag_v2.get(_PHOTOMETRIC) == 0
    image, divisor = ImageOps.exif_transpose(image), 255
    if image.mode[0] in "IF":
        image, divisor = _of_floats(image, of_16_bits, white_is_zero)
    if divisor == 255:
        image = _opaque(image, changes)
    if size is not None:
        image = _fitted(image, size, fit)

    return np.asarray(image, np.float32) / np.float32(divisor)


def _of_floats(image, of_16_bits, white_is_zero):
    """Returns a grey picture of more than 8 bits as floats, and the number of its white."""
    from PIL import Image

    values = np.asarray(image).astype(np.float32)
    white = 65_535 if of_16_bits else 1
    if image.mode == "I" and not of_16_bits:
        raise ValueError("whole numbers of 32 bits, whose white is not known; save them as a .npy")
    if not (values.min() >= 0 and values.max() <= white):
        span = f"{values.min():.4g} to {values.max():.4g}"
        raise ValueError(f"floats from {span}, not from 0 to 1; scale them, or save them as a .npy")

    return Image.fromarray(white - values if white_is_zero else values), white


def _opaque(image, changes):
    """Returns a picture of 8 bits in grey or colours, on white where it is transparent."""
    from PIL import Image

    mode = "L" if image.mode in _GREY else "RGB"
    if "A" not in image.mode.upper() and "transparency" not in image.info or image.mode == "LAB":
        return image.convert(mode)

    image = image.convert("RGBA")
    changes["transparent, put on white"] += image.getextrema()[3][0] < 255
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert(mode)


def _fitted(image, size, fit):
    from PIL import Image, ImageOps

    make = ImageOps.fit if fit == "crop" else ImageOps.pad
    # Smooth, and unlike sharper filters never beyond the values it averages.
    return make(image, size[::-1], method=Image.Resampling.BILINEAR)


def coloured(image: np.ndarray) -> np.ndarray:
    """Returns a picture as `[H, W, 3]`, also one that is grey, `[H, W]`."""
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=-1)


def _labels(files, folder):
    """Returns the numbers and names of the folders of pictures, if they are in several."""
    names = [file.relative_to(folder).parts[0] for file in files]
    classes = sorted(set(names))
    if len(classes) < 2 or any(len(file.relative_to(folder).parts) < 2 for file in files):
        return None, ()
    for name in classes:
        if not name.isprintable():
            fix = "rename the folder"
            raise invalid("names of folders that can be printed", repr(name), fix)
    return np.searchsorted(classes, names).astype(np.int32), tuple(classes)
