"""Ends a training once examples that it does not see get no likelier, and keeps the best weights.

The examples are a tenth of those to train on, so that what is held out stays unseen by the choice.
"""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from tfvae.datasets import Dataset, storage
from tfvae.errors import invalid

if TYPE_CHECKING:
    from tfvae._keras.backend import keras

_SHARE = 10  # one example in so many is kept back
_LEAST = 20  # examples to train on
_SEED = 1  # not the one by which examples are held out


def kept_back(dataset: Dataset) -> tuple[Dataset, tuple[np.ndarray, np.ndarray | None]]:
    """Keeps a random tenth of the training examples back, always the same.

    Args:
        dataset: the data.

    Returns:
        The data without them, and the examples kept back, `[N / 10, *event]`, with their labels.

    Raises:
        InputError: fewer than 20 examples to train on.
    """
    count = len(dataset.x_train)
    if count < _LEAST:
        received = f"{count} in {dataset.name}"
        fix = "leave --early-stopping out, or give more data"
        raise invalid(f"at least {_LEAST} examples to train on and to stop by", received, fix)

    order = np.random.default_rng(_SEED).permutation(count)
    back, rest = np.sort(order[: count // _SHARE]), np.sort(order[count // _SHARE :])
    x, y = dataset.x_train, dataset.y_train
    x_rest, x_back = (storage.taken(x, rows, dataset.name) for rows in (rest, back))
    kept = dataclasses.replace(dataset, x_train=x_rest, y_train=None if y is None else y[rest])
    return kept, (x_back, None if y is None else y[back])


def callback(patience: int) -> "keras.callbacks.EarlyStopping":
    """Returns what ends a training, and gives the model the weights of its best epoch.

    Args:
        patience: epochs without a larger ELBO of the examples kept back.
    """
    from tfvae._keras.backend import keras

    return keras.callbacks.EarlyStopping(
        monitor="val_elbo", mode="max", patience=patience, restore_best_weights=True
    )


def told(stop: "keras.callbacks.EarlyStopping") -> str | None:
    """Says where a training was ended, or None if it went to its end.

    Args:
        stop: what `callback` returned, after the training.
    """
    if not stop.stopped_epoch:
        return None
    return (
        f"Stopped after epoch {stop.stopped_epoch + 1}, {stop.patience} after the best, "
        f"epoch {stop.best_epoch + 1}, whose weights are kept."
    )
