"""A Keras model whose `fit` and `evaluate` run many steps in one compiled call."""

import logging
from collections.abc import Sequence
from typing import Any, Literal

from tfvae._keras import internals
from tfvae._keras.backend import keras
from tfvae.errors import invalid
from tfvae.training import (
    batch_callbacks,
    batch_sources,
    compilation_plan,
    fit_call,
    loop,
    replicas,
    workers,
)
from tfvae.training.alarm import ON_NONFINITE
from tfvae.training.loop_hooks import LoopHooks
from tfvae.training.run_state import RunState
from tfvae.training.step_settings import StepSettings
from tfvae.validation import arguments, call_numbers

_LOG = logging.getLogger("tfvae")


class CompiledFit(StepSettings):
    """Gives a Keras model a loop of its own for arrays and `tf.data.Dataset`s.

    This is a mixin: `class Mine(CompiledFit, keras.Model)`. It is no Keras model itself, since
    Keras changes the bases of a class that is called like a functional model,
    `Mine(inputs, outputs)`.

    All other calls of `fit` and `evaluate` go through Keras' own loop with their arguments as
    they came: other kinds of data, class weights, strategies beside `MirroredStrategy` and
    `MultiWorkerMirroredStrategy`, and `run_eagerly=True`. Nothing here knows what the steps
    compute. `LoopHooks` holds what a subclass may say about them.
    """

    # Set by Keras' trainer.
    train_function: Any
    test_function: Any
    predict_function: Any
    steps_per_execution: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Makes the Keras model of these arguments, and its hooks."""
        super().__init__(*args, **kwargs)
        self.loop_hooks = self.make_loop_hooks()
        self._choices = _choices("auto", "auto", "raise")
        self._runs = RunState(self)

    def make_loop_hooks(self) -> LoopHooks:
        """Returns the `LoopHooks` of this model; a subclass may override it."""
        return LoopHooks(self)

    # ---- what Keras' users call

    def compile(
        self,
        optimizer: keras.optimizers.Optimizer | str | None = "adam",
        *args: Any,
        steps_per_execution: int | Literal["auto"] = "auto",
        jit_compile: bool | Literal["auto"] = "auto",
        on_nonfinite: Literal["raise", "skip"] = "raise",
        **kwargs: Any,
    ) -> None:
        """Configures the model for training, as `keras.Model.compile`.

        Args:
            optimizer: a Keras optimizer.
            *args: as `keras.Model.compile`.
            steps_per_execution: optimizer steps in one compiled call. The losses do not depend on
                it. "auto" chooses by model and data, and 1 if a callback acts on single batches.
            jit_compile: whether XLA compiles the steps; "auto" chooses by network and device.
            on_nonfinite: what a loss or gradient that is not finite does. "raise" stops the run
                with the weights of the step before. "skip" counts such a step and leaves it out.
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
        if replicas.strategy_of(self) is not None:
            jit_compile = False  # whatever is stated, see `compilation_plan.REPLICAS`
        elif jit_compile == "auto":  # here for Keras' own loop, which cannot go back to a graph
            plan = self.compilation_plan(batch_sources.UNKNOWN_BATCH_SIZE)
            trusted = compilation_plan.is_trusted_by_keras_loop(self)
            jit_compile = plan.whole_step and trusted and not kwargs.get("run_eagerly")

        steps = 1 if steps_per_execution == "auto" else steps_per_execution
        with replicas.scope_of(self):
            self._runs.prepare()
            super().compile(
                optimizer, *args, steps_per_execution=steps, jit_compile=jit_compile, **kwargs
            )

    def get_compile_config(self) -> dict[str, Any]:
        """Returns the arguments of `compile`. "auto" stays, whatever it meant on this machine."""
        config = super().get_compile_config()
        return {**config, **self._choices} if config else config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles the model by a result of `get_compile_config`, and builds its optimizer."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | Literal["auto"] = "auto",
        callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.CallbackList | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | list[int] = 1,
    ) -> keras.callbacks.History:
        """Trains the model, as `keras.Model.fit`.

        Args:
            x: arrays `[N, ...]`, a `tf.data.Dataset`, or other data that Keras takes.
            y: targets `[N, ...]`, or None.
            batch_size: examples in a batch of arrays; 32, or N / `steps_per_epoch`, by default.
            epochs: the number of the epoch before which training ends.
            verbose: 0 for silence, 1 for a progress bar, 2 for a line per epoch, or "auto".
            callbacks: Keras callbacks.
            validation_split: the share of the last rows that is kept for validation.
            validation_data: data of the validation; it overrides `validation_split`.
            shuffle: whether each pass over arrays has an order of its own.
            class_weight: weights of the classes in `y`.
            sample_weight: weights of the examples.
            initial_epoch: the number of the first epoch.
            steps_per_epoch: batches in an epoch; by default those of one pass over the data.
            validation_steps: batches in a validation; by default those of one pass.
            validation_batch_size: examples in a batch of validation; `batch_size` by default.
            validation_freq: epochs from one validation to the next, or a list of epochs, from 1.

        Returns:
            The `keras.callbacks.History`.

        Raises:
            NonFiniteLoss: a loss or gradient that is not finite, see `compile`.
            InputError: the model is not compiled, or its data do not fit.
        """
        call = {name: value for name, value in locals().items() if name in _FIT_ARGUMENTS}
        self._check_compiled("fit")
        call = call_numbers.checked(call)
        call = self.loop_hooks.checked_fit(call)
        self._runs.begin(quiet=batch_callbacks.handles_nan(callbacks))
        try:
            strategy = replicas.strategy_of(self)
            with self.loop_hooks.explained_errors(), workers.told_of_lost(strategy):
                prepared = fit_call.run_of_fit(self, call)
                if prepared is None:
                    fit_call.check_left_to_keras(self, callbacks)
                    return super().fit(**call)
                return self._fit(call, *prepared)
        finally:
            self._runs.end()

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | Literal["auto"] = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.CallbackList | None = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> float | list[float] | dict[str, float]:
        """Evaluates the model, as `keras.Model.evaluate`.

        Args:
            x: arrays `[N, ...]`, a `tf.data.Dataset`, or other data that Keras takes.
            y: targets `[N, ...]`, or None.
            batch_size: examples in a batch of arrays; 32, or N / `steps`, by default.
            verbose: 0 for silence, 1 for a progress bar, 2 for one line, or "auto".
            sample_weight: weights of the examples.
            steps: batches to evaluate; by default those of one pass over the data.
            callbacks: Keras callbacks.
            return_dict: True for the metrics by name.
            **kwargs: as `keras.Model.evaluate`.

        Returns:
            The loss, or a list of the loss and other metrics, or a dictionary of them.

        Raises:
            InputError: the model is not compiled, or its data do not fit.
        """
        call = {name: value for name, value in locals().items() if name in _EVALUATE_ARGUMENTS}
        self._check_compiled("evaluate")
        call = call_numbers.checked(call)
        # Keras' `fit` and the one above pass this for data that they have prepared.
        is_validation = kwargs.get("_use_cached_eval_dataset", False)
        call = call if is_validation else self.loop_hooks.checked_evaluate(call)
        with self._runs.in_evaluation(), self.loop_hooks.explained_errors():
            run = self._runs.validation if is_validation else fit_call.run_of_evaluate(self, call)
            if run is None or set(kwargs) - {"_use_cached_eval_dataset"}:
                fit_call.check_left_to_keras(self)
                return super().evaluate(**call, **kwargs)

            self._build(run)
            logs = loop.evaluate(self, run, call)
            return logs if return_dict else internals.metrics_in_order(self, logs)

    def make_train_function(self, force: bool = False) -> None:
        """Makes the training function of Keras' own loop, which counts its steps."""
        if self._is_to_be_made("train_function", force):
            if self.built and self.optimizer is not None and not self.optimizer.built:
                self.optimizer.build(self.trainable_variables)  # else the first step runs twice
            super().make_train_function(force=True)
            self.train_function = self._runs.counted(self.train_function)

    def make_test_function(self, force: bool = False) -> None:
        """Makes the test function of Keras' own loop, which counts its steps."""
        if self._is_to_be_made("test_function", force):
            super().make_test_function(force=True)
            self.test_function = self._runs.counted(self.test_function)

    def make_predict_function(self, force: bool = False) -> Any:
        """Makes the function of `predict`, and returns it."""
        return super().make_predict_function(self._is_to_be_made("predict_function", force))

    def reset_metrics(self) -> None:
        """Resets the metrics and the count of steps; Keras does so before an epoch."""
        super().reset_metrics()
        self._runs.steps = 0

    def _get_metrics_result_or_logs(self, logs):
        """Returns the logs of an epoch as Keras does, or NaN for an epoch without a step."""
        logs = super()._get_metrics_result_or_logs(logs)
        if not self._runs.found_no_batch():
            return logs

        if not self._runs.evaluating:
            self.stop_training = True
        return {name: float("nan") for name in logs}

    # ---- what the loop asks

    def makes_own_functions(self) -> bool:
        """Returns True if no subclass makes training or test functions for Keras' own loop."""
        made = (type(self).make_train_function, type(self).make_test_function)
        return made == (CompiledFit.make_train_function, CompiledFit.make_test_function)

    def after_steps(self, count: int) -> None:
        """Counts the steps of a compiled call.

        Raises:
            NonFiniteLoss: one of them was not finite, see `compile`.
        """
        self._runs.count(count)

    # ---- inside

    def _fit(self, call, run, validation):
        # A step in which variables are made would be traced twice.
        self._build(run)
        if not self._runs.explained:
            plan = self.compilation_plan(run.reader.source.batch_size)
            _LOG.info("Steps are compiled by %s; %d of them run in one call.", plan.why, run.steps)
            self._runs.explained = True

        self._runs.validation = validation
        return loop.fit(self, run, call)

    def _build(self, run):
        replicas.check_scope(self)
        with replicas.scope_of(self):
            internals.build(self, run.reader.source.element_spec)

    def _is_to_be_made(self, function, force):
        """Returns True for a function of Keras' loop that is missing, or was of other values."""
        has_changed = self._runs.has_changed(function)
        return getattr(self, function) is None or force or has_changed

    def _check_compiled(self, method):
        fix = (
            "You must call `compile()` before using the model:"
            " vae.compile(keras.optimizers.Adam(1e-3))"
        )
        if not self.compiled:
            raise invalid("a compiled model", f"{method}() before compile()", fix)
        if method == "fit" and self.optimizer is None:
            raise invalid("a model compiled with an optimizer", "optimizer=None", fix)


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
