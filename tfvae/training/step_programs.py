"""Runs the steps of a model: many of them in one compiled call.

Keras loops over calls of a compiled step; here the loop is inside what is compiled, which saves
each step the way into and out of it.
"""

import itertools
import logging

import tensorflow as tf

from tfvae.ops import xla
from tfvae.training import batch_sources, compilation_plan

_LOG = logging.getLogger("tfvae")
_MAX_XLA_SHAPES = 4  # of batches; those of further shapes run as a graph


class StepPrograms:
    """Compiled functions of one step of a model, by the shapes of batches.

    They are made anew when what they were traced from has changed.

    Args:
        model: a `CompiledFit` model.
        step: the name of its method for one batch, such as "train_step".
    """

    def __init__(self, model, step):
        self._model = model
        self._step = step
        self._functions = FunctionCache()
        self._plans: dict = {}
        self._compiled: set = set()

    def begin(self):
        """Before other data: the plan is chosen by the first batch."""
        self._plans = {}

    def refresh(self):
        """Drops programs of another state of the model, which may have changed between two epochs."""
        self._functions.follow(self._model.traced_state())

    def run(self, source, batches, height, ends_pass):
        """Runs one step on each of `batches`, in their order.

        Args:
            source: the source of the batches.
            batches: a list of them.
            height: how many batches a stack of them holds.
            ends_pass: whether the last one is the last of a pass over the source.

        Returns:
            What the last step returns.
        """
        groups = [list(group) for _, group in itertools.groupby(batches, batch_sources.shapes)]
        for number, group in enumerate(groups):
            is_last = ends_pass and number == len(groups) - 1 and len(group) == 1
            plan = self._plan(group[0], is_last)
            # A stack half empty costs more than the calls it saves.
            pieces = [group] if 2 * len(group) >= height else [[batch] for batch in group]
            for piece in pieces:
                logs = self._run(source, piece, height if len(piece) > 1 else 1, plan)

        return logs

    def functions(self):
        """Returns the functions there are now, by what they depend on."""
        return self._functions.made

    def _plan(self, batch, is_last):
        shapes = batch_sources.shapes(batch)
        if shapes in self._plans:
            return self._plans[shapes]
        # A batch of another size at the end of a pass is not worth the seconds that XLA takes.
        if self._plans and (is_last or len(self._plans) >= _MAX_XLA_SHAPES):
            return xla.GRAPH

        size = len(tf.nest.flatten(batch)[0])
        plan = self._model.compilation_plan(size, training=self._step == "train_step")
        self._plans[shapes] = plan
        return plan

    def _run(self, source, batches, height, plan):
        stacked = batch_sources.stack(batches, height)
        arguments = (stacked, tf.constant(len(batches)))
        # An update that XLA refuses does so in the midst of a step, which then runs once more.
        before = _state_of_steps(self._model) if plan.update and plan not in self._compiled else []
        try:
            logs = self._call(source, arguments, plan)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            give_up_xla(self._model, plan, error)
            for variable, value in before:
                variable.assign(value)
            self._plans = {}
            return self._call(source, arguments, xla.GRAPH)

        self._compiled.add(plan)
        return logs

    def _call(self, source, arguments, plan):
        key = (plan, source.arrays is not None)
        if source.arrays is None:
            return self._functions.get(key, lambda: self._make(plan, None))(*arguments)
        function = self._functions.get(
            (*key, dtypes_key(source.dtypes)), lambda: self._make(plan, source.dtypes)
        )
        return function(source.arrays, *arguments)

    def _make(self, plan, dtypes):
        """A function of stacked batches and their number, or of arrays, stacked rows and their number."""
        # On a CPU, a convolution inside XLA's loop takes eight times as long as outside.
        loop_by_xla = plan.whole_step and self._model.loop_may_be_compiled()
        step_by_xla = plan.whole_step and not loop_by_xla
        step_of_model = getattr(self._model, self._step)

        def run(batches, count):
            types = dtypes or tf.nest.map_structure(lambda part: part.dtype, batches)
            with xla.tracing_for(plan):
                step = tf.function(step_of_model, autograph=False, jit_compile=step_by_xla)
                spec = tf.nest.map_structure(
                    lambda part, dtype: tf.TensorSpec(part.shape[1:], dtype), batches, types
                )
                step = step.get_concrete_function(spec)

            def step_at(i):
                return step(
                    tf.nest.map_structure(
                        lambda part, dtype: tf.cast(part[i], dtype), batches, types
                    )
                )

            return _loop(step_at, step.structured_outputs, count)

        run = tf.function(run, autograph=False, jit_compile=loop_by_xla)
        if dtypes is None:
            return run

        def run_on_rows(arrays, rows, count):
            batches = tf.nest.map_structure(lambda array: tf.gather(array, rows), arrays)
            return run(batches, count)

        return tf.function(run_on_rows, autograph=False)


class CompiledFunctions:
    """Functions that run without training, compiled as a model's steps are.

    Args:
        model: a `CompiledFit` model.
    """

    def __init__(self, model):
        self._model = model
        self._functions = FunctionCache()

    def bound(self, key, make):
        """Returns the function made by `make(plan)` for an equal `key`, with a graph to go back to."""
        self._functions.follow(self._model.traced_state())

        def call(*arguments):
            plan = self._model.compilation_plan(1, training=False)
            function = self._functions.get((key, plan), lambda: make(plan))
            try:
                return function(*arguments)
            except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
                give_up_xla(self._model, plan, error)
                return call(*arguments)

        return call

    def functions(self):
        """Returns the functions there are now, by what they depend on."""
        return self._functions.made


def give_up_xla(model, plan, error):
    """Has a model's programs compiled without XLA where an error is its refusal; else raises the error."""
    if not model.may_choose_compiler() or not compilation_plan.is_refusal(error, plan):
        raise error

    reason = compilation_plan.reason_of_refusal(error)
    _LOG.warning(
        "XLA cannot compile the steps of this model, which run as a TensorFlow graph: %s", reason
    )
    model.refuse_xla()


class FunctionCache:
    """Compiled functions, by what they depend on.

    An object of its own, since Keras and SavedModel would save a dictionary of the model.
    """

    def __init__(self):
        self.made = {}
        self._state = None

    def follow(self, state):
        """Drops the functions that were traced from another state of the model, see `traced_state`."""
        if state != self._state:
            self.made = {}
            self._state = state

    def get(self, key, make):
        """Returns the function made for an equal `key` before, or a new one."""
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]


def _state_of_steps(model):
    """What a step changes beside the weights that are trained, and its values now."""
    untrained = [v for v in model.variables if not v.trainable]
    variables = [
        *(v.value for v in [*untrained, *model.metrics_variables]),
        *model.loop_hooks.counters(),
    ]
    return [(variable, tf.identity(variable)) for variable in variables]


def dtypes_key(dtypes):
    """Returns a structure of dtypes as a hashable value."""
    return str(tf.nest.map_structure(lambda dtype: dtype.name, dtypes))


def _loop(step_at, logs, count):
    """What the last of the first `count` calls of `step_at` returns, of the structure of `logs`."""

    def body(i, *_):
        return i + 1, *tf.nest.flatten(step_at(i))

    start = (0, *[tf.zeros(t.shape, t.dtype) for t in tf.nest.flatten(logs)])
    # One at a time: each step reads the weights that the one before has written.
    _, *last = tf.while_loop(lambda i, *_: i < count, body, start, parallel_iterations=1)
    return tf.nest.pack_sequence_as(logs, last)
