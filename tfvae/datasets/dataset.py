"""Data of a run: examples to train on, and examples held out."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfvae.datasets import storage
from tfvae.errors import invalid

if TYPE_CHECKING:
    from tfvae.datasets.table import Table

_SPLIT_SEED = 0
CHANNELS = 16  # of a signal, fewer; it has as many time steps at least
_HELD_OUT = 6  # one example in six is held out; MNIST has 10,000 test images beside 60,000


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Arrays to train on, and arrays held out.

    `(x_train, y_train), (x_test, y_test) = dataset` works as well.

    Attributes:
        name: the name of the data, or the path it came from.
        x_train: examples to train on, float32 `[N, *event]`; of more than 1 GiB a `numpy.memmap`,
            which lies on disk and which `fit` reads batch by batch.
        x_test: held-out examples, likewise.
        y_train: labels of `x_train`, int32 `[N]`, or None.
        y_test: labels of `x_test`, int32 `[N]`, or None.
        note: how the values were changed, in words for a report.
        classes: the names of the labels 0, 1, ..., where the data have names.
        table: the columns of which x is made, or None.
        was_split: True if both parts are of one array, which `split` has split.
    """

    name: str
    x_train: np.ndarray
    x_test: np.ndarray
    y_train: np.ndarray | None = None
    y_test: np.ndarray | None = None
    note: str = ""
    classes: tuple[str, ...] = ()
    table: "Table | None" = None
    was_split: bool = False

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Yields `(x_train, y_train)` and `(x_test, y_test)`."""
        return iter(((self.x_train, self.y_train), (self.x_test, self.y_test)))

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.x_train.shape[1:]


def is_signal(event_shape: Sequence[int]) -> bool:
    """Returns True for the shape (T, C) of signals: many time steps of a few channels.

    Args:
        event_shape: the shape of one example.
    """
    return len(event_shape) == 2 and event_shape[1] < CHANNELS <= event_shape[0]


def is_picture(event_shape: Sequence[int]) -> bool:
    """Returns True for the shape (H, W), (H, W, 1) or (H, W, 3) of pictures.

    Args:
        event_shape: the shape of one example.
    """
    return len(event_shape) == 2 or (len(event_shape) == 3 and event_shape[-1] in (1, 3))


def check_shape(event_shape: Sequence[int]) -> None:
    """Refuses examples of a shape that a run cannot draw.

    Args:
        event_shape: the shape of one example.

    Raises:
        InputError: neither rows, signals, nor pictures of 1 or 3 channels.
    """
    if len(event_shape) != 1 and not is_picture(event_shape):
        raise invalid(
            "rows [D], signals [T, C] or pictures [H, W] or [H, W, 1 or 3], which a run draws",
            f"examples of shape {list(event_shape)}",
            "keep 1 or 3 channels, such as x[..., :3]; or train by model.fit in Python, which"
            " takes any shape",
        )


def check_batches(dataset: Dataset, batch_size: int) -> None:
    """Refuses a data set with too few examples to fill one batch.

    Args:
        dataset: the data.
        batch_size: how many examples a batch has.

    Raises:
        InputError: fewer examples to train on.
    """
    count = len(dataset.x_train)
    if count < batch_size:
        raise invalid(
            f"at least one batch of {batch_size} examples to train on",
            f"{count} examples in {dataset.name}",
            f"set the batch size to {max(count, 1)} or less, or give more data",
        )


def split(
    name: str,
    x: np.ndarray,
    y: np.ndarray | None = None,
    note: str = "",
    classes: tuple[str, ...] = (),
    least: int = 2,
) -> Dataset:
    """Splits examples and labels: a random sixth is held out, always the same.

    Args:
        name: the name of the data, or their path.
        x: examples, `[N, *event]`.
        y: labels or conditions, `[N, ...]`, or None.
        note: how the values were changed.
        classes: the names of the labels.
        least: as for `parts`.

    Raises:
        InputError: fewer examples.
    """
    train, test, held_out = parts(name, len(x), least)
    note = f"{note}; {held_out}".lstrip("; ")
    x_train, x_test = (storage.taken(x, rows, name) for rows in (train, test))

    if y is None:
        return Dataset(name, x_train, x_test, note=note, was_split=True)
    labels = {"y_train": y[train], "y_test": y[test], "classes": classes}
    return Dataset(name, x_train, x_test, note=note, was_split=True, **labels)


def parts(name: str, count: int, least: int = 2) -> tuple[np.ndarray, np.ndarray, str]:
    """Returns the numbers of the examples to train on and of those to hold out, and a note.

    Args:
        name: the name of the data, or their path.
        count: how many examples there are.
        least: how many there must be; with 1, one alone is held out and none is trained on.

    Raises:
        InputError: fewer examples.
    """
    if count < least:
        expected = f"examples to train on and to hold out in {name}"
        expected = expected if least > 1 else f"an example in {name}"
        raise invalid(expected, f"{count} examples", "give more data")

    order = np.random.default_rng(_SPLIT_SEED).permutation(count)
    held_out = max(1, count // _HELD_OUT)
    note = f"a random sixth held out, seed {_SPLIT_SEED}"
    return order[held_out:], order[:held_out], note


def joined(dataset: Dataset) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns examples to work on: all, in the order of their file, if `split` has split them.

    Args:
        dataset: the data.

    Returns:
        (x, y): `[N, *event]`, and `[N, ...]` or None. Of data that come in two parts, those held
        out.
    """
    if not dataset.was_split:
        return dataset.x_test, dataset.y_test

    train, test, _ = parts(dataset.name, len(dataset.x_test) + len(dataset.x_train), least=1)
    rows = np.argsort(np.concatenate([test, train]))
    x = storage.joined([dataset.x_test, dataset.x_train], rows, dataset.name)
    if dataset.y_test is None or dataset.y_train is None:
        return x, None
    return x, np.concatenate([dataset.y_test, dataset.y_train])[rows]
