"""Sources of the loop's batches: arrays on the device or on disk, or a `tf.data.Dataset`."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._files import mapped
from tfvae._keras.backend import keras
from tfvae.ops import xla

UNKNOWN_BATCH_SIZE = 128  # examples in a batch, where the data do not say it
_MAX_BYTES_ON_GPU = 2**31  # of all arrays of a `fit`
_MAX_BYTES_HELD = 2**28  # of what was read of arrays on disk, before its memory is given back
_NUMBERS_IN_CACHE = 2**18  # of an array, compared at a time


class IndexedArrays:
    """Arrays that stay on the device. A batch is given by the numbers of its rows.

    Args:
        arrays: arrays `[N, ...]` in the structure in which a step takes a batch.
        batch_size: examples in a batch; the last batch of a pass may hold fewer.
        order_key: a function that returns the seed of the order of the next pass, a tuple of
            integers; None keeps the order of the rows.
    """

    def __init__(
        self,
        arrays: Any,
        batch_size: int,
        order_key: Callable[[], tuple[int, ...]] | None = None,
    ) -> None:
        """Puts the arrays on the device."""
        self.num_examples = len(tf.nest.flatten(arrays)[0])
        self.batch_size = min(batch_size, self.num_examples)
        self.num_batches = math.ceil(self.num_examples / batch_size)
        dtypes = tf.nest.map_structure(step_dtype, arrays)
        self.element_spec = tf.nest.map_structure(
            lambda array, dtype: tf.TensorSpec((self.batch_size, *array.shape[1:]), dtype),
            arrays,
            dtypes,
        )
        self.bytes_per_example = sum(
            spec.dtype.size * math.prod(spec.shape[1:])
            for spec in tf.nest.flatten(self.element_spec)
        )
        self.examples = arrays
        self.arrays, self.dtypes = self._placed(arrays, dtypes)
        self.order: tuple[int, ...] | None = None  # the seed of the order of the last pass
        self._batch_size = batch_size
        self._order_key = order_key

    def next_pass(self, order: Sequence[int] | None = None) -> Iterator[Any]:
        """Returns an iterator over the row numbers of each batch of a pass, int32 `[B]`.

        Args:
            order: the seed of the order, instead of the next one.
        """
        return self._rows(order)

    def skip_passes(self, count: int) -> int:
        """Returns the count of passes to leave out, since none has to be read for that."""
        return count

    def _placed(self, arrays, dtypes):
        """Returns the arrays on the device, of which a step takes rows, and the rows' dtypes."""
        return tf.nest.map_structure(_on_device, arrays), dtypes

    def _rows(self, order):
        rows = np.arange(self.num_examples, dtype=np.int32)
        if self._order_key is not None:
            self.order = tuple(order or self._order_key())
            rows = np.random.default_rng(self.order).permutation(rows)

        firsts = range(0, self.num_examples, self._batch_size)
        return (rows[first : first + self._batch_size] for first in firsts)


class MappedArrays(IndexedArrays):
    """Arrays that lie in files on disk, such as `numpy.load(file, mmap_mode="r")`.

    Each batch is read when its step comes, in the order in which `IndexedArrays` has it.
    """

    def next_pass(self, order: Sequence[int] | None = None) -> Iterator[Any]:
        """Returns an iterator over the batches of a pass, arrays `[B, ...]`.

        Args:
            order: the seed of the order, instead of the next one.
        """
        return self._read(self._rows(order))

    def _placed(self, arrays, dtypes):
        """Returns nothing, since a step is given its batches."""
        return None, None

    def _read(self, batches):
        held = 1 + _MAX_BYTES_HELD // max(1, self.batch_size * self.bytes_per_example)
        for number, rows in enumerate(batches):
            if number % held == 0:
                tf.nest.map_structure(mapped.release, self.examples)
            yield tf.nest.map_structure(
                lambda array, spec, rows=rows: np.asarray(array[rows], spec.dtype.as_numpy_dtype),
                self.examples,
                self.element_spec,
            )


class DatasetBatches:
    """The batches of a `tf.data.Dataset`, which is read no further than asked.

    Batches are made ahead of the steps only if `prefetched` is set.

    Args:
        dataset: a dataset of batches of dense tensors.
        passes: the number of passes. Prefetched passes follow one another in one pipeline. None
            begins each pass by itself.
        most: the most batches that are read in a pass, or None for all.
    """

    arrays = examples = dtypes = num_examples = order = None

    def __init__(
        self, dataset: tf.data.Dataset, passes: int | None = None, most: int | None = None
    ) -> None:
        """Reads what the dataset says of its batches, and no batch."""
        self.element_spec = dataset.element_spec
        spec = tf.nest.flatten(dataset.element_spec)
        count = int(dataset.cardinality())
        self.num_batches = count if count > 0 else None
        self.batch_size = spec[0].shape[0] or UNKNOWN_BATCH_SIZE
        self.bytes_per_example = sum(
            part.dtype.size * math.prod(size or 1 for size in part.shape[1:]) for part in spec
        )
        self.prefetched = 0  # batches that are made ahead, while steps run
        self._dataset = dataset
        self._passes = passes
        self._most = most
        self._pipeline: Any = None

    def skip_passes(self, count: int) -> int:
        """Reads so many passes, and returns their number."""
        for _ in range(count):
            for _ in itertools.islice(self.next_pass(), self._most):
                pass
        return count

    def next_pass(self, order: Sequence[int] | None = None) -> Iterator[Any]:
        """Returns an iterator over the batches of the next pass.

        Args:
            order: nothing, since the dataset has an order of its own.
        """
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
        """Returns one pipeline over all passes, so that a pass begins while steps still run."""
        dataset = self._dataset
        if not self.num_batches:
            is_tuple = isinstance(dataset.element_spec, tuple)
            end = tf.nest.map_structure(_empty, dataset.element_spec)
            end = tf.data.Dataset.from_tensors((False, end))
            dataset = dataset.map(lambda *batch: (True, batch if is_tuple else batch[0]))
            dataset = dataset.concatenate(end)

        return iter(dataset.repeat(self._passes).prefetch(self.prefetched))


