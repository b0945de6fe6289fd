"""Refuses kinds of data that a VAE cannot be trained on, or whose meaning would be lost."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tfvae.errors import invalid

_MAX_FLOAT32 = float(np.finfo(np.float32).max)


def check_kind(x: Any, name: str = "x") -> None:
    """Refuses a dictionary, a sparse matrix, and an array with masked elements.

    Args:
        x: the data, of any kind.
        name: name of the data, for the message.

    Raises:
        InputError: one of these kinds; the message says what to pass instead.
    """
    if isinstance(x, dict):
        first = next(iter(x), "image")
        raise invalid(
            f"one array of examples as {name}, or batches of them",
            f"a dictionary with the keys {list(x)}",
            f"pass the array that is to be modelled, such as {name}[{first!r}]; "
            "of a dataset, map it first",
        )
    if hasattr(x, "toarray") and hasattr(x, "nnz"):
        raise invalid(
            f"{name} as a dense array", f"a sparse {type(x).__name__}", f"pass {name}.toarray()"
        )
    if isinstance(x, np.ma.MaskedArray) and np.ma.getmaskarray(x).any():
        raise invalid(
            f"{name} without masked elements, since a mask would be lost",
            f"a masked array in which {int(np.ma.getmaskarray(x).sum())} elements are masked",
            f"pass {name}.filled(numpy.nan), and likelihoods.Observed(...) as the likelihood",
        )


def as_array(x: Any, name: str = "x") -> np.ndarray:
    """Returns data as a NumPy array.

    Args:
        x: an array, a tensor, a data frame, or lists within lists.
        name: name of the data, for the message.

    Raises:
        InputError: lists of different lengths.
    """
    try:
        return np.asarray(x)
    except ValueError as error:
        received, fix = "lists of different lengths", "make all examples alike in shape"
        raise invalid(f"{name} as an array", received, fix) from error


def check_numbers(x: np.ndarray, name: str = "x") -> None:
    """Refuses an array without numbers, or with numbers too large for float32.

    Args:
        x: the array.
        name: name of the array, for the message.

    Raises:
        InputError: a dtype that is neither numeric nor Boolean, or a finite number beyond float32.
    """
    if x.dtype.kind not in "fiub":
        raise invalid(
            f"numbers in {name}",
            f"dtype {x.dtype}",
            f"convert {name} to float32; of pandas columns, "
            f"{name}.to_numpy('float32', na_value=numpy.nan)",
        )

    if x.dtype.kind != "f" or x.dtype.itemsize <= 4 or not x.size:
        return
    with np.errstate(invalid="ignore"):
        beyond = np.isfinite(x) & (np.abs(x) > _MAX_FLOAT32)
    expected = f"{name} within float32, which networks compute in"
    _refuse_first(beyond, x, name, expected, f"scale {name}, or repair that value")


def check_weights(sample_weight: npt.ArrayLike | None, name: str = "sample_weight") -> None:
    """Refuses weights of examples that are not finite numbers.

    Args:
        sample_weight: the weights, or None for no weights.
        name: name of the weights, for the message.

    Raises:
        InputError: weights that are not finite numbers; the message has the first one.
    """
    if sample_weight is None:
        return
    weights = as_array(sample_weight, name)
    check_numbers(weights, name)
    if weights.ndim != 1 and weights.shape[1:] != (1,):
        raise invalid(
            f"{name} of shape [N], a weight for each example",
            f"shape {list(weights.shape)}",
            "pass one number for each example; likelihoods.Observed(...) leaves elements out",
        )
    fix = "pass 0.0 for an example that is not to count"
    _refuse_first(~np.isfinite(weights), weights, name, f"finite weights in {name}", fix)


def check_labels(y: npt.ArrayLike, num_classes: int | None, name: str = "y") -> None:
    """Refuses labels that are not whole numbers from 0 to `num_classes - 1`.

    Args:
        y: the labels.
        num_classes: the number of classes, or None if it is unknown.
        name: name of the labels, for the message.

    Raises:
        InputError: a wrong label; the message has the first one.
    """
    labels = as_array(y, name)
    check_numbers(labels, name)
    high = np.inf if num_classes is None else num_classes - 1
    with np.errstate(invalid="ignore"):
        wrong = ~((labels == np.round(labels)) & (labels >= 0) & (labels <= high))

    known = "from 0" if num_classes is None else f"from 0 to {high}"
    fix = "number the classes from 0, or build for more"
    _refuse_first(wrong, labels, name, f"labels {known}, whole numbers", fix)


def check_finite(y: npt.ArrayLike, name: str = "y") -> None:
    """Refuses conditions that are not finite numbers.

    Args:
        y: the conditions.
        name: name of the conditions, for the message.

    Raises:
        InputError: conditions that are not finite numbers; the message has the first one.
    """
    values = as_array(y, name)
    check_numbers(values, name)
    _refuse_first(
        ~np.isfinite(values),
        values,
        name,
        f"finite numbers in {name}",
        "remove or repair such examples",
    )


def _refuse_first(wrong, values, name, expected, fix):
    """Raises a refusal if any value is wrong; it has the first one and the range of all."""
    if wrong.any():
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        received = (
            f"{name}{list(first)} = {values[first]} ({name} from {values.min()} to {values.max()})"
        )
        raise invalid(expected, received, fix)
