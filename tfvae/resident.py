"""Arrays that stay on the device while a model is fitted to them."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae import compiling
from tfvae._backend import keras
from tfvae.execution import ROWS

_MOST_ON_GPU = 2**31  # bytes
_UNKNOWN = 128  # examples in a batch, where nothing tells


class Source(NamedTuple):
    """What is known of the data of a call of `fit` or `evaluate` before a batch is read.

    Attributes:
        batch_size, dtype: of x.
        steps: of an epoch, where the caller states them, or None.
        num_batches: in an epoch, or None.
        num_examples: of arrays; None of streams.
    """

    batch_size: int
    dtype: object
    steps: int | None
    num_batches: int | None
    num_examples: int | None


def source(call):
    """The `Source` in the arguments of `fit` or `evaluate`."""
    x, steps = call["x"], call.get("steps_per_epoch") or call.get("steps")
    if isinstance(x, tf.data.Dataset):
        spec, count = tf.nest.flatten(x.element_spec)[0], int(x.cardinality())
        return Source(spec.shape[0] or _UNKNOWN, spec.dtype, steps, steps or (count if count > 0 else None), None)
    if not hasattr(x, "shape"):
        return Source(_UNKNOWN, tf.float32, steps, steps or getattr(x, "num_batches", None), None)
    count = math.floor(x.shape[0] * (1.0 - call.get("validation_split", 0.0)))  # as Keras splits
    batch_size = call["batch_size"] or (math.ceil(count / steps) if steps else 32)
    return Source(batch_size, tf.as_dtype(x.dtype), steps, steps or math.ceil(count / batch_size), count)


def keep_on_device(call, found, program):
    """Puts the arrays of a call of `fit` on the device, and leaves row numbers in their place.

    What Keras has to do with the arrays first, to split or to weight them, it does its own way.
    """
    x, y, weight = call["x"], call["y"], call["sample_weight"]
    parts = [part for part in (x, y, weight) if part is not None]
    plain = all(hasattr(part, "shape") and len(part) == found.num_examples for part in parts)
    if not plain or call["class_weight"] is not None or not isinstance(call["shuffle"], bool) or not _fit_on_device(parts):
        return
    program.begin(tf.nest.map_structure(_on_device, keras.utils.pack_x_y_sample_weight(*parts)))
    rows = batches_of_rows(found.num_examples, found.batch_size, call["shuffle"])
    validation_batch_size = call["validation_batch_size"] or found.batch_size
    call.update(x=rows, y=None, sample_weight=None, batch_size=None, shuffle=False)
    call["validation_batch_size"] = validation_batch_size


def batches_of_rows(num_examples, batch_size, shuffle):
    """A `tf.data.Dataset` of row numbers, batch by batch, in another order in each epoch."""

    def epoch(seed):
        rows = tf.range(num_examples)
        rows = tf.random.experimental.stateless_shuffle(rows, tf.stack([seed, 0])) if shuffle else rows
        whole = num_examples - num_examples % batch_size
        batches = tf.data.Dataset.from_tensor_slices(tf.reshape(rows[:whole], [-1, batch_size]))
        rest = tf.data.Dataset.from_tensors(rows[whole:])
        return batches.concatenate(rest) if whole < num_examples else batches

    seed = np.random.randint(2**31)  # as `keras.utils.set_random_seed` has set it
    seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).take(1)
    count = tf.data.experimental.assert_cardinality(math.ceil(num_examples / batch_size))
    options = tf.data.Options()  # a plain pipeline: what tunes itself costs more than row numbers do
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return seeds.flat_map(epoch).apply(count).map(lambda rows: {ROWS: rows}).prefetch(2).with_options(options)


def _on_device(array):
    """A tensor; of whole numbers in their own type, of others in Keras' float."""
    tensor = tf.convert_to_tensor(array)
    return tf.cast(tensor, keras.config.floatx()) if tensor.dtype.is_floating else tensor


def _fit_on_device(arrays):
    """Whether arrays may stay on the device for the whole of a `fit`."""
    size = sum(math.prod(a.shape) * tf.as_dtype(a.dtype).size for a in arrays)
    return not compiling.gpus() or size <= _MOST_ON_GPU
