"""Streams data that fit neither into memory nor on the disk: a `tf.data.Dataset` of them."""

import collections
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfvae._files.places import local
from tfvae.datasets import pictures, records
from tfvae.errors import invalid

if TYPE_CHECKING:
    import tensorflow as tf

_SHUFFLED = 4096  # records among which the next is drawn; of files, all names are shuffled


def stream(
    path: str | os.PathLike[str],
    batch_size: int,
    image_size: int | tuple[int, int] | None = None,
    kinds: Mapping[str, str] | None = None,
    seed: int | None = 0,
    image_fit: pictures.ImageFit = "crop",
) -> "tf.data.Dataset":
    """Returns batches of examples that are read while a model trains.

        train = tfvae.datasets.stream("photographs/", batch_size=128, image_size=64)
        vae = tfvae.conv_vae(train.element_spec.shape[1:], 32)
        vae.compile("adam")
        vae.fit(train, epochs=10)

    The examples are those of `load`: pictures of a folder, or records of TFRecord files.

    Args:
        path: a folder of pictures, a TFRecord file, or a folder of them.
        batch_size: B. A last, smaller batch is given as well.
        image_size: height and width, or one number for both; default as for `load`, of records by
            the first hundred of them.
        kinds: what features of records are, see `load`.
        seed: of the order, which is another in each epoch; None for the order of the files.
        image_fit: "crop" cuts an image to the shape asked for, from its centre; "pad" adds black.

    Returns:
        A data set of float32 `[B, *event]`.

    Raises:
        InputError: as `load`, but for files that are damaged: those when they are reached.
    """
    pictures.check_fit(image_fit)
    path = local(path)
    if not path.exists():
        fix = "check the spelling, or give the path of your data"
        raise invalid("a folder of images, or TFRecord files", f"{str(path)!r}", fix)
    made = _of_records if records.record_files(path) else _of_pictures
    return made(path, batch_size, image_size, kinds, seed, image_fit)


def _of_pictures(path, batch_size, image_size, kinds, seed, image_fit):
    import tensorflow as tf

    del kinds
    files = pictures.picture_files(path)
    shape = pictures.shape_of_all(files, image_size)
    names = tf.data.Dataset.from_tensor_slices([str(file) for file in files])
    names = names if seed is None else names.shuffle(len(files), seed)

    def read(name):
        return _picture(Path(os.fsdecode(name)), shape, image_fit)

    return _decoded(names, read, shape).batch(batch_size).prefetch(tf.data.AUTOTUNE)


def _of_records(path, batch_size, image_size, kinds, seed, image_fit):
    import tensorflow as tf

    found = records.features(path, kinds)._replace(y=None)
    rows = records.serialized(path)
    rows = rows if seed is None else rows.shuffle(_SHUFFLED, seed)
    if found.kind != "image":
        parsed = rows.batch(batch_size).map(lambda each: records.parsed(each, found)[0])
        return parsed.prefetch(tf.data.AUTOTUNE)

    shape = pictures.shape_of_all(_first_pictures(path, found), image_size)
    contents = rows.map(lambda row: records.parsed(row[None], found)[0][0])

    def read(content):
        return _picture(records.Picture(content, f"a record of {path}"), shape, image_fit)

    return _decoded(contents, read, shape).batch(batch_size).prefetch(tf.data.AUTOTUNE)


def _first_pictures(path, found):
    rows = records.serialized(path).take(100).map(lambda row: records.parsed(row[None], found)[0])
    return [
        records.Picture(content[0], f"record {i} of {path}")
        for i, content in enumerate(rows.as_numpy_iterator())
    ]


def _decoded(elements, read, shape):
    """Returns what a function of Python makes of each element, float32 of a shape."""
    import tensorflow as tf

    def decoded(element):
        values = tf.numpy_function(read, [element], tf.float32, stateful=False)
        return tf.ensure_shape(values, shape)

    return elements.map(decoded, num_parallel_calls=tf.data.AUTOTUNE)


def _picture(source, shape, image_fit):
    image = pictures.values(source, shape[:2], image_fit, collections.Counter())
    if image.ndim == 2:
        return image[..., None] if shape[2] == 1 else pictures.coloured(image)
    return image if shape[2] == 3 else np.mean(image, axis=-1, keepdims=True, dtype=np.float32)
