"""Where the batches of the loop come from: arrays that stay on the device, or a `tf.data.Dataset`."""

import itertools
import math

import numpy as np
import tensorflow as tf

from tfvae._keras.backend import keras
from tfvae.ops import xla

UNKNOWN_BATCH_SIZE = 128  # examples, where nothing tells
_MAX_BYTES_ON_GPU = 2**31
_NUMBERS_IN_CACHE = 2**18  # of an array, which are looked at in one go


class IndexedArrays:
    """Arrays that stay on the device, of which a batch is the numbers of its rows.

    Args:
        arrays: a structure of arrays `[N, ...]`, as a step takes a batch of it.
        batch_size: examples in a batch; the last batch of a pass may hold fewer.
        order_key: a function that gives the seed of the order of the next pass, a tuple of
            integers; None keeps the order of the rows.
    """

    def __init__(self, arrays, batch_size, order_key=None):
        self.num_examples = len(tf.nest.flatten(arrays)[0])
        self.batch_size = min(batch_size, self.num_examples)
        self.num_batches = math.ceil(self.num_examples / batch_size)
        self.dtypes = tf.nest.map_structure(step_dtype, arrays)
        self.bytes_per_example = sum(
            dtype.size * math.prod(array.shape[1:])
            for array, dtype in zip(tf.nest.flatten(arrays), tf.nest.flatten(self.dtypes))
        )
        self.element_spec = tf.nest.map_structure(
            lambda array, dtype: tf.TensorSpec((self.batch_size, *array.shape[1:]), dtype),
            arrays,
            self.dtypes,
        )
        self.arrays = tf.nest.map_structure(_on_device, arrays)
        self._batch_size = batch_size
        self._order_key = order_key

    def next_pass(self):
        """Yields the row numbers of each batch of a pass over the arrays, int32 `[B]`."""
        rows = np.arange(self.num_examples, dtype=np.int32)
        if self._order_key is not None:
            rows = np.random.default_rng(self._order_key()).permutation(rows)

        for first in range(0, self.num_examples, self._batch_size):
            yield rows[first : first + self._batch_size]


class DatasetBatches:
    """The batches of a `tf.data.Dataset`, which is read no further than asked.

    Args:
        dataset: of batches of dense tensors.
        passes: how many passes follow one another, as one pipeline where batches are prefetched;
            None begins each by itself.
        most: how many batches of a pass are read at most, or None.
    """

    arrays = dtypes = num_examples = None

    def __init__(self, dataset, passes=None, most=None):
        self.element_spec = dataset.element_spec
        spec = tf.nest.flatten(dataset.element_spec)
        count = int(dataset.cardinality())
        self.num_batches = count if count > 0 else None
        self.batch_size = spec[0].shape[0] or UNKNOWN_BATCH_SIZE
        self.bytes_per_example = sum(
            part.dtype.size * math.prod(size or 1 for size in part.shape[1:]) for part in spec
        )
        self.prefetched = 0  # batches that are made while steps run
        self._dataset = dataset
        self._passes = passes
        self._most = most
        self._pipeline = None

    def next_pass(self):
        """Returns an iterator over the batches of the next pass."""
        if not self.prefetched:
            return iter(self._dataset)
        if self._passes is None or self._most:
            dataset = self._dataset.take(self._most) if self._most else self._dataset
            return iter(dataset.prefetch(self.prefetched))
        if self._pipeline is None:
            self._pipeline = self._all_passes()
        if self.num_batches:
            return itertools.islice(self._pipeline, self.num_batches)

        return _until_marked_end(self._pipeline)

    def _all_passes(self):
        """One pipeline over all passes, so that the next one is under way while steps of one run."""
        dataset = self._dataset
        if not self.num_batches:
            is_tuple = isinstance(dataset.element_spec, tuple)
            end = tf.nest.map_structure(_empty, dataset.element_spec)
            end = tf.data.Dataset.from_tensors((False, end))
            dataset = dataset.map(lambda *batch: (True, batch if is_tuple else batch[0]))
            dataset = dataset.concatenate(end)
        return iter(dataset.repeat(self._passes).prefetch(self.prefetched))


