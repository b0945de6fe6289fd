"""Labels of the data as conditions: of a model p(x|z, y), and of samples for each of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae.errors import invalid

if TYPE_CHECKING:
    from tfvae.datasets import Dataset
    from tfvae.models.vae import VAE

LABELS = "labels"


def check(condition: str | None, dataset: "Dataset") -> None:
    """Refuses a condition that the data do not have.

    Args:
        condition: `--condition`, or None.
        dataset: the data.

    Raises:
        InputError: anything but "labels", or data without labels.
    """
    if condition is None:
        return
    if condition != LABELS:
        fix = "give --condition labels, or leave it out"
        raise invalid(f"--condition {LABELS}", f"--condition {condition}", fix)
    if dataset.y_train is None or dataset.y_test is None:
        fix = "sort the images into a folder for each label, or put y beside x into the .npz"
        raise invalid(f"labels beside {dataset.name}, for --condition labels", "none", fix)


def of_model(dataset: "Dataset") -> int | tuple[int, ...]:
    """Returns the argument `condition` of a builder: a number of labels, or the shape of numbers.

    Args:
        dataset: the data, with labels or conditions.
    """
    parts = [y for _, y in dataset if y is not None]
    if parts[0].ndim == 1 and parts[0].dtype.kind in "iu":
        return max(len(dataset.classes), *(int(y.max()) + 1 for y in parts))
    return parts[0].shape[1:]


def given(vae: "VAE", y: np.ndarray | None) -> np.ndarray | None:
    """Returns the labels of data for a model that takes them, else None.

    Args:
        vae: the model.
        y: labels or conditions `[N, ...]`, or None.
    """
    return None if vae.condition_shape is None else y


def of_samples(
    metadata: Mapping[str, Any],
    count: int,
    label: str | None = None,
    classes: Sequence[str] = (),
    known: np.ndarray | None = None,
) -> Callable[[int, int], np.ndarray | None]:
    """Returns a function that gives the conditions of samples.

    Args:
        metadata: the content of the file's sidecar.
        count: how many samples there will be.
        label: one label for all of them, a number or a name; None for as many samples of each.
        classes: names of the labels, if they are known.
        known: conditions `[M, ...]` to take in turn, for a model of numbers.

    Returns:
        A function of (first, size) that returns y `[size, ...]`, or None for a model without
        conditions.

    Raises:
        InputError: a label of a model without labels, one that there is not, or a model whose
            conditions are numbers that are not known.
    """
    shape, labels = metadata.get("condition_shape"), metadata.get("num_classes")
    if shape is None and label is None:
        return lambda first, size: None
    if label is None and not labels and known is not None:
        return lambda first, size: known[np.arange(first, first + size) % len(known)]
    if not labels:
        received = "a model without conditions" if shape is None else "conditions of numbers"
        numbers = "use tfvae.export.Sampler(file).sample(n, y=y)"
        fix = "leave --label out" if shape is None else numbers
        raise invalid("a model of labels", received, fix)

    if label is not None:
        number = _number(label, labels, classes)
        return lambda first, size: np.full(size, number, np.int32)
    return lambda first, size: np.arange(first, first + size) * labels // max(count, labels)


def _number(label, labels, classes):
    if label in classes:
        return list(classes).index(label)
    if label.isascii() and label.isdigit() and int(label) < labels:
        return int(label)
    known = f" or one of {', '.join(classes)}" if classes else ""
    expected = f"--label to be a number from 0 to {labels - 1}{known}"
    raise invalid(expected, repr(label), "give one of these")
