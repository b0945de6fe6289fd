"""How the steps under `fit` and `evaluate` run: many of them in one compiled call.

Keras loops over `steps_per_execution` calls of a compiled step; here the loop is inside what
is compiled, which saves each step the way into and out of it.
"""

import tensorflow as tf

from tfvae import compiling, feeds
from tfvae._backend import keras

_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


class Program:
    """A step of a model, run on as many batches a call as `steps_per_execution` says.

    Called with an iterator over batches, as Keras calls its own functions.

    Attributes:
        done: how many steps the last call took; fewer than asked for where the data end.
    """

    def __init__(self, model, step, training):
        self._model, self._step, self._training, self._programs = model, step, training, Programs()
        self.done = 0
        self.begin()

    def begin(self, batches=None):
        """Before other data: `batches` is what they come from, a `feeds.Batches`."""
        self._first_shapes, self._batches = None, batches or feeds.Batches()

    def functions(self, compiler):
        """Functions of stacked batches, their number and the dtypes the step takes, by a `compiling.Compiler`.

        The first takes batches, the second arrays and the numbers of their rows.
        """
        return self._programs.get(compiler, lambda: self._make(compiler))

    def _make(self, compiler):
        by_xla = compiler.steps_by_xla
        # On CPU, a convolution inside XLA's loop takes eight times as long as outside.
        whole = by_xla and bool(compiling.gpus() or not compiling.has_convolution(self._model))

        def run(batches, count, dtypes):
            dtypes = dtypes or _map(lambda t: t.dtype, batches)
            with compiling.by(compiler):
                step = tf.function(self._step, autograph=False, jit_compile=by_xla and not whole)
                step = step.get_concrete_function(_map(lambda t, dtype: tf.TensorSpec(t.shape[1:], dtype), batches, dtypes))

            def step_at(i):
                return step(_map(lambda t, dtype: tf.cast(t[i], dtype), batches, dtypes))

            return _loop(step_at, step.structured_outputs, count)

        def run_on_rows(arrays, rows, count, dtypes):
            return program(_map(lambda array: tf.gather(array, rows), arrays), count, dtypes)

        program = tf.function(run, autograph=False, jit_compile=whole)
        return program, tf.function(run_on_rows, autograph=False)

    def __call__(self, iterator):
        groups = self._batches.take(iterator, self._model.steps_per_execution)
        if not groups:
            raise StopIteration
        self.done = sum(count for _, count in groups)
        for batches, count in groups:
            logs = self._run(batches, tf.constant(count))
        return logs

    def _run(self, batches, count):
        """What the last of `count` steps returns."""
        shapes = [None if t is None else t.shape for t in tf.nest.flatten(batches)]
        if self._first_shapes is None:
            batch_size = tf.nest.flatten(batches)[0].shape[1]
            self._first_shapes, self._compiler = shapes, self._model.compiler_for(batch_size, self._training)
        # Batches of another size, as the last one of an epoch, are another program; a few steps are
        # not worth the seconds that XLA takes to compile it.
        compiler = self._compiler if shapes == self._first_shapes else compiling.GRAPH
        run, run_on_rows = self.functions(compiler)
        if self._batches.arrays is None:
            return run(batches, count, None)
        return run_on_rows(self._batches.arrays, batches, count, self._batches.dtypes)


class Programs:
    """Compiled functions, by what they depend on.

    An object of its own, since Keras and SavedModel would save a dictionary of the model.
    """

    def __init__(self):
        self.made = {}

    def get(self, key, make):
        """The function made for an equal `key` before, or a new one."""
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]

    def forget(self, key):
        """Has the function of `key` made anew, where there is one."""
        self.made.pop(key, None)


class Callbacks(keras.callbacks.CallbackList):
    """Keras' callbacks, told the number of the last batch there was, and not of the last one asked for."""

    def on_train_batch_begin(self, batch, logs=None):
        self._first = batch
        super().on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(self._first + self.model.train_function.done - 1, logs)

    def on_test_batch_begin(self, batch, logs=None):
        self._first = batch
        super().on_test_batch_begin(batch, logs)

    def on_test_batch_end(self, batch, logs=None):
        super().on_test_batch_end(self._first + self.model.test_function.done - 1, logs)


def watches_batches(callbacks):
    """Whether a callback of the user's own wants to be called for each batch."""
    return any(_own(callback, hook) for callback in tf.nest.flatten(callbacks or []) for hook in _HOOKS)


def _own(callback, hook):
    owner = next((c for c in type(callback).__mro__ if hook in vars(c)), keras.callbacks.Callback)
    # Keras' own, EarlyStopping and the like, are made for steps that run together.
    return hook in vars(callback) or not owner.__module__.startswith("keras.")


def _map(function, *structures):
    return tf.nest.map_structure(lambda *parts: None if parts[0] is None else function(*parts), *structures)


def _loop(step_at, logs, count):
    """What the last of the first `count` calls of `step_at` returns, of the structure of `logs`."""

    def body(i, *_):
        return i + 1, *tf.nest.flatten(step_at(i))

    start = (0, *[tf.zeros(t.shape, t.dtype) for t in tf.nest.flatten(logs)])
    # One at a time: each step reads the weights that the one before has written.
    _, *last = tf.while_loop(lambda i, *_: i < count, body, start, parallel_iterations=1)
    return tf.nest.pack_sequence_as(logs, last)
