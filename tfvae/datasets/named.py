"""Loads data by name or path, as float32 arrays.

Named images are `[N, H, W, C]` with values from 0 to 1, or 0 and 1 only. 8-bit values are divided
by 255. Other numbers keep their values, and arrays keep their shape.

The data directory is `data_dir`, else `$TFVAE_DATA`, else the user's cache. It holds
`mnist/*.gz` and `fashion_mnist/*.gz` (the IDX files as published) and
`binarized_mnist/binarized_mnist.npz` (`train`, `valid`, `test`). Missing files are downloaded with
`keras.datasets`, or with TensorFlow Datasets for binarized MNIST.
"""

import dataclasses
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfvae.datasets import readers
from tfvae.errors import InputTypeError, invalid

_SPLIT_SEED = 0
_HELD_OUT = 6  # one example in six is held out; MNIST has 10,000 test images beside 60,000


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Arrays to train on, and arrays held out.

    `(x_train, y_train), (x_test, y_test) = dataset` works as well.

    Attributes:
        name: the name of the data, or the path it came from.
        x_train: examples to train on, float32 `[N, *event]`.
        x_test: held-out examples, float32 `[N, *event]`.
        y_train: labels of `x_train`, int32 `[N]`, or None.
        y_test: labels of `x_test`, int32 `[N]`, or None.
        note: how the values were changed, in words for a report.
    """

    name: str
    x_train: np.ndarray
    x_test: np.ndarray
    y_train: np.ndarray | None = None
    y_test: np.ndarray | None = None
    note: str = ""

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Yields `(x_train, y_train)` and `(x_test, y_test)`."""
        return iter(((self.x_train, self.y_train), (self.x_test, self.y_test)))

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.x_train.shape[1:]


def load(
    name_or_path: str | os.PathLike[str], data_dir: str | os.PathLike[str] | None = None
) -> Dataset:
    """Loads a data set by name, or a `.npz`, a `.npy` or a folder of images by path.

    A `.npz` holds `x_train` and `x_test`, or `train` and `test`, or one array. A single array or
    a folder is split: a random sixth is held out, always the same.

    Args:
        name_or_path: "digits", "mnist", "fashion_mnist" or "binarized_mnist", or a path.
        data_dir: the data directory, for names. Default `$TFVAE_DATA`, else the user's cache.

    Returns:
        The data.

    Raises:
        InputError: an unknown name, a file that cannot be read or used (named), files that cannot
            be downloaded, or too few examples.
        InputTypeError: an array that does not hold numbers.
    """
    if str(name_or_path) in _NAMED:
        return _NAMED[str(name_or_path)](_folder(data_dir))

    path = Path(name_or_path).expanduser()
    if path.is_dir():
        return _split(str(path), readers.read_images(path), note="8-bit images divided by 255")
    if path.suffix in (".npz", ".npy"):
        return _load_arrays(path)

    raise invalid(
        f"a data set ({', '.join(_NAMED)}), a .npz or .npy file, or a folder of images",
        repr(str(name_or_path)) + ("" if path.exists() else ", which is no file or folder either"),
        "check the spelling, or give the path of your data",
    )


def check_batches(dataset: Dataset, batch_size: int) -> None:
    """Refuses a data set with too few examples to fill one batch.

    Args:
        dataset: the data.
        batch_size: how many examples a batch has.

    Raises:
        InputError: fewer examples to train on, or fewer held out.
    """
    for part, x in (("to train on", dataset.x_train), ("held out", dataset.x_test)):
        if len(x) < batch_size:
            raise invalid(
                f"at least one batch of {batch_size} examples {part}",
                f"{len(x)} examples {part} in {dataset.name}",
                f"set the batch size to {max(len(x), 1)} or less, or give more data",
            )


# ---- by name


