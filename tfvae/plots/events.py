"""Tells what a model's examples are, and so how they are drawn."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tfvae.datasets.dataset import is_picture, is_signal
from tfvae.errors import invalid
from tfvae.validation import piece_arguments

if TYPE_CHECKING:
    from tfvae.likelihoods import Likelihood
    from tfvae.models.vae import VAE

PICTURES, SIGNALS, LABELS = "pictures", "signals", "sequences of labels"
ROWS = "rows of a table"
_MOST_FEATURES = 12  # of a vector without names; longer ones are drawn as lines


class Feature(NamedTuple):
    """A column of rows.

    Attributes:
        name: its name.
        place: where its elements lie in a row.
        labels: what the elements of a one-hot vector, or 0 and 1, stand for; none of numbers.
    """

    name: str
    place: slice
    labels: tuple[str, ...] = ()

    def values(self, x: np.ndarray) -> np.ndarray:
        """Returns the numbers of the column, or the positions of its labels; NaN if missing.

        Args:
            x: rows `[N, E]`, drawn from p(x|z) or given.

        Returns:
            `[N]`.
        """
        block = np.asarray(x, np.float64)[:, self.place]
        if block.shape[1] == 1:
            return np.round(block[:, 0]) if self.labels else block[:, 0]
        missing = np.isnan(block).any(axis=1)
        return np.where(missing, np.nan, np.nan_to_num(block).argmax(axis=1))


def check_model(vae: "VAE") -> None:
    """Refuses anything but a model.

    Raises:
        InputTypeError: anything else.
    """
    piece_arguments.check_model(vae, "to draw")


def kind_of(vae: "VAE") -> str:
    """Returns what the examples of a model are: `PICTURES`, `SIGNALS`, `LABELS` or `ROWS`.

    Args:
        vae: the model. Vectors of more than 12 elements without names count as signals.

    Raises:
        InputError: examples of another shape.
        InputTypeError: anything but a model.
    """
    check_model(vae)
    shape, name = vae.event_shape, type(base_of(vae.likelihood)).__name__
    if len(shape) == 1:
        is_wide = math.prod(shape) > _MOST_FEATURES and name not in ("Columns", "Categorical")
        return SIGNALS if is_wide else ROWS
    if len(shape) == 2 and name == "Categorical":
        return LABELS
    if is_signal(shape):
        return SIGNALS
    if is_picture(shape):
        return PICTURES
    raise invalid(
        "a model of pictures [h, w] or [h, w, 1 or 3], signals [T, C] or rows [E]",
        f"events of shape {list(shape)}",
        "draw parts of vae.sample(n) with tfvae.plots.grid",
    )


def check_kind(vae: "VAE", kinds: tuple[str, ...], what: str) -> None:
    """Refuses a model whose examples a plot is not about.

    Args:
        vae: the model.
        kinds: what its examples may be.
        what: name of the plot.

    Raises:
        InputError: examples of another kind.
    """
    found = kind_of(vae)
    if found not in kinds:
        fix = "use plots.samples or plots.reconstructions"
        raise invalid(f"a model of {' or '.join(kinds)}, for plots.{what}", f"{found}", fix)


def base_of(likelihood: "Likelihood") -> Any:
    """Returns the likelihood within `Rescaled`, `Observed` and the like."""
    while hasattr(likelihood, "base"):
        likelihood = likelihood.base
    return likelihood


def features(vae: "VAE") -> list[Feature]:
    """Returns the columns of the rows of a model.

    Args:
        vae: the model, of rows.
    """
    likelihood = base_of(vae.likelihood)
    if not hasattr(likelihood, "likelihoods"):
        return _without_names(likelihood, vae.event_shape[0])

    ends = np.cumsum(likelihood.widths)
    columns = zip(likelihood.names, likelihood.likelihoods, likelihood.widths, ends)
    return [
        Feature(name, slice(int(end) - width, int(end)), _labels(likelihood, name, part, width))
        for name, part, width, end in columns
    ]


def _labels(columns, name, part, width):
    """Returns what the elements of a column stand for, or nothing for numbers."""
    known = tuple(map(str, columns.labels.get(name, ())))
    kind = type(base_of(part)).__name__
    count = {"Categorical": width, "Bernoulli": 2}.get(kind, 0)
    return known or tuple(map(str, range(count)))


def _without_names(likelihood, size):
    kind = type(likelihood).__name__
    if kind == "Categorical":
        return [Feature("x", slice(0, size), tuple(map(str, range(size))))]
    labels = ("0", "1") if kind == "Bernoulli" else ()
    return [Feature(f"x{i}", slice(i, i + 1), labels) for i in range(size)]
