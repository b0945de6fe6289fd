"""Where the batches of `execution.Program` come from.

Keras makes an iterator for each epoch and reads it batch by batch. While `fit` runs, arrays stay
on the device instead, with only the numbers of their rows going in, and the passes over a
dataset are one pipeline, which goes on with the next pass while the steps of one still run.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae import compiling
from tfvae._backend import keras

_MOST_ON_GPU = 2**31  # bytes
_BLOCK = 2**18  # numbers that are looked at in one go, which a cache holds
UNKNOWN = 128  # examples in a batch, where nothing tells


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
        return Source(spec.shape[0] or UNKNOWN, spec.dtype, steps, steps or (count if count > 0 else None), None)
    if not hasattr(x, "shape"):
        return Source(UNKNOWN, tf.float32, steps, steps or getattr(x, "num_batches", None), None)
    count = math.floor(x.shape[0] * (1.0 - call.get("validation_split", 0.0)))  # as Keras splits
    batch_size = call["batch_size"] or (math.ceil(count / steps) if steps else 32)
    return Source(batch_size, tf.as_dtype(x.dtype), steps, steps or math.ceil(count / batch_size), count)


class Batches:
    """The batches of the iterators that Keras makes, one for each epoch.

    Attributes:
        arrays: those whose row numbers the batches are, or None where the batches are the data.
        dtypes: of the arrays as a step takes them.
    """

    arrays = dtypes = None

    def take(self, iterator, steps):
        """The batches of one call of up to `steps` of them: `[(alike, how many), ...]`, each `alike` a
        stack of `steps`, the last repeated to fill it. Empty where an epoch is over.
        """
        batches = (tf.nest.map_structure(_present, batch) for batch in self._read(iterator, steps))
        groups = (list(alike) for _, alike in itertools.groupby(batches, _shapes))
        return [(_stack(alike + alike[-1:] * (steps - len(alike))), len(alike)) for alike in groups]

    def _read(self, iterator, steps):
        return itertools.islice(iterator, steps)


class Epochs(Batches):
    """The batches of one iterator over all epochs, each of `steps` batches."""

    def __init__(self, batches, steps):
        self._batches, self._steps, self._left = batches, steps, steps

    def _read(self, iterator, steps):
        wanted = min(steps, self._left)
        self._left = self._left - wanted or self._steps
        return itertools.islice(self._batches, wanted)


class Rows(Epochs):
    """Row numbers of arrays that stay on the device, in another order in each pass.

    Args:
        arrays: as `fit` takes them: x, (x, y) or (x, y, sample_weight).
        batches: of row numbers.
        steps: of an epoch; the next one goes on where it ends.
    """

    def __init__(self, arrays, batches, steps):
        super().__init__(batches, steps)
        self.arrays = tf.nest.map_structure(_on_device, arrays)
        self.dtypes = tf.nest.map_structure(_dtype, arrays)


class Passes(Batches):
    """Passes over a dataset whose number of batches is not known, as one pipeline.

    Args:
        dataset: of batches.
        passes: how often it is read, at most.
        ahead: how many batches are made while steps run.
    """

    def __init__(self, dataset, passes, ahead):
        elements = dataset.map(lambda *batch: (True, batch[0] if len(batch) == 1 else batch))
        end = tf.data.Dataset.from_tensors((False, tf.nest.map_structure(_empty, dataset.element_spec)))
        self._elements = iter(elements.concatenate(end).repeat(passes).prefetch(ahead))
        self._at_end = False

    def _read(self, iterator, steps):
        if self._at_end:  # which the call before has found
            self._at_end = False
            return
        for i in range(steps):
            more, batch = next(self._elements, (False, None))
            if not more:
                self._at_end = i > 0
                return
            yield batch


def take_over(call, found, ahead):
    """The batches of a call of `fit`, in whose arguments only their number is left where it can be.

    What Keras has to do with the data first, to split or to weight them, it does its own way.

    Args:
        call: the arguments, by name.
        found: their `Source`.
        ahead: how many batches of a stream are made while steps run.
    """
    x, passes = call["x"], call["epochs"] - call["initial_epoch"]
    parts = [part for part in (x, call["y"], call["sample_weight"]) if part is not None]
    if call["class_weight"] is not None or keras.config.max_steps_per_epoch():
        return Batches()
    if isinstance(x, tf.data.Dataset):
        if found.steps or len(parts) > 1:
            call["x"] = x.prefetch(ahead)
            return Batches()
        counted = found.num_batches is not None
        batches = Epochs(iter(x.repeat(passes).prefetch(ahead)), found.num_batches) if counted else Passes(x, passes, ahead)
    elif _are_rows(parts, found.num_examples) and isinstance(call["shuffle"], bool) and _fit_on_device(parts):
        rows = batches_of_rows(found.num_examples, found.batch_size, call["shuffle"])
        batches = Rows(keras.utils.pack_x_y_sample_weight(*parts), rows, found.num_batches)
        call["validation_batch_size"] = call["validation_batch_size"] or found.batch_size
    else:
        return Batches()
    stand_in = tf.data.Dataset.from_tensors([0]).repeat()
    call.update(x=stand_in, y=None, sample_weight=None, batch_size=None, shuffle=False, steps_per_epoch=found.num_batches)
    return batches


def batches_of_rows(count, batch_size, shuffle):
    """Row numbers, batch by batch, without end; each pass in an order of its own if `shuffle`."""
    random = np.random.default_rng(np.random.randint(2**31))  # as `keras.utils.set_random_seed` has set it
    order = np.arange(count, dtype=np.int32)
    while True:
        rows = random.permutation(order) if shuffle else order
        yield from (rows[first : first + batch_size] for first in range(0, count, batch_size))


def _are_rows(parts, count):
    return all(hasattr(part, "shape") and len(part) == count for part in parts)


def _dtype(array):
    """What a step takes an array as: whole numbers in their own type, others in Keras' float."""
    dtype = tf.as_dtype(array.dtype)
    return tf.as_dtype(keras.config.floatx()) if dtype.is_floating else dtype


