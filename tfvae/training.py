"""How a model is trained: the steps under `fit` and `evaluate`."""

import inspect
import logging
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import checks, compiling, execution, resident
from tfvae._backend import keras
from tfvae.errors import invalid

_LOG = logging.getLogger("tfvae")


class ObjectiveTrainer(keras.Model):
    """A Keras model whose loss is an objective of the terms of a bound.

    A subclass has an `objective`, an `estimator`, a `likelihood`, a `seed_generator`, and
    gives the `Terms` of a batch from `batch_terms(x, y, num_samples, seed, training)`.
    """

    # Of Keras' trainer.
    train_function: Any
    test_function: Any
    steps_per_execution: Any

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.programs = execution.Programs()
        self._why: str | None = None
        self._trackers = [keras.metrics.Mean(name=name) for name in ("loss", "elbo", "rate", "distortion")]

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
        self._why = "XLA, as stated" if jit_compile else "a TensorFlow graph, as stated"
        if jit_compile == "auto":
            by_xla, self._why = compiling.choose_compiler(self)
            jit_compile = by_xla and not kwargs.get("run_eagerly")
        steps = 1 if steps_per_execution == "auto" else steps_per_execution
        super().compile(optimizer=optimizer, steps_per_execution=steps, jit_compile=jit_compile, **kwargs)

    def get_compile_config(self):
        config = super().get_compile_config()
        # "auto" is written, not what it meant on this machine.
        return {**config, **self._choices} if config else config

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def fit(self, x=None, y=None, *args, validation_data=None, **kwargs):
        """As `keras.Model.fit`, with x alone, or x and y when conditional.

        Raises:
            InputError: data that the model cannot learn from, before the first step.
        """
        x = checks.check_data(x, y, self)
        if validation_data is not None:
            validation_data = self._check_validation(validation_data)
        if self.prior.starts_from_data:
            self.prior.initialize(*checks.first_examples(x, y))
        y = _stand_in(x, y, kwargs.get("sample_weight"))
        return self._run(super().fit, x, y, *args, validation_data=validation_data, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.evaluate`; the same numbers for the same data, with one draw of K latents."""
        if not kwargs.get("_use_cached_eval_dataset"):  # fit has checked it
            x = checks.check_data(x, y, self)
            y = _stand_in(x, y, kwargs.get("sample_weight"))
        return self._run(super().evaluate, x, y, *args, **kwargs)

    def train_on_batch(self, *args, **kwargs):
        """As `keras.Model.train_on_batch`."""
        return self._one_step(super().train_on_batch, *args, **kwargs)

    def test_on_batch(self, *args, **kwargs):
        """As `keras.Model.test_on_batch`."""
        return self._one_step(super().test_on_batch, *args, **kwargs)

    def train_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        seed = tf.cast(self.seed_generator.next(), tf.int32)
        variables = [v.value for v in self.trainable_variables]
        with tf.GradientTape(persistent=True) as tape:
            terms = self._terms(x, y, seed, training=True, estimator=self.estimator)
            losses = self.estimator.losses(self.objective, terms, self.optimizer.iterations)
            penalty = sum(self.losses) / tf.distribute.get_strategy().num_replicas_in_sync  # the networks' own
            means = [self.optimizer.scale_loss(self._mean(loss, sample_weight) + penalty) for loss in losses]
        gradients = self.estimator.gradients(tape, means, terms, variables, self._belong_to_encoder())
        self.optimizer.apply(gradients, self.trainable_variables)
        return self._track(losses[0], terms, sample_weight)

    def test_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        # The count of examples seen is a new seed for each batch, the same in each evaluation.
        seed = tf.stack([0, tf.cast(self._trackers[0].count, tf.int32)])
        terms = self._terms(x, y, seed, training=False, estimator=self.estimator if self.estimator.exact else None)
        return self._track(self.objective(terms, self.optimizer.iterations), terms, sample_weight)

    def make_train_function(self, force=False):
        if not self._in_programs():
            super().make_train_function(force)
        elif self.train_function is None or force:
            self.train_function = execution.Program(self, self.train_step)

    def make_test_function(self, force=False):
        if not self._in_programs():
            super().make_test_function(force)
        elif self.test_function is None or force:
            self.test_function = execution.Program(self, self.test_step)

    # Keras writes weights and optimizers into `.keras` files, but not the state of random
    # generators, without which training would not go on as it would have.

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for i, state in enumerate(self._random_states()):
            store[f"random_state_{i}"] = state.numpy()

    def load_own_variables(self, store):
        stored = {key: store[key] for key in list(store.keys())}  # iterating over a store gives values
        for i, state in enumerate(self._random_states()):
            state.assign(stored.pop(f"random_state_{i}"))
        super().load_own_variables(stored)

    def _random_states(self):
        return [v for v in self.variables if v.path.split("/")[-1] == "seed_generator_state"]

    @property
    def metrics(self):
        names = ("loss", "elbo", "rate", "distortion") if self.posterior.has_density else ("loss", "distortion")
        return [tracker for tracker in self._trackers if tracker.name in names]

    # ---- inside

    def _terms(self, x, y, seed, training, estimator=None):
        seeds = tf.random.split(seed, 2)
        x = self.likelihood.prepare(self.events(x), seeds[0])
        y = None if self.condition_shape is None else self.condition(y)
        return self.batch_terms(x, y, self.objective.num_samples, seeds[1], training, estimator)

    def _mean(self, loss, sample_weight):
        """The loss `[B]` of a batch as one number, whose gradients a strategy adds up over replicas."""
        if sample_weight is not None:
            loss = loss * tf.cast(tf.reshape(sample_weight, [-1]), loss.dtype)
        return tf.reduce_mean(loss) / tf.distribute.get_strategy().num_replicas_in_sync

    def _belong_to_encoder(self):
        """For each trainable variable, whether q(z|x) is made by it."""
        own = {id(v) for part in (self.encoder, self.posterior) for v in part.trainable_variables}
        return [id(v) in own for v in self.trainable_variables]

    def _check_validation(self, validation_data):
        if isinstance(validation_data, tuple):
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(validation_data)
            checks.check_data(x, y, self, "validation x")
            return x if y is None and sample_weight is None else (x, _stand_in(x, y, sample_weight), sample_weight)
        return checks.check_data(validation_data, None, self, "validation x")

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
        except tf.errors.InvalidArgumentError as error:
            translated = checks.translate(error)
            if translated is None:
                raise
            raise translated from error
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
        """Chooses the steps of one call, and puts arrays on the device, in the arguments of `fit` or `evaluate`."""
        found, training = resident.source(call), "epochs" in call
        steps, callbacks = self._choices["steps_per_execution"], call["callbacks"]
        if steps == "auto":
            steps = 1 if execution.watches_batches(callbacks) else compiling.choose_steps(self, found)
        # So that an epoch of as many steps as the user says ends where a call does.
        self.steps_per_execution = compiling.largest_divisor(found.steps, steps) if found.steps else steps
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            shown = {"verbose": call["verbose"], "epochs": call.get("epochs", 1), "steps": found.num_batches}
            call["callbacks"] = execution.Callbacks(callbacks, training, call["verbose"] != 0, self, **shown)
        self._begin_programs(training)
        if training:
            if not self.optimizer.built:  # variables made while a step is traced would have it traced twice
                self.optimizer.build(self.trainable_variables)
            self.make_train_function()
            resident.keep_on_device(call, found, self.train_function)
            self._explain()

    def _begin_programs(self, training):
        for program in (self.train_function if training else None, self.test_function):
            if isinstance(program, execution.Program):
                program.begin()

    def _explain(self):
        """Says once what was chosen."""
        if self._why:
            _LOG.info("Steps are compiled by %s; %d of them run in one call.", self._why, self.steps_per_execution)
        self._why = None

    def _track(self, loss, terms, sample_weight):
        for tracker in self.metrics:
            values = loss if tracker.name == "loss" else getattr(terms, tracker.name)
            tracker.update_state(values, sample_weight=sample_weight)
        return {tracker.name: tracker.result() for tracker in self.metrics}


def _stand_in(x, y, sample_weight):
    """y, or zeros beside weights that come without it, since Keras would drop the weights."""
    return np.zeros(len(x), np.float32) if y is None and sample_weight is not None else y
