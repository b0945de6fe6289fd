"""Runs many steps of a model in one compiled call.

Keras loops over calls of a compiled step. Here the loop itself is compiled, which saves each step
the cost of a call.
"""

import itertools
import logging
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfvae._keras import internals
from tfvae.ops import xla
from tfvae.training import batch_sources, compilation_plan

if TYPE_CHECKING:
    from tfvae.training.compiled_fit import CompiledFit

_LOG = logging.getLogger("tfvae")
_MAX_XLA_SHAPES = 4  # of batches; batches of more shapes run as a graph


class StepPrograms:
    """Runs one kind of step of a model by compiled functions.

    The functions are made anew when the attributes that they were traced from have changed.

    Args:
        model: a `CompiledFit` model.
        step: the name of its method for one batch, such as "train_step".
    """

    def __init__(self, model: "CompiledFit", step: str) -> None:
        """Starts without compiled functions."""
        self._model = model
        self._step = step
        self._functions = FunctionCache()
        self._plans: dict = {}
        self._compiled: set = set()

    def begin(self) -> None:
        """Prepares for other data, whose first batch decides on the plan."""
        self._plans = {}

    def planned(self) -> list[Any]:
        """Returns the shapes of the batches that have a plan, in lists, for `plan_again`."""
        return [[[list(shape), dtype] for shape, dtype in shapes] for shapes in self._plans]

    def plan_again(self, planned: list[Any]) -> None:
        """Plans batches before the first one, as a training did that goes on here.

        Else which shapes XLA compiles would depend on where the training was stopped.

        Args:
            planned: what `planned` returned there.
        """
        for parts in planned:
            shapes = tuple((tuple(shape), dtype) for shape, dtype in parts)
            self._plans[shapes] = self._chosen(shapes[0][0][0])

    def refresh(self) -> None:
        """Drops the functions if the model's attributes have changed."""
        self._functions.follow(self._model.traced_state())

    def run(
        self,
        source: batch_sources.IndexedArrays | batch_sources.DatasetBatches,
        batches: list[Any],
        height: int,
        ends_pass: bool,
    ) -> dict[str, Any]:
        """Runs one step on each batch, in order.

        Args:
            source: the source of the batches.
            batches: at least one batch, as the source gives it.
            height: how many batches a stack holds.
            ends_pass: True if the last batch is the last one of a pass over the source.

        Returns:
            The logs of the last step, by name.
        """
        groups = [list(group) for _, group in itertools.groupby(batches, batch_sources.shapes)]
        for number, group in enumerate(groups):
            is_last = ends_pass and number == len(groups) - 1 and len(group) == 1
            plan = self._plan(group[0], is_last)
            # A stack that is more than half empty costs more than the calls it saves.
            pieces = [group] if 2 * len(group) >= height else [[batch] for batch in group]
            for piece in pieces:
                logs = self._run(source, piece, height if len(piece) > 1 else 1, plan)

        return logs

    def functions(self) -> dict[Hashable, Callable[..., Any]]:
        """Returns the functions made so far, by their keys."""
        return self._functions.made

    def _plan(self, batch, is_last):
        """Returns the plan for batches of the shape of one."""
        shapes = batch_sources.shapes(batch)
        if shapes in self._plans:
            return self._plans[shapes]

        # XLA takes seconds to compile, too long for a last batch of another size.
        if (self._plans and is_last) or len(self._plans) >= _MAX_XLA_SHAPES:
            return xla.GRAPH

        self._plans[shapes] = self._chosen(batch_sources.rows_of(batch))
        return self._plans[shapes]

    def _chosen(self, size):
        return self._model.compilation_plan(size, training=self._step == "train_step")

    def _run(self, source, batches, height, plan):
        stacked = batch_sources.stack(batches, height)
        arguments = (stacked, tf.constant(len(batches)))
        # XLA may refuse the update in the middle of a step. The step then runs once more, from
        # the state before it.
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
        """Returns the compiled function that runs a step on each batch of a stack.

        It takes the stacked batches and their number. With `dtypes`, which arrays have, it takes
        the arrays, the stacked row numbers and the number of batches.
        """
        # On a CPU, a convolution takes eight times as long inside a loop of XLA as outside it.
        loop_by_xla = plan.whole_step and self._model.loop_may_be_compiled()
        step_by_xla = plan.whole_step and not loop_by_xla
        step_of_model = getattr(self._model, self._step)

        def run(batches, count):
            types = dtypes or tf.nest.map_structure(lambda part: part.dtype, batches)
            with xla.tracing_for(plan):
                step = internals.program(step_of_model, jit_compile=step_by_xla)
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

            return loop(step_at, step.structured_outputs, count)

        if dtypes is None:
            return internals.last_program(run, jit_compile=loop_by_xla)

        run = internals.program(run, jit_compile=loop_by_xla)

        def run_on_rows(arrays, rows, count):
            batches = tf.nest.map_structure(lambda array: tf.gather(array, rows), arrays)
            return run(batches, count)

        return internals.last_program(run_on_rows)


