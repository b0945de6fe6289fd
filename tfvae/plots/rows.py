"""Draws the rows of a table: as text, beside their reconstructions, along ways of the latent."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae.plots import figures
from tfvae.plots.events import Feature, features

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tfvae.models.vae import VAE

_SHOWN, _WIDE = 12, 5  # rows of a table, and columns side by side
_PANELS, _WAYS = 12, 2  # in a figure, and in a row
_POINTS = 1000
_ELEMENTS = 24  # lines of shades in a panel
_LETTERS = 14  # of a name


def as_table(columns: Sequence[Feature], x: np.ndarray) -> "Figure":
    """Returns a figure with the first rows as text; further columns stand below.

    Args:
        columns: the columns, of which the first 15 are written.
        x: rows `[N, E]`.
    """
    blocks = [columns[i : i + _WIDE] for i in range(0, min(len(columns), 3 * _WIDE), _WIDE)]
    x = x[: _SHOWN // len(blocks)]
    height = len(x) + 2
    wide = max(map(len, blocks))
    figure, axes = figures.exact(0.95 * max(3, wide), 0.24 * (height * len(blocks) - 1))
    figures.bare(axes)
    axes.set(xlim=(0, wide), ylim=(height * len(blocks) - 1, 0))
    for block, part in enumerate(blocks):
        axes.plot([0, len(part)], [block * height + 1] * 2, color=figures.INK, linewidth=0.8)
        for i, column in enumerate(part):
            _write_column(axes, column, x, (i + 0.95, block * height + 0.5))
    return figure


def _write_column(axes, column, x, place):
    """Writes a name and the values below it."""
    words = [short(column.name), *map(column_word(column), column.values(x))]
    style = {"ha": "right", "va": "center", "fontsize": 8.5}
    for row, word in enumerate(words):
        weight = "normal" if row else "bold"
        axes.text(place[0], place[1] + row, word, fontweight=weight, **style)


def column_word(column: Feature) -> Any:
    """Returns a function from a value of a column to a word for it.

    Args:
        column: the column.
    """

    def word(value):
        if math.isnan(value):
            return ""
        if column.labels:
            return short(column.labels[min(int(value), len(column.labels) - 1)])
        return f"{value:.4g}"

    return word


def short(text: Any) -> str:
    """Returns a text, a long one cut."""
    text = str(text)
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"


def beside(
    columns: Sequence[Feature], x: np.ndarray, made: np.ndarray, across: int | None = None
) -> "Figure":
    """Returns a figure with a panel for each column: originals and reconstructions.

    Args:
        columns: the columns, of which the first 12 are drawn.
        x: rows `[N, E]`.
        made: their reconstructions `[N, E]`, of labels the probabilities.
        across: panels in a row.
    """
    figure, axes = panels(len(columns), _PANELS, across)
    for each, column in zip(axes, columns):
        each.set_title(short(column.name))
        draw = _right_ones if column.labels else _pairs
        draw(each, column, x[:_POINTS], made[:_POINTS])
    return figure


def panels(
    count: int, most: int, across: int | None = None, size: tuple[float, float] = (2.3, 1.9)
) -> Any:
    """Returns a figure with axes for the first of several columns.

    Args:
        count: how many columns.
        most: how many are drawn at most.
        across: how many in a row; by default 3.
        size: width and height of a panel, in inches.
    """
    count = min(count, most)
    across = min(across or 3, count)
    figure, axes = figures.new(math.ceil(count / across), across, size)
    for left_over in axes[count:]:
        left_over.set_visible(False)
    return figure, axes[:count]


def _pairs(axes, column, x, made):
    original, reconstructed = x[:, column.place][:, 0], made[:, column.place][:, 0]
    both = np.concatenate([original, reconstructed])
    ends = [float(np.nanmin(both)), float(np.nanmax(both))]
    axes.plot(ends, ends, color=figures.QUIET, linewidth=0.8)
    axes.plot(original, reconstructed, ".", markersize=2.5, color=figures.COLOURS[0], alpha=0.6)
    axes.set(xlabel="original", ylabel="reconstruction")


def _right_ones(axes, column, x, made):
    """Draws how probable the right label is."""
    right = column.values(x)
    probabilities = made[:, column.place]
    if probabilities.shape[1] == 1:
        probabilities = np.concatenate([1 - probabilities, probabilities], axis=1)
    known = ~np.isnan(right)
    found = probabilities[known, right[known].astype(int)]
    axes.hist(found, np.linspace(0, 1, 21), color=figures.COLOURS[0])
    axes.set(xlabel="probability of the right label", ylabel="rows", xlim=(0, 1))


def shades(vae: "VAE", way: Any) -> "Figure":
    """Returns a figure of ways through the latent: a panel for each, in it a line for each column.

    A shade is how far the expected value lies above or below the middle, in units of its largest
    distance from it over all ways; of labels the probability.

    Args:
        vae: the model, of rows.
        way: what it makes, see `ways.Way`.
    """
    names, values = _elements(features(vae), way.x)
    titles = way.sides or [f"pair {i + 1}" for i in range(len(way.x))]
    tall = max(1.2, 0.17 * len(names) + 0.5)
    figure, axes = panels(len(way.x), _PANELS, _WAYS, (2.4, tall))
    for i, (each, title) in enumerate(zip(axes, titles)):
        shown = each.imshow(values[i].T, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
        each.grid(visible=False)
        each.set_title(title)
        each.set_yticks(range(len(names)), names if i % _WAYS == 0 else [""] * len(names))
        ends = [0, len(way.tops) - 1] if way.tops else []
        each.set_xticks(ends, [way.tops[end] for end in ends])
    figure.colorbar(shown, ax=list(axes), label="low to high", ticks=[], fraction=0.04)
    return figure


def _elements(columns, x):
    """Returns names of lines, and their values from -1 to 1, `[ways, steps, lines]`."""
    names: list[str] = []
    lines = []
    for column in columns:
        block = x[..., column.place]
        is_one = block.shape[-1] == 1
        words = [column.name] if is_one else [f"{column.name}={word}" for word in column.labels]
        names += map(short, words)
        lines.append(_centred(block) if not column.labels else 2 * block - 1)
    return names[:_ELEMENTS], np.concatenate(lines, axis=-1)[..., :_ELEMENTS]


def _centred(block):
    """Returns numbers between -1 and 1, 0 in the middle of the least and the greatest."""
    low, high = block.min(), block.max()
    return (2 * block - low - high) / max(high - low, 1e-12)
