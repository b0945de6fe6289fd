"""Draws what a model makes: samples, reconstructions, and ways through its latent."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tfvae.errors import invalid
from tfvae.plots import cells, events, figures, rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tfvae.models.vae import VAE

_MOST = 256  # examples in a figure


@figures.styled
def samples(
    vae: "VAE",
    n: int = 64,
    seed: int = 0,
    y: npt.ArrayLike | None = None,
    *,
    draw: bool = False,
    labels: Sequence[Any] | None = None,
    columns: int | None = None,
) -> "Figure":
    """Draws samples of a model, in the model's own range of values.

    Pictures and sequences of labels are drawn as such, signals and long vectors as lines, the
    rows of a table as a table of the first 12.

    Args:
        vae: the model.
        n: how many samples, at most 256.
        seed: their seed; the samples are those of `vae.sample(n, seed)`.
        y: conditions `[n, ...]` of a conditional model. Of labels by default as many of each.
        draw: whether to draw x ~ p(x|z) instead of taking its mean. Rows are always drawn.
        labels: a word above each sample; by default the conditions, where they are labels.
        columns: how many in a row.

    Returns:
        The figure.

    Raises:
        InputError: too many samples, labels of another number, or as `VAE.sample`.
        InputTypeError: anything but a model.
    """
    kind = events.kind_of(vae)
    from tfvae.plots import model_calls

    figures.few(range(n), _MOST, "samples in a figure", "draw fewer, n=64")
    y = model_calls.conditions(vae, n, y)
    x = np.asarray(vae.sample(n, seed=seed, y=y, draw=draw or kind == events.ROWS))
    if kind == events.ROWS:
        return rows.as_table(events.features(vae), x)
    words = _words(labels if labels is not None else _condition_words(vae, y), n)
    return _grid(cells.look_of(vae, x), x, words, columns)


@figures.styled
def reconstructions(
    vae: "VAE",
    x: npt.ArrayLike,
    y: npt.ArrayLike | None = None,
    *,
    labels: Sequence[Any] | None = None,
    columns: int | None = None,
) -> "Figure":
    """Draws examples, and below each what the model makes of it.

    Of rows each column has a panel: of numbers the reconstruction against the original, of labels
    how probable the model finds the right one.

    Args:
        vae: the model.
        x: examples `[N, *event]`, at most 256 unless they are rows.
        y: conditions `[N, ...]` of a conditional model.
        labels: a word above each example.
        columns: how many in a row.

    Returns:
        The figure.

    Raises:
        InputError: examples that the model does not take, too many, or labels of another number.
        InputTypeError: anything but a model.
    """
    kind = events.kind_of(vae)
    from tfvae.plots import model_calls

    x = model_calls.checked(vae, x, y)
    made = model_calls.reconstructed(vae, x, y)
    if kind == events.ROWS:
        return rows.beside(events.features(vae), x, made, columns)

    figures.few(x, _MOST, "examples in a figure", "draw fewer, x[:24]")
    look = cells.look_of(vae, x, made)
    columns = columns or cells.columns_for(2 * len(x), look)
    pairs = [cells.in_rows(part, columns) for part in (x, made)]
    both = np.stack(pairs, axis=1).reshape(-1, *pairs[0].shape[1:])
    words = _words(labels, len(x)) or [""] * len(x)
    empty = [""] * columns
    above = [line for row in cells.words_in_rows(words, columns) for line in (row, empty)]
    return cells.sheet(look, both, above, ["original", "made"] * len(pairs[0]))


@figures.styled
def traversals(
    vae: "VAE",
    x: npt.ArrayLike | None = None,
    y: npt.ArrayLike | None = None,
    *,
    dimensions: Sequence[int] | None = None,
    steps: int = 9,
    span: float = 3.0,
    seed: int = 0,
) -> "Figure":
    """Draws what each latent does: one changes along a row, the others stay.

    A real latent takes values from -span to span; on a sphere the latent turns towards an axis
    and away from it; of classes each takes its turn.

    Args:
        vae: the model.
        x: examples `[N, *event]`. The first is where the rows start, and those latents are drawn
            whose locations vary most over all of them. None for the first sample of a seed.
        y: conditions `[N, ...]` of a conditional model; the first counts.
        dimensions: which latents, of those that the decoder takes; by default at most 8.
        steps: values of a latent.
        span: the largest value.
        seed: the seed of the sample, if there is no x.

    Returns:
        The figure. Of rows each latent has a panel with a line of shades for each column.

    Raises:
        InputError: examples that the model does not take, latents that it does not have, or fewer
            than 2 steps.
        InputTypeError: anything but a model.
    """
    kind = events.kind_of(vae)
    from tfvae.plots import ways

    way = ways.traversed(vae, x, y, dimensions, steps, span, seed)
    if kind == events.ROWS:
        return rows.shades(vae, way)
    return cells.sheet(cells.look_of(vae, way.x), way.x, None, way.sides, way.tops)


@figures.styled
def interpolation(
    vae: "VAE",
    start: npt.ArrayLike,
    end: npt.ArrayLike,
    y: npt.ArrayLike | None = None,
    *,
    steps: int = 9,
    method: str = "linear",
) -> "Figure":
    """Draws the way from examples to others, through their latents.

    Args:
        vae: the model.
        start: examples `[N, *event]`, at most 16.
        end: as many others.
        y: conditions `[N, ...]` of a conditional model, the same along a way.
        steps: cells of a strip, with both ends' reconstructions.
        method: "linear", the straight line (of latents on a sphere the great circle above it);
            "spherical", with the angle in equal steps, whose latents are as long as those of the
            prior; or "both", one strip above the other.

    Returns:
        The figure. Of rows each way has a panel with a line of shades for each column.

    Raises:
        InputError: examples that the model does not take, or of different numbers; another
            method, or one that the latent does not allow; fewer than 2 steps.
        InputTypeError: anything but a model.
    """
    kind = events.kind_of(vae)
    from tfvae.plots import ways

    way = ways.between(vae, start, end, y, steps, method)
    if kind == events.ROWS:
        return rows.shades(vae, way)
    return cells.sheet(cells.look_of(vae, way.x), way.x, None, way.sides, way.tops)


def _grid(look, x, words, columns):
    """Returns a sheet of examples with a word above each, or none."""
    columns = columns or cells.columns_for(len(x), look)
    labels = None if words is None else cells.words_in_rows(words, columns)
    return cells.sheet(look, cells.in_rows(x, columns), labels)


def _words(labels, count):
    """Returns labels as words, one for each example."""
    if labels is None:
        return None
    words = [str(label) for label in np.asarray(labels).reshape(-1)]
    if len(words) != count:
        fix = "pass a label for each"
        raise invalid(f"{count} labels beside {count} examples", f"{len(words)}", fix)
    return words


def _condition_words(vae, y):
    return None if y is None or not vae.num_classes else np.asarray(y).reshape(-1).tolist()