class CompiledFunctions:
    """Keeps functions that run without training and are compiled as a model's steps are.

    Args:
        model: a `CompiledFit` model.
    """

    def __init__(self, model: "CompiledFit") -> None:
        """Starts without compiled functions."""
        self._model = model
        self._functions = FunctionCache()

    def bound(
        self, key: Hashable, make: Callable[[xla.CompilationPlan], Callable[..., Any]]
    ) -> Callable[..., Any]:
        """Returns a function that is made once per key, and as a graph if XLA refuses it.

        Args:
            key: the values that the function depends on beside the model.
            make: a function of a `CompilationPlan` that makes it.
        """
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

    def functions(self) -> dict[Hashable, Callable[..., Any]]:
        """Returns the functions made so far, by their keys."""
        return self._functions.made


def give_up_xla(model: "CompiledFit", plan: xla.CompilationPlan, error: tf.errors.OpError) -> None:
    """Turns XLA off for a model's programs if an error says that XLA cannot compile them.

    Args:
        model: a `CompiledFit` model.
        plan: the plan of the program that failed.
        error: the error of its call.

    Raises:
        tf.errors.OpError: the error itself, if it says otherwise or the user states `jit_compile`.
    """
    if not model.may_choose_compiler() or not compilation_plan.is_refusal(error, plan):
        raise error

    reason = compilation_plan.reason_of_refusal(error)
    _LOG.warning(
        "XLA cannot compile the steps of this model, which run as a TensorFlow graph: %s", reason
    )
    model.refuse_xla()


class FunctionCache:
    """Keeps compiled functions by their keys.

    This is an object of its own, since Keras and SavedModel would save a dictionary that the
    model holds.
    """

    def __init__(self) -> None:
        """Starts without functions."""
        self.made: dict[Hashable, Callable[..., Any]] = {}
        self._state: Hashable = None

    def follow(self, state: Hashable) -> None:
        """Drops all functions if the model's state, see `traced_state`, has changed."""
        if state != self._state:
            self.made = {}
            self._state = state

    def get(self, key: Hashable, make: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
        """Returns the function that was made for an equal key, or makes it.

        Args:
            key: the values that the function depends on.
            make: a function that makes it.
        """
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]


def _state_of_steps(model):
    """Returns the variables that a step changes, without trained weights, and their values."""
    untrained = [v for v in model.variables if not v.trainable]
    variables = [
        *(v.value for v in [*untrained, *model.metrics_variables]),
        *model.loop_hooks.counters(),
    ]
    return [(variable, tf.identity(variable)) for variable in variables]


def dtypes_key(dtypes: Any) -> str:
    """Returns a structure of dtypes as a hashable value."""
    return str(tf.nest.map_structure(lambda dtype: dtype.name, dtypes))


def loop(step_at: Callable[[tf.Tensor], Any], logs: Any, count: tf.Tensor) -> Any:
    """Calls a step so many times, one after the other, and returns its last result.

    Args:
        step_at: a function of the number of the step, from 0.
        logs: tensors or specs in the structure of its result.
        count: how many steps, an int32 scalar.
    """

    def body(i, *_):
        return i + 1, *tf.nest.flatten(step_at(i))

    start = (0, *[tf.zeros(t.shape, t.dtype) for t in tf.nest.flatten(logs)])
    # One at a time, since each step reads the weights that the step before has written.
    _, *last = tf.while_loop(lambda i, *_: i < count, body, start, parallel_iterations=1)
    return tf.nest.pack_sequence_as(logs, last)
