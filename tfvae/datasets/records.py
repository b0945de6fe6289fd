"""Reads TFRecord files of `tf.train.Example`s, and finds out which feature is what.

`tf.io.parse_example` reads them. Which feature holds the examples and which their labels follows
from the first records, or is said by name: x, y, or a shape such as 28x28x1.
"""

import contextlib
import io
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tfvae._files import mapped
from tfvae.datasets import pictures, storage
from tfvae.datasets.dataset import Dataset, split
from tfvae.errors import invalid

if TYPE_CHECKING:
    import tensorflow as tf

_MARK = ".tfrecord"  # in the names of files, also `data.tfrecord-00000-of-00005` and `.tfrecords`
_FIRST = 100  # records that are looked at
_BATCH = 256  # records that are parsed at once
_SHAPE = re.compile(r"\d+(x\d+)*")
_LABELS = ("label", "labels", "class", "target", "y")  # with which the name of a feature ends
_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")


class Features(NamedTuple):
    """Which features of the records are examples and labels.

    Attributes:
        x: name of the feature with the example.
        kind: "image" for the bytes of a picture's file, "bytes" for values of 8 bits, "floats" or
            "ints".
        shape: of an example; of pictures empty.
        y: name of the feature with the label, or None.
        y_kind: "ints" or "bytes", of the label.
    """

    x: str
    kind: str
    shape: tuple[int, ...] = ()
    y: str | None = None
    y_kind: str = "ints"


class Picture(io.BytesIO):
    """The bytes of a picture, with the words for a message that say which it is."""

    def __init__(self, content: bytes, words: str) -> None:
        """Keeps both."""
        super().__init__(content)
        self._words = words

    def __str__(self) -> str:
        """Returns the words."""
        return self._words


def record_files(path: Path) -> list[Path]:
    """Returns the TFRecord files at a path, sorted: itself, or those of a folder; or none."""
    found = sorted(path.iterdir()) if os.path.isdir(path) else [path]
    return [file for file in found if _MARK in file.name and os.path.isfile(file)]


def load(
    path: Path,
    kinds: Mapping[str, str] | None = None,
    image_size: int | tuple[int, int] | None = None,
    least: int = 2,
    image_fit: pictures.ImageFit = "crop",
) -> Dataset:
    """Loads the records of a file or folder, and holds a random sixth of them out.

    Args:
        path: a TFRecord file, or a folder of them.
        kinds: what features are, by name: "x", "y", or a shape such as "28x28x1".
        image_size: as for `pictures.read`.
        least: how many records there must be.
        image_fit: "crop" or "pad", as for `pictures.read`.

    Raises:
        InputError: files that cannot be read, or features that are not clear; the message names
            them.
    """
    found = features(path, kinds)
    note = f"of the feature {found.x!r}"
    with _named(path):
        count, y = _labels(path, found)
        if found.kind == "image":
            x, how = pictures.together(_Pictures(path, found), image_size, image_fit)
            note = "; ".join(filter(None, [note, "values from 0 to 1", how]))
        else:
            x = _numbers(path, found, count)
            note += ", 8-bit values divided by 255" if found.kind == "bytes" else ""

    classes: tuple[str, ...] = ()
    if found.y is not None and found.y_kind == "bytes":
        names, y = np.unique(y, return_inverse=True)
        classes = tuple(name.decode(errors="replace") for name in names.tolist())
    y = None if found.y is None else y.astype(np.int32)
    return split(str(path), x, y, note, classes, least)


def features(path: Path, kinds: Mapping[str, str] | None = None) -> Features:
    """Finds out by the first records which feature holds the examples, and which the labels.

    Args:
        path: a TFRecord file, or a folder of them.
        kinds: as for `load`.

    Raises:
        InputError: files that cannot be read, names or shapes that no record has, or features
            of which none or several can be the examples.
    """
    seen = _seen(path)
    given = _given(path, kinds or {}, seen)
    y = next((name for name, kind in given.items() if kind == "y"), None)
    y = y or next((name for name in seen if _is_label(name, seen[name])), None)
    chosen = [name for name, kind in given.items() if kind != "y"]
    able = chosen or [name for name in seen if name != y and seen[name].is_example]
    images = [name for name in able if seen[name].kind == "image"]
    able = images if len(images) == 1 and not chosen else able
    if len(able) != 1:
        told = ", ".join(f"{name} ({what})" for name, what in seen.items())
        fix = "say which by NAME=x, kinds={'NAME': 'x'} (--columns NAME=x, or NAME=28x28x1)"
        received = f"{len(able)} of the features {told}"
        raise invalid(f"one feature in {path} that can be the examples", received, fix)

    return _as_given(path, able[0], given.get(able[0], "x"), seen[able[0]])._replace(
        y=y, y_kind="ints" if y is None else seen[y].kind
    )


def parsed(serialized: "tf.Tensor", found: Features) -> tuple["tf.Tensor", "tf.Tensor | None"]:
    """Parses a batch of records.

    Args:
        serialized: strings `[B]`.
        found: which features are examples and labels.

    Returns:
        (x, y): strings `[B]` of pictures, else float32 `[B, *shape]`; and labels `[B]` or None.
    """
    import tensorflow as tf

    dtypes = {"floats": tf.float32, "ints": tf.int64, "bytes": tf.string, "image": tf.string}
    shape = [] if found.kind in ("image", "bytes") else [int(np.prod(found.shape))]
    spec = {found.x: tf.io.FixedLenFeature(shape, dtypes[found.kind])}
    if found.y is not None:
        spec[found.y] = tf.io.FixedLenFeature([], dtypes[found.y_kind])
    columns = tf.io.parse_example(serialized, spec)
    x = columns[found.x]
    if found.kind == "bytes":
        x = tf.cast(tf.io.decode_raw(x, tf.uint8), tf.float32) / 255.0
    if found.kind != "image":
        x = tf.reshape(tf.cast(x, tf.float32), [-1, *found.shape])
    return x, None if found.y is None else columns[found.y]


