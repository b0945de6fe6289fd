"""Checks the batches of a `tf.data.Dataset` as they pass, in its graph.

There an error can only be a message of TensorFlow's, which is turned into a refusal on its way out.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import tensorflow as tf

from tfvae._keras.backend import keras
from tfvae.errors import InputError, invalid

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

_MARK = "tfvae data check"


def checked(dataset: tf.data.Dataset, vae: "VAE", name: str, outside: Exception) -> tf.data.Dataset:
    """Returns a dataset of the same batches that checks each of them.

    Args:
        dataset: batches x, (x, y) or (x, y, sample_weight).
        vae: the model.
        name: name of the data, for the message.
        outside: the refusal of values outside the likelihood's support.
    """
    beside, empty = _not_finite_later(vae, name), _no_example_later(name)

    def check(*element):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(element)
        _assert(tf.shape(x)[0] > 0, empty)
        # In the dtype of the networks, since TensorFlow compares no whole numbers with infinity.
        _assert(tf.reduce_all(vae.likelihood.in_support(tf.cast(x, tf.float32))), outside)
        if sample_weight is not None:
            _assert(_is_finite(sample_weight), beside)
        if y is not None:
            assert_conditions(y, vae, name)
        return x if len(element) == 1 else element

    return dataset.map(check, num_parallel_calls=tf.data.AUTOTUNE)


def assert_conditions(y: tf.Tensor, vae: "VAE", name: str = "x") -> None:
    """Checks the conditions of one batch, in the graph of a `tf.data.Dataset`.

    Args:
        y: conditions `[B, ...]`.
        vae: the model, which is conditional.
        name: name of the data, for the message.
    """
    refusal = _not_finite_later(vae, name)
    _assert(_is_finite(y), refusal)
    if tf.as_dtype(vae.condition_dtype).is_integer:
        _assert(_are_labels(y, vae), refusal)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Returns a context that turns an error of the data pipeline into the refusal behind it.

    Raises:
        InputError: a later batch that the model cannot learn from.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        # From an assertion of `checked`, or from a generator that TensorFlow reads.
        for mark in (_MARK + ": ", f"{InputError.__name__}: "):
            if mark in error.message:
                raise InputError(error.message.split(mark)[1].split("\n")[0]) from error
        raise


def _assert(holds, refusal):
    tf.debugging.Assert(holds, [f"{_MARK}: {refusal}"])


def _no_example_later(name):
    return invalid(
        f"at least one example in each batch of {name}",
        "a later batch without any",
        "leave it out: dataset.filter(lambda x: tf.shape(x)[0] > 0)",
    )


def _is_finite(part):
    finite = tf.math.is_finite(tf.cast(part, tf.float32))
    return tf.reduce_all(finite)


def _are_labels(y, vae):
    """Returns whether all labels of a batch are whole numbers among the model's classes."""
    y = tf.cast(y, tf.float32)
    inside = (y >= 0.0) & (y == tf.round(y))
    if vae.num_classes:
        inside &= y < float(vae.num_classes)
    else:
        inside &= y < float(2**31)
    return tf.reduce_all(inside)


def _not_finite_later(vae, name):
    labels = f", and labels from 0 to {vae.num_classes - 1}" if vae.num_classes else ""
    return invalid(
        f"finite conditions and weights beside {name}{labels}",
        "others in a later batch",
        "repair them in the dataset before it is batched",
    )
