"""The state that a model keeps between its runs."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tfvae.training import replicas
from tfvae.training.alarm import Alarm
from tfvae.training.replica_programs import ReplicaPrograms
from tfvae.training.step_programs import CompiledFunctions, FunctionCache, StepPrograms

if TYPE_CHECKING:
    from tfvae.training.compiled_fit import CompiledFit


class RunState:
    """Holds a model's programs and its alarm, and remembers whether XLA has refused the steps.

    This is an object of its own, since Keras would save a dictionary that the model holds.

    Args:
        model: a `CompiledFit` model.
    """

    def __init__(self, model: "CompiledFit") -> None:
        """Starts without an alarm, see `prepare`, and without compiled programs."""
        self._model = model
        self.alarm: Any = None
        kind = StepPrograms if replicas.strategy_of(model) is None else ReplicaPrograms
        self.programs = {step: kind(model, step) for step in ("train_step", "test_step")}
        self.functions = FunctionCache()
        self.functions_without_training = CompiledFunctions(model)
        self.validation = None
        self.refused_by_xla = False
        self.explained = False
        self.evaluating = False
        self.steps = 0
        self._in_fit = False
        self._quiet = False
        self._outer: list = []  # of the `fit`s that wait for the end of one in a callback
        self._traced_from: dict = {}

    def prepare(self) -> None:
        """Makes the alarm, once the model is complete.

        A step in which the alarm makes its variable would be traced twice.
        """
        self.alarm = Alarm(self._model.on_nonfinite, self._model.loop_hooks.loss_terms())

    def begin(self, quiet: bool) -> None:
        """Begins a `fit`. A quiet one leaves steps that are not finite to a callback."""
        self.alarm.reset()
        self._outer.append((self._in_fit, self._quiet, self.validation))
        self._in_fit, self._quiet, self.validation = True, quiet, None

    def end(self) -> None:
        """Ends a `fit`, and releases its data."""
        if self._quiet:
            self.alarm.reset()  # since the callback has handled its record
        self._in_fit, self._quiet, self.validation = self._outer.pop()

    @contextlib.contextmanager
    def in_evaluation(self) -> Iterator[None]:
        """Marks the run of an evaluation, alone or as the validation of a `fit`."""
        before, self.evaluating = self.evaluating, True
        try:
            yield
        finally:
            self.evaluating = before

    def has_changed(self, function: str) -> bool:
        """Returns True if what a function of Keras' own loop is traced from has changed.

        Args:
            function: its name, such as "train_function". The state of now is kept under it.
        """
        before, now = self._traced_from.get(function), self._model.traced_state()
        self._traced_from[function] = now
        return before != now

    def count(self, steps: int) -> None:
        """Counts steps that have run.

        Raises:
            NonFiniteLoss: one of them was not finite, and the `fit` is not quiet.
        """
        self.steps += steps
        if not self._quiet:
            self.alarm.check()

    def counted(self, function: Callable[[Iterator[Any]], Any]) -> Callable[[Iterator[Any]], Any]:
        """Returns a function of Keras' own loop, with its steps counted."""

        def run(iterator):
            logs = function(iterator)
            self.count(1)
            return logs

        return run

    def found_no_batch(self) -> bool:
        """Returns True if no step has run in an epoch of `fit`, or in its validation."""
        # The steps are not counted where a subclass makes the functions.
        return self._in_fit and self.steps == 0 and self._model.makes_own_functions()
