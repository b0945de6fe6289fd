"""Pictures of examples, as arrays and as PNG files."""

import math

import numpy as np

from tfvae._files import whole_file
from tfvae.errors import InputError, invalid

_GAP = 1  # pixels between cells, before enlarging
_PAPER = 255
_SIDE = 640  # pixels a small grid is enlarged to, about


def grid(examples, columns=None, value_range=None):
    """Examples side by side in rows, uint8 `[H, W]` or `[H, W, 3]`.

    Args:
        examples: `[N, h, w]`, `[N, h, w, 1 or 3]`, or vectors `[N, d]`, drawn as strips.
        columns: per row; default as square as it gets.
        value_range: the values drawn black and white; default those of the data.

    Raises:
        InputError: examples of another shape, or none.
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


def save_png(path, sheet):
    """Writes a uint8 picture, small ones enlarged by a whole factor, whole or not at all."""
    from PIL import Image

    factor = max(1, _SIDE // max(sheet.shape[:2]))
    picture = sheet.repeat(factor, axis=0).repeat(factor, axis=1)
    with whole_file(path) as file:
        Image.fromarray(picture).save(file, format="PNG")


def beside(originals, reconstructions, columns=16):
    """Rows of originals, each above the row of their reconstructions, for `grid`."""
    rows = []
    for first in range(0, len(originals), columns):
        rows += [originals[first : first + columns], reconstructions[first : first + columns]]
    return np.concatenate(rows)


def _cells(examples, value_range):
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
    low, high = value_range or (float(examples.min()), float(examples.max()))
    unit = (examples - low) / max(high - low, 1e-12)
    return np.round(np.clip(unit, 0, 1) * 255).astype(np.uint8)