def _on_device(array):
    """A tensor of an array, or of the same numbers in bytes: a quarter of the memory, and of the time to copy it."""
    if isinstance(array, np.ndarray) and array.dtype.kind == "f":
        array = _as_bytes(array)
    tensor = tf.convert_to_tensor(array)
    return tf.cast(tensor, _dtype(tensor))


def _as_bytes(array):
    """An array of floats as uint8 if all are whole numbers of that range, otherwise itself."""
    found = np.empty(array.shape, np.uint8)
    rows = max(1, _BLOCK // max(1, math.prod(array.shape[1:])))
    for first in range(0, len(array), rows):
        block = slice(first, first + rows)
        with np.errstate(invalid="ignore"):  # NaN, say, which is then found to differ
            found[block] = array[block]
        if not np.array_equal(found[block], array[block]):
            return array
    return found


def _fit_on_device(arrays):
    """Whether arrays may stay on the device for the whole of a `fit`."""
    size = sum(math.prod(a.shape) * tf.as_dtype(a.dtype).size for a in arrays)
    return not compiling.gpus() or size <= _MOST_ON_GPU


def _present(part):
    """An array of a batch; Keras' generators stand in an empty optional for what is absent."""
    return None if isinstance(part, tf.experimental.Optional) else part


def _empty(spec):
    """A tensor of a spec, of no examples where that is open."""
    return tf.zeros([size or 0 for size in spec.shape] if spec.shape.rank else [], spec.dtype)


def _shapes(batch):
    return [None if t is None else (t.shape, t.dtype) for t in tf.nest.flatten(batch)]


def _stack(batches):
    return tf.nest.map_structure(lambda *parts: None if parts[0] is None else _stacked(parts), *batches)


def _stacked(parts):
    return np.stack(parts) if isinstance(parts[0], np.ndarray) else tf.stack(parts)
