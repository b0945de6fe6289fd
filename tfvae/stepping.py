"""How calls of `fit` and `evaluate` run the steps of a model: compiled, and many in one call."""

import inspect
import logging
from typing import Any

import tensorflow as tf

from tfvae import compiling, execution, feeds, updates
from tfvae._backend import keras
from tfvae.errors import invalid

_LOG = logging.getLogger("tfvae")


class ManyStepsModel(keras.Model):
    """A Keras model that computes its own loss, and runs many of its steps in one compiled call.

    A subclass has a `train_step`, a `test_step` and an `objective`.
    """

    # Of Keras' trainer.
    train_function: Any
    test_function: Any
    steps_per_execution: Any

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.programs = execution.Programs()

    def compile(self, optimizer="adam", *, steps_per_execution="auto", jit_compile="auto", **kwargs):
        """As `keras.Model.compile`, without `loss` and `metrics`: the objective is the loss.

        Args:
            optimizer: a Keras optimizer.
            steps_per_execution: optimizer steps in one compiled call; the losses do not depend on it.
                "auto" chooses by model and data, 1 where a callback of yours is called for each batch.
            jit_compile: whether XLA compiles the steps; "auto" chooses by network and device.
            **kwargs: `run_eagerly`, ...

        Raises:
            InputError: a loss or metrics, or a number of steps below 1.
        """
        for name in ("loss", "metrics", "weighted_metrics"):
            if kwargs.get(name) is not None:
                raise invalid(
                    f"no {name}: a VAE computes its own, from its objective",
                    f"{name}={kwargs[name]!r}",
                    "pass objective=... to VAE, and call compile(optimizer)",
                )
        if steps_per_execution != "auto" and (not isinstance(steps_per_execution, int) or steps_per_execution < 1):
            raise invalid("steps_per_execution from 1", repr(steps_per_execution), 'pass steps_per_execution="auto"')
        self._choices = {"jit_compile": jit_compile, "steps_per_execution": steps_per_execution}
        if jit_compile == "auto":  # of what Keras runs its own way; see `compiler_for`
            jit_compile = self.compiler_for(feeds.UNKNOWN).steps_by_xla and not kwargs.get("run_eagerly")
        self._explained = False
        self.programs.forget("update")  # of an optimizer before this one
        steps = 1 if steps_per_execution == "auto" else steps_per_execution
        super().compile(optimizer=optimizer, steps_per_execution=steps, jit_compile=jit_compile, **kwargs)

    def get_compile_config(self):
        config = super().get_compile_config()
        # "auto" is written, not what it meant on this machine.
        return {**config, **self._choices} if config else config

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def compiler_for(self, batch_size, training=True):
        """The `compiling.Compiler` of steps on batches of a size, as stated to `compile` or chosen."""
        stated = self._choices["jit_compile"]
        if stated == "auto":
            return compiling.choose_compiler(self, batch_size * self.objective.num_samples if training else 0)
        return compiling.XLA if stated else compiling.GRAPH

    def fit(self, *args, **kwargs):
        """As `keras.Model.fit`."""
        return self._run(super().fit, *args, **kwargs)

    def evaluate(self, *args, **kwargs):
        """As `keras.Model.evaluate`."""
        return self._run(super().evaluate, *args, **kwargs)

    def train_on_batch(self, *args, **kwargs):
        """As `keras.Model.train_on_batch`."""
        return self._one_step(super().train_on_batch, *args, **kwargs)

    def test_on_batch(self, *args, **kwargs):
        """As `keras.Model.test_on_batch`."""
        return self._one_step(super().test_on_batch, *args, **kwargs)

    def make_train_function(self, force=False):
        if not self._in_programs():
            super().make_train_function(force)
        elif self.train_function is None or force:
            self.train_function = execution.Program(self, self.train_step, training=True)

    def make_test_function(self, force=False):
        if not self._in_programs():
            super().make_test_function(force)
        elif self.test_function is None or force:
            self.test_function = execution.Program(self, self.test_step, training=False)

    # ---- inside

    def _run(self, method, *args, **kwargs):
        call = inspect.signature(method).bind(*args, **kwargs)
        call.apply_defaults()
        extra = call.arguments.pop("kwargs", {})
        chooses = self._in_programs() and not extra.get("_use_cached_eval_dataset")
        before = self.steps_per_execution
        if chooses:
            self._prepare(call.arguments)
        try:
            return method(**call.arguments, **extra)
        finally:
            if chooses:
                self._begin_programs("epochs" in call.arguments)  # which lets go of the data
            if "epochs" not in call.arguments:
                self.steps_per_execution = before  # of a fit in which a callback evaluates

    def _one_step(self, method, *args, **kwargs):
        """A method that takes one batch, which is not to be copied for the many steps of an earlier `fit`."""
        before, self.steps_per_execution = self.steps_per_execution, 1
        try:
            return method(*args, **kwargs)
        finally:
            self.steps_per_execution = before

    def _in_programs(self):
        """Whether steps run as `execution.Program`: not eagerly, and on one device."""
        alone = not tf.distribute.has_strategy() and self.distribute_strategy is tf.distribute.get_strategy()
        return alone and not self.run_eagerly

    def _prepare(self, call):
        """Chooses the steps of one call, in the arguments of `fit` or `evaluate`, and takes over the data of `fit`."""
        found, training = feeds.source(call), "epochs" in call
        steps, callbacks = self._choices["steps_per_execution"], call["callbacks"]
        if steps == "auto":
            steps = 1 if execution.watches_batches(callbacks) else compiling.choose_steps(self, found)
        if found.steps:  # of an epoch, which is to end where a call does
            steps = compiling.largest_divisor(found.steps, steps)
        self.steps_per_execution = min(steps, found.num_batches or steps)
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            shown = {"verbose": call["verbose"], "epochs": call.get("epochs", 1), "steps": found.num_batches}
            call["callbacks"] = execution.Callbacks(callbacks, training, call["verbose"] != 0, self, **shown)
        self._begin_programs(training)
        if training:
            if not self.optimizer.built:  # variables made while a step is traced would have it traced twice
                self.optimizer.build(self.trainable_variables)
            self.make_train_function()
            self.train_function.begin(feeds.take_over(call, found, self.steps_per_execution))
            self._explain(found.batch_size)

    def _begin_programs(self, training):
        for program in (self.train_function if training else None, self.test_function):
            if isinstance(program, execution.Program):
                program.begin()

    def _explain(self, batch_size):
        """Says once what was chosen."""
        if not self._explained:
            why = self.compiler_for(batch_size).why
            _LOG.info("Steps are compiled by %s; %d of them run in one call.", why, self.steps_per_execution)
        self._explained = True

    def _apply(self, gradients):
        """The optimizer's update of the weights, by what costs least where the steps run."""
        if not self._in_programs():
            self._update(gradients)
        elif compiling.is_by_xla():
            self._update(gradients if compiling.gpus() else updates.in_turn(gradients))
        elif updates.is_adam(self.optimizer):
            with updates.adam_in_one_pass(self.optimizer):
                self._update(gradients)
        elif compiling.current().update_by_xla:
            # One for all programs of steps, so that XLA compiles it once.
            self.programs.get("update", lambda: tf.function(self._update, autograph=False, jit_compile=True))(gradients)
        else:
            self._update(gradients)

    def _update(self, gradients):
        self.optimizer.apply(gradients, self.trainable_variables)
