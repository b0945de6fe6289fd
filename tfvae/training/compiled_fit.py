"""A Keras model whose `fit` and `evaluate` run many steps in one compiled call."""

import logging
from typing import Any

from tfvae._keras import internals
from tfvae._keras.backend import keras
from tfvae.errors import invalid
from tfvae.training import batch_callbacks, batch_sources, compilation_plan, fit_call, loop
from tfvae.training.alarm import ON_NONFINITE
from tfvae.training.loop_hooks import LoopHooks
from tfvae.training.run_state import RunState
from tfvae.training.step_settings import StepSettings
from tfvae.validation import arguments

_LOG = logging.getLogger("tfvae")


class CompiledFit(StepSettings):
    """Gives a Keras model a loop of its own for arrays and `tf.data.Dataset`s.

    A mixin: `class Mine(CompiledFit, keras.Model)`. No class between the two is a Keras model, since
    Keras changes the bases of a class that is called as a functional model is, `Mine(inputs, outputs)`.

    Whatever else `fit` and `evaluate` take goes through Keras' own loop, untouched: other kinds
    of data, class weights, distribution strategies and `run_eagerly=True`. Nothing here knows
    what the steps compute; `LoopHooks` has what a subclass may say about them.
    """

    # Of Keras' trainer.
    train_function: Any
    test_function: Any
    steps_per_execution: Any

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.loop_hooks = self.make_loop_hooks()
        self._choices = _choices("auto", "auto", "raise")
        self._runs = RunState(self)

    def make_loop_hooks(self):
        """Returns the `LoopHooks` of this model, for a subclass to override."""
        return LoopHooks(self)

    # ---- what Keras' users call

    def compile(
        self,
        optimizer="adam",
        *args,
        steps_per_execution="auto",
        jit_compile="auto",
        on_nonfinite="raise",
        **kwargs,
    ):
        """Configures the model for training, as `keras.Model.compile`.

        Args:
            optimizer: a Keras optimizer.
            *args: as `keras.Model.compile`.
            steps_per_execution: optimizer steps in one compiled call; the losses do not depend on
                it. "auto" chooses by model and data, 1 where a callback acts on single batches.
            jit_compile: whether XLA compiles the steps; "auto" chooses by network and device.
            on_nonfinite: what happens at a loss or gradient that is not finite: "raise" stops the
                run with the weights of the step before, "skip" counts and leaves out such steps.
            **kwargs: as `keras.Model.compile`.

        Raises:
            InputError: a number of steps below 1, or another `on_nonfinite`.
        """
        if steps_per_execution != "auto":
            steps_per_execution = arguments.whole_number(
                "steps_per_execution", steps_per_execution, 1
            )
        if on_nonfinite not in ON_NONFINITE:
            raise invalid(
                f"on_nonfinite, one of {ON_NONFINITE}",
                repr(on_nonfinite),
                'pass on_nonfinite="raise"',
            )
        self._choices = _choices(jit_compile, steps_per_execution, on_nonfinite)
        self._runs = RunState(self)
        self._runs.prepare()
        if jit_compile == "auto":  # of Keras' own loop, which cannot go back to a graph
            plan = self.compilation_plan(batch_sources.UNKNOWN_BATCH_SIZE)
            trusted = compilation_plan.is_trusted_by_keras_loop(self)
            jit_compile = plan.whole_step and trusted and not kwargs.get("run_eagerly")
        steps = 1 if steps_per_execution == "auto" else steps_per_execution
        super().compile(
            optimizer, *args, steps_per_execution=steps, jit_compile=jit_compile, **kwargs
        )

    def get_compile_config(self):
        """Returns what `compile` was given: "auto" is written, not what it meant on this machine."""
        config = super().get_compile_config()
        return {**config, **self._choices} if config else config

    def compile_from_config(self, config):
        """Compiles the model by a configuration of `get_compile_config`, with its optimizer built."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
    ):
        """Trains the model, as `keras.Model.fit`.

        Raises:
            NonFiniteLoss: a loss or gradient that is not finite, see `compile`.
        """
        call = {name: value for name, value in locals().items() if name in _FIT_ARGUMENTS}
        self._check_compiled("fit")
        call = self.loop_hooks.checked_fit(call)
        self._runs.begin(quiet=batch_callbacks.handles_nan(callbacks))
        try:
            with self.loop_hooks.explained_errors():
                prepared = fit_call.run_of_fit(self, call)
                if prepared is None:
                    return super().fit(**call)
                return self._fit(call, *prepared)
        finally:
            self._runs.end()

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
        **kwargs,
    ):
        """Evaluates the model, as `keras.Model.evaluate`."""
        call = {name: value for name, value in locals().items() if name in _EVALUATE_ARGUMENTS}
        self._check_compiled("evaluate")
        # What Keras' `fit` and this one say of data that they have prepared.
        is_validation = kwargs.get("_use_cached_eval_dataset", False)
        call = call if is_validation else self.loop_hooks.checked_evaluate(call)
        with self._runs.in_evaluation(), self.loop_hooks.explained_errors():
            run = self._runs.validation if is_validation else fit_call.run_of_evaluate(self, call)
            if run is None or set(kwargs) - {"_use_cached_eval_dataset"}:
                return super().evaluate(**call, **kwargs)

            internals.build(self, run.reader.source.element_spec)
            logs = loop.evaluate(self, run, call)
            return logs if return_dict else internals.metrics_in_order(self, logs)

    def make_train_function(self, force=False):
        """Makes the training function of Keras' own loop."""
        if self.train_function is None or force:
            if self.built and self.optimizer is not None and not self.optimizer.built:
                self.optimizer.build(self.trainable_variables)  # or the first step would run twice
            super().make_train_function(force=True)
            self.train_function = self._runs.counted(self.train_function)

    def make_test_function(self, force=False):
        """Makes the test function of Keras' own loop."""
        if self.test_function is None or force:
            super().make_test_function(force=True)
            self.test_function = self._runs.counted(self.test_function)

    def reset_metrics(self):
        """Resets the metrics, as Keras does before an epoch."""
        super().reset_metrics()
        self._runs.steps = 0

    def _get_metrics_result_or_logs(self, logs):
        """Gives the logs of an epoch, as Keras does; NaN for one without a step, which measured nothing."""
        logs = super()._get_metrics_result_or_logs(logs)
        if not self._runs.found_no_batch():
            return logs

        if not self._runs.evaluating:
            self.stop_training = True
        return {name: float("nan") for name in logs}

    # ---- what the loop asks

    def makes_own_functions(self):
        """Returns True if no subclass makes functions for Keras' own loop, which it then wants to run."""
        made = (type(self).make_train_function, type(self).make_test_function)
        return made == (CompiledFit.make_train_function, CompiledFit.make_test_function)

    def after_steps(self, count):
        """Counts the steps of a compiled call, and raises what went wrong in it."""
        self._runs.count(count)

    # ---- inside

    def _fit(self, call, run, validation):
        # Variables made in a step would have it traced twice.
        internals.build(self, run.reader.source.element_spec)
        if not self._runs.explained:
            plan = self.compilation_plan(run.reader.source.batch_size)
            _LOG.info("Steps are compiled by %s; %d of them run in one call.", plan.why, run.steps)
            self._runs.explained = True
        self._runs.validation = validation
        return loop.fit(self, run, call)

    def _check_compiled(self, method):
        if not self.compiled:
            raise invalid(
                "a compiled model",
                f"{method}() before compile()",
                "You must call `compile()` before using the model: vae.compile(keras.optimizers.Adam(1e-3))",
            )


def _choices(jit_compile, steps_per_execution, on_nonfinite):
    return {
        "jit_compile": jit_compile,
        "steps_per_execution": steps_per_execution,
        "on_nonfinite": on_nonfinite,
    }


_FIT_ARGUMENTS = {
    "x", "y", "batch_size", "epochs", "verbose", "callbacks", "validation_split", "validation_data",
    "shuffle", "class_weight", "sample_weight", "initial_epoch", "steps_per_epoch",
    "validation_steps", "validation_batch_size", "validation_freq",
}  # fmt: skip
_EVALUATE_ARGUMENTS = {
    "x", "y", "batch_size", "verbose", "sample_weight", "steps", "callbacks", "return_dict",
}  # fmt: skip