def of_arrays(x, y, sample_weight):
    """Returns the structure of arrays that a step takes batches of, or None where it is not one.

    Args:
        x, y, sample_weight: as `fit` takes them.
    """
    parts = _as_tuples((x, y, sample_weight))
    arrays = [array for part in parts if part is not None for array in tf.nest.flatten(part)]
    if not arrays or not all(_is_array_of_rows(array) for array in arrays):
        return None
    if len({int(array.shape[0]) for array in arrays}) != 1 or not _fit_on_device(arrays):
        return None

    return keras.utils.pack_x_y_sample_weight(*parts)


def has_dense_batches(dataset):
    """Returns True if the batches of a dataset are dense tensors of a known rank, which can be stacked."""
    specs = tf.nest.flatten(dataset.element_spec)
    return all(isinstance(spec, tf.TensorSpec) and spec.shape.rank for spec in specs)


def step_dtype(array):
    """Returns what a step takes an array as: whole numbers in their own type, others in Keras' float."""
    dtype = tf.as_dtype(array.dtype)
    return tf.as_dtype(keras.config.floatx()) if dtype.is_floating else dtype


def stack(batches, height):
    """Returns batches of one shape as one structure `[height, ...]`, the last repeated to fill it."""
    batches = batches + batches[-1:] * (height - len(batches))
    return tf.nest.map_structure(_stacked, *batches)


def shapes(batch):
    """Returns what tells batches of different programs apart: shapes and dtypes, hashable."""
    return tuple((tuple(part.shape), part.dtype) for part in tf.nest.flatten(batch))


def _is_array_of_rows(array):
    if isinstance(array, np.ndarray):
        return (
            array.ndim > 0
            and array.dtype.kind in "fiub"
            and not isinstance(array, np.ma.MaskedArray)
        )
    return isinstance(array, tf.Tensor) and array.shape.rank and array.dtype != tf.string


def _as_tuples(structure):
    """The structure with lists as tuples, which is what Keras makes of them."""
    if isinstance(structure, dict):
        return {key: _as_tuples(value) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return tuple(_as_tuples(value) for value in structure)
    return structure


def _until_marked_end(pipeline):
    for more, batch in pipeline:
        if not more:
            return
        yield batch


def _on_device(array):
    """A tensor of an array, or of the same numbers in bytes: a quarter of the memory and of the copying."""
    if isinstance(array, np.ndarray) and array.dtype.kind == "f":
        array = _as_bytes(array)
    tensor = tf.convert_to_tensor(array)
    return tf.cast(tensor, step_dtype(tensor))


def _as_bytes(array):
    """An array of floats as uint8 if all are whole numbers of that range, otherwise itself."""
    as_bytes = np.empty(array.shape, np.uint8)
    rows = max(1, _NUMBERS_IN_CACHE // max(1, math.prod(array.shape[1:])))
    for first in range(0, len(array), rows):
        block = slice(first, first + rows)
        with np.errstate(invalid="ignore"):  # NaN, say, which then differs
            as_bytes[block] = array[block]
        if not np.array_equal(as_bytes[block], array[block]):
            return array
    return as_bytes


def _fit_on_device(arrays):
    """Whether arrays may stay on the device for the whole of a `fit`."""
    size = sum(math.prod(array.shape) * tf.as_dtype(array.dtype).size for array in arrays)
    return not xla.gpus() or size <= _MAX_BYTES_ON_GPU


def _empty(spec):
    """A tensor of a spec, of no examples where that is open."""
    return tf.zeros([size or 0 for size in spec.shape], spec.dtype)


def _stacked(*parts):
    return np.stack(parts) if isinstance(parts[0], np.ndarray) else tf.stack(parts)