def _digits(folder):
    """Loads scikit-learn's `load_digits`: 1,797 scans of 8x8 pixels in 17 grey levels.

    The scans are part of the installed package. `folder` is not used.
    """
    found = importlib.util.find_spec("sklearn")
    if found is None or not found.submodule_search_locations:
        raise invalid(
            "scikit-learn, which holds the digits",
            "it is not installed",
            "pip install 'tfvae[app]'",
        )

    file = Path(found.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
    if file.is_file():  # read here, since importing scikit-learn takes a second
        table = np.loadtxt(file, delimiter=",")
    else:
        from sklearn.datasets import load_digits

        table = np.column_stack(load_digits(return_X_y=True))

    images = (table[:, :-1].reshape(-1, 8, 8, 1) / 16).astype(np.float32)
    return _split(
        "digits", images, table[:, -1].astype(np.int32), note="17 grey levels divided by 16"
    )


def _idx_images(name):
    """Returns the loader of images that are published as IDX files."""

    def load_named(folder):
        files = {part: folder / name / f"{part}.gz" for part in _IDX_FILES}
        if all(file.exists() for file in files.values()):
            x_train, y_train, x_test, y_test = (readers.read_idx(file) for file in files.values())
        else:
            (x_train, y_train), (x_test, y_test) = _download(name, folder)

        return Dataset(
            name, readers.unit(x_train)[..., None], readers.unit(x_test)[..., None],
            y_train.astype(np.int32), y_test.astype(np.int32), "8-bit images divided by 255",
        )  # fmt: skip

    return load_named


_IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def _binarized_mnist(folder):
    """Loads MNIST in Larochelle's fixed binarization.

    Its validation images stay unused, as in the literature.

    References:
        Larochelle & Murray, The Neural Autoregressive Distribution Estimator. AISTATS 2011.
    """
    file = folder / "binarized_mnist" / "binarized_mnist.npz"
    parts = readers.read_npz(file) if file.exists() else _download_binarized_mnist(folder)
    train, test = (
        np.asarray(parts[k], np.float32).reshape(-1, 28, 28, 1) for k in ("train", "test")
    )
    return Dataset("binarized_mnist", train, test, note="binarized as published")


_NAMED = {
    "digits": _digits,
    "mnist": _idx_images("mnist"),
    "fashion_mnist": _idx_images("fashion_mnist"),
    "binarized_mnist": _binarized_mnist,
}


def _folder(data_dir):
    """Returns the data directory."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "tfvae"
    return Path(data_dir or os.environ.get("TFVAE_DATA") or cache).expanduser()


def _download(name, folder):
    """Downloads images with Keras. `folder` is where they were looked for."""
    from tfvae._keras.backend import keras

    try:
        return getattr(keras.datasets, name).load_data()
    except Exception as error:  # of urllib, OSError or Keras, depending on its version
        raise _absent(folder / name, error) from error


def _download_binarized_mnist(folder):
    """Downloads binarized MNIST with TensorFlow Datasets."""
    try:
        import tensorflow_datasets as tfds

        return {
            k: tfds.as_numpy(tfds.load("binarized_mnist", split=k, batch_size=-1))["image"]
            for k in ("train", "test")
        }
    except Exception as error:  # not installed, or no network
        raise _absent(folder / "binarized_mnist", error) from error


def _absent(folder, error):
    """Returns the exception for files that are missing and could not be downloaded."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return invalid(
        f"the files of the data set in {folder}, or a network to download them",
        f"no such files, and the download failed ({reason[:160]})",
        "put the published files there, or name their folder with data_dir "
        "(--data-dir, TFVAE_DATA)",
    )


# ---- by path


def _load_arrays(path):
    """Loads a `.npy` or a `.npz`, and splits a single array."""
    arrays = {"x": readers.read_npy(path)} if path.suffix == ".npy" else readers.read_npz(path)
    for train, test in (("x_train", "x_test"), ("train", "test")):
        if train in arrays and test in arrays:
            (x_train, x_test), note = _examples([arrays[train], arrays[test]], path)
            if x_train.shape[1:] != x_test.shape[1:]:
                raise invalid(
                    f"{train} and {test} of the same shape per example in {path}",
                    f"{list(x_train.shape)} and {list(x_test.shape)}",
                    "store both parts in one form",
                )
            return Dataset(str(path), x_train, x_test, note=note)

    arrays = {"x": arrays["x"]} if "x" in arrays else arrays
    if len(arrays) != 1:
        raise invalid(
            f"arrays x_train and x_test, or train and test, or one array in {path}",
            f"arrays {', '.join(arrays) or 'none'}",
            "rename the arrays",
        )

    (x,), note = _examples(arrays.values(), path)
    return _split(str(path), x, note=note)


def _examples(arrays, path):
    """Returns the arrays of a file as float32, and a note. 8-bit values are scaled to [0, 1]."""
    for x in arrays:
        if x.dtype.kind not in "fiub":
            raise invalid(
                f"numbers in {path}",
                f"dtype {x.dtype}",
                "convert the array to float32",
                InputTypeError,
            )
        if x.ndim < 2:
            raise invalid(
                f"examples [N, ...] in {path}",
                f"shape {list(x.shape)}",
                "reshape the array to [N, features]",
            )

    # Decided for all arrays of a file at once, since one of them may be nearly black.
    if any(x.dtype == np.uint8 and x.size and x.max() > 1 for x in arrays):
        return [
            readers.unit(x) if x.dtype == np.uint8 else x.astype(np.float32) for x in arrays
        ], "8-bit values divided by 255"
    return [x.astype(np.float32) for x in arrays], ""


def _split(name, x, y=None, note=""):
    """Splits examples and labels: a random sixth is held out, always the same."""
    if len(x) < 2:
        raise invalid(
            f"examples to train on and to hold out in {name}",
            f"{len(x)} examples",
            "give more data",
        )

    order = np.random.default_rng(_SPLIT_SEED).permutation(len(x))
    held_out = max(1, len(x) // _HELD_OUT)
    test, train = order[:held_out], order[held_out:]
    note = f"{note}; a random sixth held out, seed {_SPLIT_SEED}".lstrip("; ")

    if y is None:
        return Dataset(name, x[train], x[test], note=note)
    return Dataset(name, x[train], x[test], y[train], y[test], note)