def serialized(path: Path) -> "tf.data.Dataset":
    """Returns the records of a file or folder as strings, in the order of their files.

    Args:
        path: a TFRecord file, or a folder of them.
    """
    import tensorflow as tf

    files = [str(file) for file in record_files(path)]
    packed = "GZIP" if files[0].endswith(".gz") else ""
    return tf.data.TFRecordDataset(files, compression_type=packed)


class _Seen(NamedTuple):
    """What the first records have in a feature."""

    kind: str
    sizes: frozenset[int]
    always: bool

    @property
    def is_example(self):
        return self.kind == "image" or (self._is_fixed and self.kind in ("floats", "ints"))

    @property
    def _is_fixed(self):
        return self.always and len(self.sizes) == 1 and max(self.sizes) > 1

    def __str__(self):
        size = str(max(self.sizes)) if len(self.sizes) == 1 else "of several sizes"
        return self.kind if self.kind == "image" else f"{self.kind}, {size}"


def _seen(path):
    """Returns what each feature of the first records is, by name."""
    import tensorflow as tf

    with _named(path):
        first = [
            tf.train.Example.FromString(record)
            for record in serialized(path).take(_FIRST).as_numpy_iterator()
        ]
    names = sorted({name for example in first for name in example.features.feature})
    if not names:
        fix = "write tf.train.Example messages"
        raise invalid(f"records with features in {path}", f"{len(first)} records", fix)
    return {name: _feature([example.features.feature[name] for example in first]) for name in names}


def _feature(values):
    kinds = {value.WhichOneof("kind") for value in values} - {None}
    kind = {"bytes_list": "bytes", "float_list": "floats", "int64_list": "ints"}[min(kinds)]
    lists = [getattr(value, value.WhichOneof("kind") or "bytes_list").value for value in values]
    filled = [each for each in lists if len(each)]
    if kind == "bytes" and all(each[0].startswith(_IMAGES) for each in filled):
        kind = "image"
    sizes = frozenset(len(each[0]) if kind == "bytes" else len(each) for each in filled)
    return _Seen(kind, sizes or frozenset([0]), len(filled) == len(values) and len(kinds) == 1)


def _is_label(name, seen):
    ends_so = re.split(r"[/_.]", name.lower())[-1] in _LABELS
    return ends_so and seen.always and seen.kind != "floats" and _is_single(seen)


def _is_single(seen):
    return seen.kind == "bytes" or seen.sizes == frozenset([1])


def _given(path, kinds, seen):
    """Returns what was said of features, checked."""
    for name, kind in kinds.items():
        if name not in seen:
            raise invalid(f"one of the features {', '.join(seen)} of {path}", name, "check it")
        if kind not in ("x", "y") and not _SHAPE.fullmatch(kind):
            fix = f"write {name}=x or {name}=28x28x1"
            raise invalid(f"x, y or a shape for the feature {name!r} of {path}", kind, fix)
    return dict(kinds)


def _as_given(path, name, kind, seen):
    """Returns the feature of the examples, in the shape asked for or its own."""
    size = max(seen.sizes)
    shape = tuple(map(int, kind.split("x"))) if _SHAPE.fullmatch(kind) else (size,)
    if seen.kind == "image":
        return Features(name, "image")
    if not seen.always or seen.sizes != frozenset([int(np.prod(shape))]):
        received = f"{name} ({seen})" + ("" if seen.always else ", absent in some")
        fix = "give a shape of so many numbers, or write records that all have it"
        raise invalid(f"{int(np.prod(shape))} values in each record of {path}", received, fix)
    return Features(name, seen.kind, shape)


def _labels(path, found):
    """Returns how many records there are, and the labels of all, or None."""
    labels: list[Any] = []
    count = 0
    for x, y in _batches(path, found):
        labels.append(y)
        count += len(x)
    return count, None if found.y is None else np.concatenate(labels)


def _numbers(path, found, count):
    """Returns the examples of all records, in memory or on disk."""
    made, first = storage.empty((count, *found.shape), f"the records of {path}"), 0
    for x, _ in _batches(path, found):
        made[first : first + len(x)] = x
        first += len(x)
        mapped.release(made)
    return made


class _Pictures:
    """The pictures of records, which can be gone through several times."""

    def __init__(self, path, found):
        self._path, self._found = path, found

    def __iter__(self):
        count = 0
        for contents, _ in _batches(self._path, self._found):
            for content in contents:
                yield Picture(content, f"record {count} of {self._path}")
                count += 1


def _batches(path, found) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    for records in serialized(path).batch(_BATCH):
        x, y = parsed(records, found)
        yield x.numpy(), None if y is None else y.numpy()


@contextlib.contextmanager
def _named(path):
    """Turns TensorFlow's errors of a file into one that names it."""
    import tensorflow as tf

    try:
        yield
    except Exception as error:
        # DecodeError is that of protobuf, whose package is no dependency of this one.
        if not isinstance(error, tf.errors.OpError) and type(error).__name__ != "DecodeError":
            raise
        reason = str(getattr(error, "message", error)).splitlines()[0][:200]
        fix = "write it with tf.io.TFRecordWriter, of tf.train.Example messages"
        raise invalid(f"{path} to be TFRecords that can be read", reason, fix) from error
