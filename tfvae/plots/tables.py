"""Compares what a model draws with what it has learned from: each column, and pairs of them."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tfvae.errors import invalid
from tfvae.plots import events, figures, rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tfvae.models.vae import VAE

_DRAWN = 2000  # examples
_MOST_PANELS = 24
_BINS = 30
_NAMES = ("held out", "drawn")
_BARS = 20  # labels
_MOST_CORRELATED = 40  # elements
_NAMED = 20  # elements whose names fit beside a picture


@figures.styled
def marginals(
    vae: "VAE",
    x: npt.ArrayLike,
    y: npt.ArrayLike | None = None,
    *,
    drawn: npt.ArrayLike | None = None,
    seed: int = 0,
    columns: int = 3,
) -> "Figure":
    """Draws how often each value occurs, in examples and in as many draws of the model.

    Of rows there is a panel for each column (24 at most), of signals one for each channel, of
    pictures one for all values, of sequences of labels one for the labels.

    Args:
        vae: the model.
        x: examples `[N, *event]`, held out ones.
        y: conditions `[N, ...]` of a conditional model; the draws have the same.
        drawn: draws of the model `[M, *event]`, such as those of its exported file; by default
            they are made here.
        seed: the seed of the draws.
        columns: panels in a row.

    Returns:
        The figure.

    Raises:
        InputError: examples that the model does not take.
        InputTypeError: anything but a model.
    """
    kind = events.kind_of(vae)
    pair = _pair(vae, x, y, drawn, seed)
    compared = _columns(vae, kind)
    figure, axes = rows.panels(len(compared), _MOST_PANELS, columns)
    blocks = [_as_rows(part, kind) for part in pair]
    for each, column in zip(axes, compared):
        values = [column.values(block) for block in blocks]
        draw = _bars if column.labels else _histograms
        draw(each, column, *[part[~np.isnan(part)] for part in values])
        each.set_title(rows.short(column.name))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


@figures.styled
def correlations(
    vae: "VAE",
    x: npt.ArrayLike,
    y: npt.ArrayLike | None = None,
    *,
    drawn: npt.ArrayLike | None = None,
    seed: int = 0,
    columns: int = 3,
) -> "Figure":
    """Draws the correlations of columns or channels: of examples, of draws, and their difference.

    A category counts as the elements of its one-hot vector.

    Args:
        vae: the model, of rows or signals.
        x: examples `[N, *event]`, held out ones.
        y: conditions `[N, ...]` of a conditional model; the draws have the same.
        drawn: draws of the model `[M, *event]`; by default they are made here.
        seed: the seed of the draws.
        columns: panels in a row.

    Returns:
        The figure.

    Raises:
        InputError: examples that the model does not take; pictures, or a single column.
        InputTypeError: anything but a model.
    """
    events.check_kind(vae, (events.ROWS, events.SIGNALS), "correlations")
    kind = events.kind_of(vae)
    names, chosen = _correlated(_columns(vae, kind))
    if len(names) < 2:
        fix = "use plots.marginals"
        raise invalid("two columns or channels to correlate", f"{len(names)}", fix)
    pair = [_as_rows(part, kind)[:, chosen] for part in _pair(vae, x, y, drawn, seed)]
    real, made = map(_correlation, pair)
    figure, axes = rows.panels(3, 3, columns, (2.5, 2.5))
    for each, values, title in zip(
        axes, (real, made, made - real), ("held out", "drawn", "difference")
    ):
        shown = each.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1)
        each.grid(visible=False)
        each.set_title(title)
        _name_ticks(each, names if len(names) <= _NAMED else [], each is axes[0])
    figure.colorbar(shown, ax=list(axes), fraction=0.02, label="correlation")
    return figure


def _pair(vae, x, y, drawn, seed):
    """Returns examples and draws of the model."""
    from tfvae.plots import model_calls

    x = model_calls.checked(vae, x, y)[:_DRAWN]
    if drawn is not None:
        return x, model_calls.data_checks.check_events(
            drawn, vae.likelihood, vae.event_shape, "drawn"
        )
    y = None if y is None else np.asarray(y)[: len(x)]
    return x, np.asarray(vae.sample(len(x), seed=seed, y=y, draw=True))


def _columns(vae, kind) -> list[events.Feature]:
    """Returns what is compared: columns, channels, or all values of pictures at once."""
    shape = vae.event_shape
    if kind == events.ROWS:
        return events.features(vae)
    if kind == events.LABELS:
        return [events.Feature("label", slice(0, shape[-1]), tuple(map(str, range(shape[-1]))))]
    if kind == events.SIGNALS and len(shape) == 2:
        return [events.Feature(f"channel {i}", slice(i, i + 1)) for i in range(shape[1])]
    return [events.Feature("all values", slice(0, 1))]


def _as_rows(x: Any, kind: str) -> np.ndarray:
    """Returns examples as rows of their columns: of signals a row is a time step."""
    x = np.asarray(x, np.float32)
    if kind == events.ROWS:
        return x
    is_wide = kind == events.PICTURES or x.ndim == 2
    return x.reshape(-1, 1) if is_wide else x.reshape(-1, x.shape[-1])


def _histograms(axes, column, real, made):
    del column
    low, high = np.quantile(np.concatenate([real, made]), [0.002, 0.998])
    bins = np.linspace(low, high, _BINS + 1) if low < high else _BINS
    colours = figures.COLOURS
    axes.hist(real, bins, density=True, color=colours[0], alpha=0.45, label=_NAMES[0])
    style = {"histtype": "step", "linewidth": 1.4, "label": _NAMES[1]}
    axes.hist(made, bins, density=True, color=colours[1], **style)
    axes.set_yticks([])


def _bars(axes, column, real, made):
    labels = column.labels[:_BARS]
    at = np.arange(len(labels))
    for i, values in enumerate((real, made)):
        shares = [float(np.mean(values == label)) if len(values) else 0.0 for label in at]
        axes.bar(at + 0.4 * i - 0.2, shares, 0.4, color=figures.COLOURS[i], label=_NAMES[i])
    is_long = sum(map(len, labels)) > _NAMED
    axes.set_xticks(at, list(map(rows.short, labels)), rotation=60 if is_long else 0)
    axes.grid(visible=False, axis="x")


def _correlated(columns):
    """Returns names of elements and where they lie in a row; of 0 and 1 there is one."""
    names: list[str] = []
    places: list[int] = []
    for column in columns:
        wide = range(column.place.start, column.place.stop)
        one = len(wide) == 1
        names += [column.name] if one else [f"{column.name}={word}" for word in column.labels]
        places += wide
    return list(map(rows.short, names[:_MOST_CORRELATED])), places[:_MOST_CORRELATED]


def _correlation(values):
    """Returns the correlations of columns `[N, E]`, over pairs of which neither is missing."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, values - np.nansum(values, axis=0) / count, 0.0).astype(np.float64)
    products = centred.T @ centred
    squares = (centred**2).T @ known  # of column i where column j is known
    return products / np.maximum(np.sqrt(squares * squares.T), 1e-12)


def _name_ticks(axes, names, with_rows):
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=6.5)
    axes.set_yticks(range(len(names)), names if with_rows else [""] * len(names), fontsize=6.5)