def of_arrays(x: Any, y: Any, sample_weight: Any) -> Any:
    """Returns data as the structure of arrays from which a step takes batches.

    Args:
        x: the inputs, as `fit` takes them.
        y: the targets, as `fit` takes them.
        sample_weight: the weights of examples, as `fit` takes them.

    Returns:
        x, (x, y) or (x, y, sample_weight), with tuples in place of lists. None if the data are
        not arrays of the same number of rows, or do not fit on the device.
    """
    parts = _as_tuples((x, y, sample_weight))
    arrays = [array for part in parts if part is not None for array in tf.nest.flatten(part)]
    if not arrays or not all(_is_array_of_rows(array) for array in arrays):
        return None
    if len({int(array.shape[0]) for array in arrays}) != 1 or not _fit_on_device(arrays):
        return None

    return keras.utils.pack_x_y_sample_weight(*parts)


def source_of_arrays(
    arrays: Any, batch_size: int, order_key: Callable[[], tuple[int, ...]] | None = None
) -> IndexedArrays:
    """Returns the source of batches of arrays, which stay on disk where they lie there.

    Args:
        arrays: what `of_arrays` returned.
        batch_size: as for `IndexedArrays`.
        order_key: as for `IndexedArrays`.
    """
    on_disk = any(map(mapped.is_mapped, tf.nest.flatten(arrays)))
    return (MappedArrays if on_disk else IndexedArrays)(arrays, batch_size, order_key)


def has_dense_batches(dataset: tf.data.Dataset) -> bool:
    """Returns True if the batches of a dataset are dense tensors of a known rank of 1 or more.

    Such batches can be stacked.
    """
    specs = tf.nest.flatten(dataset.element_spec)
    return all(isinstance(spec, tf.TensorSpec) and spec.shape.rank for spec in specs)


def step_dtype(array: np.ndarray | tf.Tensor) -> tf.DType:
    """Returns the dtype in which a step takes an array.

    Floats become `keras.config.floatx()`. Whole numbers and Booleans keep their own type.
    """
    dtype = tf.as_dtype(array.dtype)
    return tf.as_dtype(keras.config.floatx()) if dtype.is_floating else dtype


def stack(batches: list[Any], height: int) -> Any:
    """Returns batches of one shape as one structure of tensors or arrays `[height, B, ...]`.

    Args:
        batches: at most `height` batches, each a structure of tensors or arrays `[B, ...]`.
        height: the length of the stack. The last batch is repeated to fill it.
    """
    batches = batches + batches[-1:] * (height - len(batches))
    return tf.nest.map_structure(_stacked, *batches)


def shapes(batch: Any) -> tuple[tuple[tuple[int, ...], str], ...]:
    """Returns the shapes and dtypes of a batch; those that differ need different programs."""
    return tuple((tuple(part.shape), part.dtype.name) for part in tf.nest.flatten(batch))


def rows_of(batch: Any) -> int:
    """Returns how many examples a batch has."""
    return len(tf.nest.flatten(batch)[0])


def _is_array_of_rows(array):
    """Returns True for a plain array or tensor of numbers with a first axis."""
    if isinstance(array, np.ndarray):
        return (
            array.ndim > 0
            and array.dtype.kind in "fiub"
            and not isinstance(array, np.ma.MaskedArray)
        )
    return isinstance(array, tf.Tensor) and array.shape.rank and array.dtype != tf.string


def _as_tuples(structure):
    """Returns the structure with tuples in place of lists, as Keras has it."""
    if isinstance(structure, dict):
        return {key: _as_tuples(value) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return tuple(_as_tuples(value) for value in structure)
    return structure


def _until_marked_end(pipeline):
    """Yields the batches of a pipeline of (True, batch) up to the next (False, ...)."""
    for more, batch in pipeline:
        if not more:
            return
        yield batch


def _on_device(array):
    """Returns an array as a tensor, in bytes if the numbers allow it.

    Bytes take a quarter of the memory and of the time to copy.
    """
    if isinstance(array, np.ndarray) and array.dtype.kind == "f":
        array = _as_bytes(array)
    tensor = tf.convert_to_tensor(array)
    return tf.cast(tensor, step_dtype(tensor))


def _as_bytes(array):
    """Returns an array of floats as uint8 if all are whole numbers from 0 to 255, else itself."""
    as_bytes = np.empty(array.shape, np.uint8)
    rows = max(1, _NUMBERS_IN_CACHE // max(1, math.prod(array.shape[1:])))
    for first in range(0, len(array), rows):
        block = slice(first, first + rows)
        with np.errstate(invalid="ignore"):  # such as NaN, which the comparison then finds
            as_bytes[block] = array[block]
        if not np.array_equal(as_bytes[block], array[block]):
            return array

    return as_bytes


def _fit_on_device(arrays):
    """Returns True if arrays may stay on the device for the whole of a `fit`."""
    placed = [array for array in arrays if not mapped.is_mapped(array)]
    size = sum(math.prod(array.shape) * tf.as_dtype(array.dtype).size for array in placed)
    return not xla.gpus() or size <= _MAX_BYTES_ON_GPU


def _empty(spec):
    """Returns zeros of a spec, with length 0 along each axis of unknown length."""
    return tf.zeros([size or 0 for size in spec.shape], spec.dtype)


def _stacked(*parts):
    return np.stack(parts) if isinstance(parts[0], np.ndarray) else tf.stack(parts)
