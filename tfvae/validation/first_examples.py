"""Takes the examples from which a prior is initialized."""

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfvae._keras.backend import keras


def first_examples(
    x: Any, y: npt.ArrayLike | None = None, sample_weight: npt.ArrayLike | None = None
) -> tuple[np.ndarray | None, ...]:
    """Returns the examples from which a prior is initialized.

    Args:
        x: an array `[N, *event]`, or a stream of batches.
        y: conditions `[N, ...]` beside an array, else None.
        sample_weight: weights `[N]` beside an array, or None. Those of weight 0 are left out.

    Returns:
        (x, y): the arrays themselves, or the first batch of a `tf.data.Dataset` or `PyDataset`.
        Each is None if it is missing or comes from another kind of stream.
    """
    if isinstance(x, tf.data.Dataset):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(next(iter(x.take(1))))
    elif isinstance(x, keras.utils.PyDataset):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(x[0])

    found = [np.asarray(part) if hasattr(part, "__array__") else None for part in (x, y)]
    if sample_weight is None:
        return tuple(found)
    is_there = np.ravel(sample_weight) != 0.0
    if is_there.all() or not is_there.any():
        return tuple(found)  # no copy of data that may be large
    return tuple(None if part is None else part[is_there] for part in found)
