"""Loads data sets of TensorFlow Datasets by name, such as `tfds:mnist`."""

import os
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae.datasets import pictures, readers, storage
from tfvae.datasets.dataset import Dataset, split
from tfvae.errors import invalid

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

MARK = "tfds:"


def load(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | tuple[int, int] | None = None,
    image_fit: pictures.ImageFit = "crop",
) -> Dataset:
    """Loads a data set of TensorFlow Datasets, and downloads it where it is not prepared yet.

    Of splits "train" and "test" these are the two parts; otherwise "train", or the only split, is
    split. The pictures are x, or what the data set calls its input; its class labels are y.

    Args:
        name: its name there, after "tfds:", such as "tfds:mnist" or "tfds:cats_vs_dogs/4.0.0".
        data_dir: the folder of prepared data sets; default that of TensorFlow Datasets.
        image_size: as for `pictures.read`.
        image_fit: "crop" or "pad", likewise.

    Raises:
        InputError: a package that is not installed, a name that is not known, a data set that can
            be neither found nor downloaded, or that has no numbers or pictures.
    """
    builder, name = _builder(name, data_dir), re.split("[/:]", name.removeprefix(MARK))[0]
    x_name, y_name = _features(name, builder.info)
    names = sorted(builder.info.splits)
    both = {"train", "test"} <= set(names)
    chosen = ["train", "test"] if both else ["train" if "train" in names else names[0]]
    examples = _Examples(builder, chosen, x_name)
    x, note = _values(name, examples, image_size, image_fit)

    note = "; ".join(filter(None, [f"of the feature {x_name!r}", note]))
    y = None if y_name is None else np.array(list(_Examples(builder, chosen, y_name)), np.int32)
    classes = tuple(builder.info.features[y_name].names) if y_name is not None else ()
    if not both:
        return split(name, x, y, note, classes)
    count = builder.info.splits["train"].num_examples
    y_train, y_test = (None, None) if y is None else (y[:count], y[count:])
    return Dataset(name, x[:count], x[count:], y_train, y_test, note, classes)


def _builder(name, data_dir) -> "tfds.core.DatasetBuilder":
    """Returns the builder of a data set that is prepared on this machine."""
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        fix = "pip install 'tfvae[tfds]'"
        raise invalid(f"tensorflow-datasets, for {name}", str(error), fix) from error

    asked = name.removeprefix(MARK)
    try:
        builder = tfds.builder(asked, data_dir=data_dir)
    except Exception as error:  # of its registry, of names and of versions
        reason = str(error).strip().splitlines()[0][:200]
        fix = "look it up at tensorflow.org/datasets, or give the folder where it is (--data-dir)"
        raise invalid("the name of a data set there", f"{asked!r} ({reason})", fix) from error
    try:
        builder.download_and_prepare()
    except Exception as error:  # of the network, the disk or the site of the data
        reason = f"{type(error).__name__}: {str(error).strip()[:200]}"
        where = builder.data_path.parent if hasattr(builder, "data_path") else "the data directory"
        fix = "connect to the network once, or give the folder where it is prepared (--data-dir)"
        expected = f"{asked} prepared under {where}, or a download of it"
        raise invalid(expected, reason, fix) from error
    return builder


def _features(name, info) -> tuple[str, str | None]:
    """Returns the names of the features of the examples and of their labels."""
    import tensorflow_datasets as tfds

    found: dict[str, Any] = dict(info.features.items())
    y = [each for each, what in found.items() if isinstance(what, tfds.features.ClassLabel)]
    x = [each for each, what in found.items() if isinstance(what, tfds.features.Image)]
    asked = info.supervised_keys
    numbers = [n for n, what in found.items() if _is_array(what) and n not in y]
    x = x or ([asked[0]] if asked and asked[0] in numbers else numbers)
    if len(x) != 1:
        received = ", ".join(found)
        fix = "make arrays of it, and save them as a .npz"
        raise invalid(f"one feature of {name} with pictures or arrays", received, fix)
    return x[0], y[0] if len(y) == 1 else None


def _is_array(feature):
    dtype, shape = getattr(feature, "np_dtype", None), getattr(feature, "shape", ())
    return bool(shape) and None not in shape and dtype is not None and np.dtype(dtype).kind in "fiu"


class _Examples:
    """One feature of all examples, which can be gone through several times."""

    def __init__(self, builder, parts, feature):
        self._builder, self._parts, self._feature = builder, parts, feature

    def __len__(self):
        return sum(self._builder.info.splits[part].num_examples for part in self._parts)

    def __iter__(self):
        import tensorflow_datasets as tfds

        # So that labels are read without decoding the pictures beside them.
        alone = tfds.decode.PartialDecoding({self._feature: True})
        for part in self._parts:
            rows = self._builder.as_dataset(split=part, decoders=alone)
            for row in rows.as_numpy_iterator():
                yield row[self._feature]


def _values(name, examples, image_size, image_fit):
    """Returns examples as float32 of one shape, and how they were changed."""
    first = next(iter(examples), None)
    if first is None:
        raise invalid(f"examples in {name}", "none", "prepare the data set again")
    of_8_bits = first.dtype == np.uint8
    if of_8_bits and first.ndim == 3:
        x, note = pictures.together(examples, image_size, image_fit)
        return x, "; ".join(filter(None, ["values from 0 to 1", note]))

    found = map(readers.unit, examples) if of_8_bits else examples
    x = storage.filled(found, (len(examples), *first.shape), name)
    return x, "8-bit values divided by 255" if of_8_bits else ""
