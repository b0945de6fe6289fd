"""Draws pictures of examples, as arrays and as PNG files."""

import math
import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tfvae import _files
from tfvae.datasets.dataset import is_signal
from tfvae.errors import InputError, invalid

_MARK = b"tEXtSoftware\0tfvae"  # a chunk of the PNG files written here
_GAP = 1  # pixels between cells, before enlarging
_PAPER = 255  # the grey level of the gaps
_LINES = (120, 60)  # pixels of a cell with lines
_COLOURS = ("#1f4e9c", "#c1440e", "#2e7d32", "#6a1b9a", "#00838f", "#795548")
_MISSING = 0.5  # what NaN is drawn as, between black and white
_SIDE = 640  # pixels to which a small picture is enlarged, about


def picture(
    examples: npt.ArrayLike,
    columns: int | None = None,
    value_range: Sequence[float] | None = None,
) -> np.ndarray:
    """Draws examples for what they are: signals by `lines`, all else by `grid`.

    Args:
        examples: signals `[N, T, C]` of at least 16 time steps and fewer channels, or what `grid`
            takes.
        columns: how many examples in a row. By default the picture is about square.
        value_range: as in `lines` and `grid`.

    Returns:
        The picture, uint8 `[H, W]` or `[H, W, 3]`.

    Raises:
        InputError: examples of another shape, or no examples.
    """
    draw = lines if is_signal(np.shape(examples)[1:]) else grid
    return draw(examples, columns, value_range)


def grid(
    examples: npt.ArrayLike,
    columns: int | None = None,
    value_range: Sequence[float] | None = None,
) -> np.ndarray:
    """Draws examples side by side in rows.

    Args:
        examples: images `[N, h, w]` or `[N, h, w, 1 or 3]`, or vectors `[N, d]`, which are drawn
            as strips. NaN is drawn grey.
        columns: how many examples in a row. By default the picture is about square.
        value_range: the values drawn black and white. By default the lowest and the highest
            value of the examples.

    Returns:
        The picture, uint8 `[H, W]` or `[H, W, 3]`.

    Raises:
        InputError: examples of another shape, or no examples.
    """
    cells = _cells(np.asarray(examples, np.float32), value_range)
    n, height, width = cells.shape[:3]
    columns = min(n, columns or math.ceil(math.sqrt(n * height / width)) or 1)
    rows = math.ceil(n / columns)

    shape = (rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, *cells.shape[3:])
    sheet = np.full(shape, _PAPER, np.uint8)
    for i, cell in enumerate(cells):
        top, left = (i // columns) * (height + _GAP) + _GAP, (i % columns) * (width + _GAP) + _GAP
        sheet[top : top + height, left : left + width] = cell
    return sheet


def lines(
    signals: npt.ArrayLike,
    columns: int | None = None,
    value_range: Sequence[float] | None = None,
) -> np.ndarray:
    """Draws signals as lines, each in a cell of its own.

    Args:
        signals: `[N, T, C]`; each channel is a line of one colour.
        columns: how many signals in a row. By default the picture is about square.
        value_range: the values at the bottom and the top of a cell. By default the lowest and
            the highest of each channel. NaN is left out.

    Returns:
        The picture, uint8 `[H, W, 3]`.

    Raises:
        InputError: signals of another shape, or none.
    """
    signals = np.asarray(signals, np.float32)
    if signals.ndim != 3 or 0 in signals.shape:
        received = f"shape {list(signals.shape)}"
        raise invalid("signals [N, T, C], at least one", received, "reshape them", InputError)

    low, high = value_range or (np.nanmin(signals, (0, 1)), np.nanmax(signals, (0, 1)))
    heights = (signals - low) / np.maximum(np.subtract(high, low), 1e-12)
    cells = np.stack([_cell_of_lines(np.clip(each, 0, 1)) for each in heights])
    return grid(cells / 255, columns, (0.0, 1.0))


def _cell_of_lines(heights):
    """Returns the picture of one signal, `[h, w, 3]`, for heights from 0 to 1 `[T, C]`."""
    from PIL import Image, ImageDraw

    width, height = _LINES
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    across = np.linspace(1, width - 2, len(heights))
    for channel, line in enumerate(heights.T):
        known = ~np.isnan(line)
        down = (height - 2) - line[known] * (height - 3)
        draw.line(list(zip(across[known], down)), fill=_COLOURS[channel % len(_COLOURS)])
    return np.asarray(picture)


def save_png(path: str | os.PathLike[str], sheet: np.ndarray) -> None:
    """Writes a picture as a PNG file. Small pictures are enlarged by a whole factor.

    Args:
        path: the file to write. It is written whole or not at all, and replaces a picture that
            this function wrote.
        sheet: the picture, uint8 `[H, W]` or `[H, W, 3]`.

    Raises:
        WriteError: a path that cannot be written, or holds anything else.
    """
    from PIL import Image, PngImagePlugin

    mark = PngImagePlugin.PngInfo()
    mark.add_text("Software", "tfvae")
    factor = max(1, _SIDE // max(sheet.shape[:2]))
    picture = sheet.repeat(factor, axis=0).repeat(factor, axis=1)
    target = _files.Target(path, "a picture of tfvae", _foreign)
    with _files.whole_file(target) as file:
        Image.fromarray(picture).save(file, format="PNG", pnginfo=mark)


def beside(originals: np.ndarray, reconstructions: np.ndarray, columns: int = 16) -> np.ndarray:
    """Arranges originals and reconstructions for `grid`.

    Args:
        originals: examples `[N, ...]`.
        reconstructions: their reconstructions `[N, ...]`.
        columns: how many examples `grid` draws in a row.

    Returns:
        Both, `[2 N, ...]`: a row of originals, a row of their reconstructions, and so on.
    """
    rows = []
    for first in range(0, len(originals), columns):
        rows += [originals[first : first + columns], reconstructions[first : first + columns]]
    return np.concatenate(rows)


def _foreign(path):
    """Returns what a file is in words, unless `save_png` wrote it."""
    with path.open("rb") as file:
        start = file.read(200)
    is_own = start.startswith(b"\x89PNG") and _MARK in start
    return None if is_own else "another file"


def _cells(examples, value_range):
    """Returns examples as uint8 images `[N, h, w]` or `[N, h, w, 3]`."""
    if examples.ndim == 2:
        examples = examples[:, None, :]
    if examples.ndim == 4 and examples.shape[-1] == 1:
        examples = examples[..., 0]

    if len(examples) == 0 or not (
        examples.ndim == 3 or (examples.ndim == 4 and examples.shape[-1] == 3)
    ):
        raise invalid(
            "examples [N, h, w], [N, h, w, 1 or 3] or [N, d], at least one",
            f"shape {list(examples.shape)}",
            "reshape them to images",
            InputError,
        )

    low, high = value_range or (float(np.nanmin(examples)), float(np.nanmax(examples)))
    unit = (examples - low) / max(high - low, 1e-12)
    unit = np.where(np.isnan(unit), _MISSING, unit)
    return np.round(np.clip(unit, 0, 1) * 255).astype(np.uint8)
