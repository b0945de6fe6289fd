"""What a model keeps between its runs."""

import contextlib
from typing import Any

from tfvae.training.alarm import Alarm
from tfvae.training.step_programs import CompiledFunctions, FunctionCache, StepPrograms


class RunState:
    """What a model keeps from `compile` on: its programs, its alarm and what was found of XLA.

    An object of its own, since Keras would save a dictionary of the model.

    Args:
        model: a `CompiledFit` model.
    """

    def __init__(self, model):
        self._model = model
        self.alarm: Any = None
        self.programs = {step: StepPrograms(model, step) for step in ("train_step", "test_step")}
        self.functions = FunctionCache()
        self.functions_without_training = CompiledFunctions(model)
        self.validation = None
        self.refused_by_xla = False
        self.explained = False
        self.evaluating = False
        self.steps = 0
        self._in_fit = False
        self._quiet = False

    def prepare(self):
        """Makes the alarm, once the model is whole; within a step its variable would be traced twice."""
        self.alarm = Alarm(self._model.on_nonfinite, self._model.loop_hooks.loss_terms())

    def begin(self, quiet):
        """Begins a `fit`; a quiet one leaves what is not finite to a callback."""
        self.alarm.reset()
        self._in_fit, self._quiet = True, quiet

    def end(self):
        """Ends a `fit`, and lets go of its data."""
        if self._quiet:
            self.alarm.reset()  # of what the callback has been told
        self.validation = None
        self._in_fit = self._quiet = False

    @contextlib.contextmanager
    def in_evaluation(self):
        """Within it, an evaluation runs, of its own or as the validation of a `fit`."""
        self.evaluating = True
        try:
            yield
        finally:
            self.evaluating = False

    def count(self, steps):
        """Counts steps that have run, and raises what went wrong in them."""
        self.steps += steps
        if not self._quiet:
            self.alarm.check()

    def counted(self, function):
        """Returns a function of Keras' own loop that counts its steps."""

        def run(iterator):
            logs = function(iterator)
            self.count(1)
            return logs

        return run

    def found_no_batch(self):
        """Returns True where no step has run in an epoch of `fit`, or in its validation."""
        # Steps of functions that a subclass makes are not counted.
        return self._in_fit and self.steps == 0 and self._model.makes_own_functions()
