"""What the page of a run is about: a model, its held-out examples, and its report."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tfvae.app import conditions
from tfvae.plots import events

if TYPE_CHECKING:
    from tfvae.datasets import Dataset
    from tfvae.models.vae import VAE

MOST_LABELS = 40  # different ones that colours and marks can tell apart


class Subject(NamedTuple):
    """What the page is about.

    Attributes:
        vae: the model.
        kind: what its examples are, see `events.kind_of`.
        x: held-out examples.
        y: their conditions, or None.
        labels: their labels, or None.
        classes: names of the labels.
        report: the report of the run.
    """

    vae: "VAE"
    kind: str
    x: np.ndarray
    y: np.ndarray | None
    labels: np.ndarray | None
    classes: tuple[str, ...]
    report: Mapping[str, Any]

    def first(self, count: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns the first held-out examples and their conditions.

        Args:
            count: how many at most.
        """
        return self.x[:count], None if self.y is None else self.y[:count]

    def words(self, count: int) -> list[str] | None:
        """Returns the labels of the first held-out examples in words, or None.

        Args:
            count: how many at most.
        """
        if self.labels is None:
            return None
        return [word(label, self.classes) for label in self.labels[:count]]


def subject(vae: "VAE", dataset: "Dataset", report: Mapping[str, Any]) -> Subject:
    """Returns what the page of a run is about.

    Args:
        vae: the model.
        dataset: its data.
        report: the report of the run.
    """
    labels = dataset.y_test
    if labels is not None and not _are_names(labels):
        labels = None
    y = conditions.given(vae, dataset.y_test)
    kind = events.kind_of(vae)
    return Subject(vae, kind, dataset.x_test, y, labels, dataset.classes, report)


def word(label: int, classes: Sequence[str]) -> str:
    """Returns the name of a label, or its number.

    Args:
        label: the label.
        classes: the names of labels, as far as they are known.
    """
    return str(classes[label]) if 0 <= label < len(classes) else str(label)


def _are_names(labels):
    """Returns whether labels are a few whole numbers."""
    is_whole = labels.ndim == 1 and labels.dtype.kind in "iu"
    return is_whole and len(np.unique(labels)) <= MOST_LABELS
