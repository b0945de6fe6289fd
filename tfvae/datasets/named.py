"""Loads data by name or path, as float32 arrays.

Named images are `[N, H, W, C]` with values from 0 to 1, or 0 and 1 only. 8-bit values are divided
by 255. Other numbers keep their values, and arrays keep their shape.

The data directory is `data_dir`, else `$TFVAE_DATA`, else the user's cache. It holds
`mnist/*.gz` and `fashion_mnist/*.gz` (the IDX files as published) and
`binarized_mnist/binarized_mnist.npz` (`train`, `valid`, `test`). Missing files are downloaded with
`keras.datasets`, or with TensorFlow Datasets for binarized MNIST.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tfvae._files.places import local
from tfvae.datasets import (
    arrays,
    carried,
    pictures,
    prepared,
    readers,
    records,
    shapes,
    table_files,
)
from tfvae.datasets.dataset import Dataset, split
from tfvae.errors import invalid


def load(
    name_or_path: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | tuple[int, int] | None = None,
    kinds: Mapping[str, str] | None = None,
    least: int = 2,
    image_fit: pictures.ImageFit = "crop",
) -> Dataset:
    """Loads a data set by name, or by path a file of arrays, a table or a folder of images.

    A `.npz` holds `x_train` and `x_test`, or `train` and `test`, or one array; labels `y_train`
    and `y_test`, or `y`, are read with them. A folder holds images of any sizes, see
    `pictures.read`; folders in it are labels. A table is a `.csv`, `.tsv` or `.parquet`; of what
    kind each column is follows from its values, see `Table`. Of TFRecord files, or a folder of
    them, the feature with a picture or a list of numbers is x, and the one named label is y. A
    name such as "tfds:mnist" is that of TensorFlow Datasets. A single array, a table, records or
    a folder are split: a random sixth is held out, always the same. Arrays of more than 1 GiB lie
    on disk, in a file without a name that is gone when they are.

    Args:
        name_or_path: "mnist_5k", "digits", "mnist", "fashion_mnist", "binarized_mnist" or
            "shapes", "tfds:NAME", or a path.
        data_dir: the data directory, for names. Default `$TFVAE_DATA`, else the user's cache.
        image_size: height and width of the images of a folder, or one number for both. By
            default their own; where they differ, the usual shorter side, at most 64.
        kinds: kinds of a table's columns by name, where they are known, see `Table.of`. Of
            records, what features are: "x", "y", or a shape such as "28x28x1".
        least: how many examples there must be to be split. With 1, one example alone is held out,
            and none is left to train on.
        image_fit: "crop" cuts an image to the shape asked for, from its centre; "pad" adds black.

    Returns:
        The data.

    Raises:
        InputError: an unknown name, a file that cannot be read or used (named), files that cannot
            be downloaded, too few examples, or a disk without room for them.
        InputTypeError: no name or path, or an array that does not hold numbers.
        WriteError: an address such as `gs://bucket/x.npz`, or a path that no file can have.
    """
    if str(name_or_path) in _NAMED:
        return _NAMED[str(name_or_path)](_folder(data_dir))

    if str(name_or_path).startswith(prepared.MARK):
        return prepared.load(str(name_or_path), data_dir, image_size, image_fit)
    path = local(name_or_path)
    if records.record_files(path):
        return records.load(path, kinds, image_size, least, image_fit)
    if os.path.isdir(path):
        found = pictures.read(path, image_size, image_fit)
        note = "; ".join(filter(None, ["values from 0 to 1", found.note]))
        return split(str(path), found.x, found.y, note, found.classes, least)
    if path.suffix in (".npz", ".npy"):
        return arrays.load(path, least)
    if path.suffix in table_files.SUFFIXES:
        return table_files.load(path, kinds, least)

    known = ".npz, .npy, .csv, .tsv, .parquet or .tfrecord file"
    raise invalid(
        f"a data set ({', '.join(_NAMED)}, tfds:NAME), a {known}, or a folder of images",
        repr(str(name_or_path))
        + ("" if os.path.exists(path) else ", which is no file or folder either"),
        "check the spelling, or give the path of your data",
    )


# ---- by name


def _shapes(folder):
    """Draws shapes with known factors, labelled by their kind. `folder` is not used."""
    drawn = shapes.shapes()
    note = "drawn, in 256 grey levels"
    return split("shapes", drawn.x, drawn.factors[:, 0], note, shapes.SHAPES)


def _idx_images(name):
    """Returns the loader of images that are published as IDX files."""

    def load_named(folder):
        files = {part: folder / name / f"{part}.gz" for part in _IDX_FILES}
        if all(file.exists() for file in files.values()):
            x_train, y_train, x_test, y_test = (readers.read_idx(file) for file in files.values())
            train_x, train_y, test_x, test_y = files.values()
            _check_labelled(x_train, y_train, train_x, train_y)
            _check_labelled(x_test, y_test, test_x, test_y)
        else:
            (x_train, y_train), (x_test, y_test) = _download(name, folder)

        return Dataset(
            name, readers.unit(x_train)[..., None], readers.unit(x_test)[..., None],
            y_train.astype(np.int32), y_test.astype(np.int32), "8-bit images divided by 255",
        )  # fmt: skip

    return load_named


def _check_labelled(images, labels, images_file, labels_file):
    """Refuses images and labels that do not belong together, as of swapped files."""
    if images.dtype != np.uint8 or images.ndim != 3:
        raise invalid(
            f"8-bit images [N, H, W] in {images_file}",
            f"{images.dtype} of shape {list(images.shape)}",
            "fetch the file again",
        )
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise invalid(
            f"a label for each of the {len(images):,} images in {labels_file}",
            f"{labels.dtype} of shape {list(labels.shape)}",
            "fetch both files again",
        )


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
    carried.HANDWRITTEN: carried.mnist_5k,
    "digits": carried.digits,
    "mnist": _idx_images("mnist"),
    "fashion_mnist": _idx_images("fashion_mnist"),
    "binarized_mnist": _binarized_mnist,
    "shapes": _shapes,
}
NAMES = tuple(_NAMED)


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
