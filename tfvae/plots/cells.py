"""Draws many examples in one pair of axes, each in a cell of its own."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tfvae.plots import events, figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GAP = 0.09  # between cells, in widths of a cell
_LABEL, _LETTER = 0.17, 0.062  # inches that a word above, and a letter beside, take
_CELL = {events.PICTURES: 0.62, events.SIGNALS: 1.3, events.LABELS: 1.5}  # inches
_LEAST, _MOST = 3.6, 5.6  # inches across a figure
_POINTS = 256  # of a line


class Look(NamedTuple):
    """How the examples of a model are drawn.

    Attributes:
        kind: what they are, see `events.kind_of`.
        range: the values drawn black and white, or at the bottom and the top.
        ratio: height of a cell over its width.
    """

    kind: str
    range: tuple[Any, Any]
    ratio: float


def look_of(vae: Any, *examples: np.ndarray) -> Look:
    """Returns how the examples of a model are drawn: in its own range of values.

    Args:
        vae: the model, of pictures, signals or sequences of labels.
        *examples: arrays `[..., *event]` that are to be drawn, for the range where the model has
            none: the lowest and the highest value, of signals those of each channel.
    """
    kind = events.kind_of(vae)
    shape = vae.event_shape
    if kind == events.SIGNALS:
        rows = [np.reshape(part, (-1, *_signal(shape)[1:])) for part in examples]
        together = np.concatenate(rows)
        return Look(kind, (np.nanmin(together, axis=0), np.nanmax(together, axis=0)), 0.5)
    if kind == events.LABELS:
        return Look(kind, (0.0, 1.0), min(1.0, max(0.25, shape[1] / shape[0])))
    low, high = vae.likelihood.value_range or (
        min(float(np.nanmin(part)) for part in examples),
        max(float(np.nanmax(part)) for part in examples),
    )
    return Look(kind, (low, high), shape[0] / shape[1])


def sheet(
    look: Look,
    examples: np.ndarray,
    labels: Sequence[Sequence[str]] | None = None,
    sides: Sequence[str] = (),
    tops: Sequence[str] = (),
) -> "Figure":
    """Returns a figure of examples in rows and columns.

    Args:
        look: how they are drawn.
        examples: `[rows, columns, *event]`. An example that is NaN throughout is left out.
        labels: a word above each cell, `[rows, columns]`, or None. A row of empty words takes no
            room.
        sides: a word left of each row.
        tops: a word above each column.
    """
    rows, columns = examples.shape[:2]
    across = min(_MOST, max(_LEAST, columns * _CELL[look.kind]))
    unit = across / (columns * (1 + _GAP))  # inches a width of a cell
    tops_of = [any(row) for row in labels] if labels is not None else [False] * rows
    heights = [look.ratio + _GAP + _LABEL / unit * has_label for has_label in tops_of]
    down = sum(heights)

    margins = (0.1 + _LETTER * max(map(len, sides)) if sides else 0.0, _LABEL * bool(tops))
    figure, axes = figures.exact(across, down * unit, *margins)
    figures.bare(axes)
    axes.set(xlim=(0, columns * (1 + _GAP)), ylim=(down, 0))
    bottoms = np.cumsum(heights) - _GAP
    _draw(axes, look, examples, bottoms)
    if labels is not None:
        _write_labels(axes, labels, bottoms - look.ratio)
    _write_edges(axes, look, sides, tops, bottoms)
    return figure


def columns_for(count: int, look: Look, most: int = 8) -> int:
    """Returns how many columns make a sheet of examples about square.

    Args:
        count: how many examples.
        look: how they are drawn.
        most: the most columns.
    """
    most = most if look.kind == events.PICTURES else most // 2
    return max(1, min(count, most, math.ceil(math.sqrt(count * max(look.ratio, 0.5)))))


def in_rows(examples: np.ndarray, columns: int) -> np.ndarray:
    """Returns examples `[N, *event]` in rows, `[rows, columns, *event]`, the last with NaN.

    Args:
        examples: the examples.
        columns: how many in a row.
    """
    missing = -len(examples) % columns
    empty = np.full((missing, *examples.shape[1:]), np.nan, np.float32)
    whole = np.concatenate([np.asarray(examples, np.float32), empty])
    return whole.reshape(-1, columns, *examples.shape[1:])


def words_in_rows(words: Sequence[Any], columns: int) -> list[list[str]]:
    """Returns words in rows as `in_rows` does, the last filled with empty ones.

    Args:
        words: the words.
        columns: how many in a row.
    """
    texts = [*map(str, words), *[""] * (-len(words) % columns)]
    return [texts[first : first + columns] for first in range(0, len(texts), columns)]


def _draw(axes, look, examples, bottoms):
    drawn = _draw_lines if look.kind == events.SIGNALS else _draw_pictures
    drawn(axes, look, examples, bottoms)


def _draw_pictures(axes, look, examples, bottoms):
    low, high = look.range
    limits = {"vmin": low, "vmax": high, "interpolation": "none", "aspect": "auto"}
    for row, column in np.ndindex(examples.shape[:2]):
        example = examples[row, column]
        if np.isnan(example).all():
            continue
        left, bottom = column * (1 + _GAP), bottoms[row]
        place = (left, left + 1, bottom, bottom - look.ratio)
        axes.imshow(_pixels(look, example), extent=place, cmap=_map(look), **limits)
    axes.set(xlim=(0, examples.shape[1] * (1 + _GAP)), ylim=(bottoms[-1] + _GAP, 0))


def _map(look):
    """Returns the colours of numbers; what is missing is drawn in a grey of its own."""
    import matplotlib

    name = "viridis" if look.kind == events.LABELS else "gray"
    return matplotlib.colormaps[name].with_extremes(bad=figures.QUIET)


def _pixels(look, example):
    """Returns what `imshow` takes: `[h, w]`, or colours from 0 to 1, `[h, w, 3]`."""
    if look.kind == events.LABELS:
        return example.T
    if example.shape[-1] != 3 or example.ndim != 3:
        return example.reshape(example.shape[:2])
    low, high = look.range
    unit = (example - low) / max(high - low, 1e-12)
    return np.clip(np.where(np.isnan(unit), 0.5, unit), 0, 1)


def _draw_lines(axes, look, examples, bottoms):
    rows, columns = examples.shape[:2]
    signals = examples.reshape(rows, columns, *_signal(examples.shape[2:]))
    chosen = np.unique(np.linspace(0, signals.shape[2] - 1, _POINTS).astype(int))
    low, high = look.range
    share = (signals[:, :, chosen] - low) / np.maximum(high - low, 1e-12)  # [R, C, T, channels]
    down = bottoms[:, None, None, None] - look.ratio * (0.04 + 0.92 * np.clip(share, 0, 1))
    across = np.linspace(0.02, 0.98, len(chosen)) + np.arange(columns)[:, None] * (1 + _GAP)
    across = np.broadcast_to(across, down.shape[:3])

    _draw_boxes(axes, look, ~np.isnan(share).all(axis=(2, 3)), bottoms)
    for channel in range(signals.shape[-1]):
        # One line for all cells, cut by NaN between them.
        parts = np.stack([across, down[..., channel]], axis=-1).reshape(-1, len(chosen), 2)
        cut = np.full((len(parts), 1, 2), np.nan)
        x, y = np.concatenate([parts, cut], axis=1).reshape(-1, 2).T
        colour = figures.COLOURS[channel % len(figures.COLOURS)]
        axes.plot(x, y, color=colour, linewidth=1.1, clip_on=False)


def _draw_boxes(axes, look, filled, bottoms):
    from matplotlib.patches import Rectangle

    for row, column in np.argwhere(filled):
        corner = (column * (1 + _GAP), bottoms[row] - look.ratio)
        box = Rectangle(corner, 1, look.ratio, facecolor=figures.QUIET, alpha=0.13, linewidth=0)
        axes.add_patch(box)


def _write_labels(axes, labels, tops):
    for row, words in enumerate(labels):
        for column, word in enumerate(words):
            place = (column * (1 + _GAP) + 0.5, tops[row] - 0.03)
            axes.text(*place, word, ha="center", va="bottom", fontsize=7.5)


def _write_edges(axes, look, sides, tops, bottoms):
    for bottom, word in zip(bottoms, sides):
        place = (-0.05, bottom - look.ratio / 2)
        axes.text(*place, word, ha="right", va="center", fontsize=7.5)
    for column, word in enumerate(tops):
        place = (column * (1 + _GAP) + 0.5, -0.05)
        axes.text(*place, word, ha="center", va="bottom", fontsize=7.5)


def _signal(shape):
    """Returns the shape of events as signals: a vector has one channel."""
    return (*shape, 1) if len(shape) == 1 else tuple(shape)
