"""Trains and evaluates a model on one batch: the steps under `fit` and `evaluate`."""

import re
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae._keras import internals, stack_traces
from tfvae._keras.backend import keras
from tfvae.models import forward_pass
from tfvae.ops import weighting, xla
from tfvae.random import seed_for
from tfvae.training import (
    alarm,
    batch_callbacks,
    fit_call,
    gradient_checks,
    optimizer_update,
    replicas,
)
from tfvae.training.compilation_plan import forward_flops
from tfvae.training.loop_hooks import LoopHooks
from tfvae.validation import calls, later_batches

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tfvae.models.vae import VAE

_TRACKED = ("loss", "elbo", "rate", "distortion")
_DIRECTIONS = {"elbo": "max", "distortion": "min"}  # in which they get better


class _Summary(NamedTuple):
    """What metrics and alarm are told of a batch.

    Attributes:
        examples: how many examples count, a scalar.
        weight: the sum of their weights, a scalar.
        means: the mean of each term by its name, scalars, in nats.
    """

    examples: tf.Tensor
    weight: tf.Tensor
    means: dict[str, tf.Tensor]


class ObjectiveSteps(LoopHooks):
    """The steps of a model whose loss is an objective of the terms of a bound.

    Args:
        model: a `VAE`, or a `CompiledFit` model with the same pieces and networks, and methods
            `events` and `condition` that check a batch.

    Attributes:
        trained: the number of training steps so far, an int64 variable.
        trackers: the `keras.metrics.Mean` of the loss and of each term.
    """

    model: "VAE"

    def __init__(self, model: "VAE") -> None:
        """Makes the trackers and the count of steps of a model."""
        super().__init__(model)
        self.trackers = [keras.metrics.Mean(name=name) for name in _TRACKED]
        once = tf.VariableAggregation.ONLY_FIRST_REPLICA
        # A variable of TensorFlow and not of Keras, which would count it as a weight of the model.
        self.trained = tf.Variable(0, dtype=tf.int64, trainable=False, aggregation=once)

    @stack_traces.shorten
    def train(self, data: Any) -> dict[str, tf.Tensor]:
        """Trains the model on a batch and returns its metrics.

        Args:
            data: x, (x, y) or (x, y, sample_weight).

        Returns:
            The means since the last reset, in nats, by name.

        Raises:
            InputError: a batch of the wrong shape, or y missing or not expected.
        """
        model = self.model
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.control_dependencies([x]):  # else a graph draws once more, past the last batch
            seed = model.seed_generator.next()
        seed = replicas.own_seed(tf.cast(seed, tf.int32))
        state = alarm.state_before(model)
        variables = [v.value for v in model.trainable_variables]
        weights = weighting.batch_weights(sample_weight)
        share = replicas.share(weighting.count(x, weights))

        with tf.GradientTape(persistent=True) as tape, replicas.own_noise(self._random_states()):
            terms = self._terms(
                x, y, seed, training=True, estimator=model.estimator, weights=weights
            )
            # What regularizers of the networks added in the pass over this batch.
            penalty = sum(model.losses)
            losses = model.estimator.losses(model.objective, terms, tf.identity(self.trained))
            totals = [weighting.batch_loss(loss, weights) + penalty for loss in losses]
            # The gradients of all replicas are added up.
            scaled = [model.optimizer.scale_loss(total * share) for total in totals]

        gradients = model.estimator.gradients(
            tape, scaled, terms, variables, self.belong_to_encoder()
        )
        model.objective.update(terms, tf.identity(self.trained))
        summary = self._summary(terms)
        clear = self._apply(gradients, totals[0], summary, state, share)
        return self._track(totals[0], summary, clear)

    @stack_traces.shorten
    def test(self, data: Any) -> dict[str, tf.Tensor]:
        """Evaluates the model on a batch and returns its metrics.

        Args:
            data: x, (x, y) or (x, y, sample_weight).

        Returns:
            The means since the last reset, in nats, by name.

        Raises:
            InputError: a batch of the wrong shape, or y missing or not expected.
        """
        model = self.model
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        # The count of examples so far is a new seed for each batch, the same in every evaluation.
        seed = seed_for(tf.stack([0, tf.cast(self.trackers[0].count, tf.int32)]), "validation")
        seed = replicas.own_seed(seed)
        weights = weighting.batch_weights(sample_weight)

        estimator = model.estimator if model.estimator.exact else None
        terms = self._terms(x, y, seed, training=False, estimator=estimator, weights=weights)
        penalty = sum(model.losses)
        loss = model.objective(terms, tf.identity(self.trained))
        return self._track(weighting.batch_loss(loss, weights) + penalty, self._summary(terms))

    # ---- what the loop asks

    def checked_fit(self, call: dict[str, Any]) -> dict[str, Any]:
        """Returns the arguments of `fit`, by name, with checked data.

        Raises:
            InputError: data that the model cannot learn from; of streams, the first batch is
                checked now and others as they come.
        """
        for callback in batch_callbacks.flat(call["callbacks"]):
            internals.tell_direction(callback, _DIRECTIONS)
        return calls.of_fit(self.model, call, fit_call.most_batches(call))

    def checked_evaluate(self, call: dict[str, Any]) -> dict[str, Any]:
        """Returns the arguments of `evaluate`, by name, with checked data.

        Raises:
            InputError: as `checked_fit`.
        """
        return calls.of_evaluate(self.model, call)

    def explained_errors(self) -> "AbstractContextManager[None]":
        """Returns a context that raises refusals of later batches as `InputError`."""
        return later_batches.explained()

    def flops_per_example(self) -> int:
        """Returns the additions and multiplications of a forward pass: one encoder, K decoders."""
        networks = self.model.encoder, self.model.decoder
        encoder, decoder = (forward_flops(network) for network in networks)
        return encoder + self.rows_per_example() * decoder

    def rows_per_example(self) -> int:
        """Returns K, the number of latents per example."""
        return self.model.objective.num_samples

    def order_seed(self) -> int:
        """Returns the seed of the model's noise, which a `.keras` file keeps."""
        return int(self.model.seed_generator.state[0])

    def loss_terms(self) -> tuple[str, ...]:
        """Returns the names of the terms that an alarm reports."""
        return ("rate", "distortion") if self.model.posterior.has_density else ("distortion",)

    def description(self) -> str:
        """Returns the pieces of the model in words, which a checkpoint is compared by."""
        names = ("posterior", "prior", "likelihood", "objective", "estimator")
        written = ", ".join(repr(getattr(self.model, name)) for name in names)
        # Keras numbers the names of networks.
        return re.sub(r"<(\w+) name=[^>]*>", r"<\1>", written)

    def counters(self) -> tuple[tf.Variable, ...]:
        """Returns the count of steps, a variable that each step changes."""
        return (self.trained,)

    # ---- what the model asks

    def metrics(self) -> list[keras.metrics.Metric]:
        """Returns the trackers; without a posterior density only loss and distortion exist."""
        names = _TRACKED if self.model.posterior.has_density else ("loss", "distortion")
        return [tracker for tracker in self.trackers if tracker.name in names]

    # Keras writes weights and optimizers into `.keras` files, but not the state of random
    # generators, without which training would not go on as it would have.

    def save(self, store: MutableMapping[str, Any]) -> None:
        """Writes the state of random generators and the count of steps into a Keras store."""
        for i, state in enumerate(self._random_states()):
            store[f"random_state_{i}"] = state.numpy()
        store["steps_trained"] = np.asarray(self.trained)

    def load(self, store: Mapping[str, Any]) -> dict[str, Any]:
        """Reads the values that `save` wrote, and returns the remaining ones."""
        # By its keys, since iterating over a store of Keras gives values.
        stored = {key: store[key] for key in list(store.keys())}
        for i, state in enumerate(self._random_states()):
            state.assign(stored.pop(f"random_state_{i}"))
        self.trained.assign(int(np.asarray(stored.pop("steps_trained", 0))))
        return stored

    def belong_to_encoder(self) -> list[bool]:
        """Returns for each trainable variable whether q(z|x) depends on it."""
        model = self.model
        own = {id(v) for part in (model.encoder, model.posterior) for v in part.trainable_variables}
        return [id(v) in own for v in model.trainable_variables]

    # ---- inside

    def _random_states(self):
        return [v for v in self.model.variables if v.path.split("/")[-1] == "seed_generator_state"]

    def _terms(self, x, y, seed, training, estimator, weights):
        model = self.model
        x = weighting.filled(model.events(x), weights)
        x = xla.compute_once(
            model.likelihood.prepare_for_training(x, seed_for(seed, "binarization")), seed
        )
        y = None if model.condition_shape is None else weighting.filled(model.condition(y), weights)
        num_samples = model.objective.num_samples
        seed = xla.compute_once(seed_for(seed, "latents"), seed)
        return forward_pass.batch_terms(
            model, x, y, num_samples, seed, training, estimator, weights
        )

    def _apply(self, gradients, loss, summary, state, share):
        """Updates the weights unless the step is not finite.

        Returns:
            A Boolean scalar, True if the step was finite.
        """
        means = [summary.means[name] for name in self.loss_terms()]
        gradients = optimizer_update.dense(gradients)
        if not tf.distribute.has_strategy():
            clear = self._change(gradients, loss, means)
            alarm.restore_unless(clear, state)
            return clear

        there = [gradient is not None for gradient in gradients]
        given = replicas.summed([g for g in gradients if g is not None])
        means = replicas.summed([share * value for value in (loss, *means)])
        clear = replicas.together(
            lambda given, means: self._change(_spread(given, there), means[0], means[1:]),
            given, means,
        )  # fmt: skip
        alarm.average_if(clear, state)
        return clear

    def _change(self, gradients, loss, means):
        """Counts a step, and changes the weights if it is finite."""
        model = self.model

        # Without this dependency, a graph would count a step even past the last batch of the data.
        with tf.control_dependencies([loss]):
            step = tf.identity(self.trained)
            self.trained.assign_add(1)
            looked_at = gradient_checks.telling_parts(model, gradients)
            limit = gradient_checks.largest_gradient(model.optimizer)
            clear = model.alarm.is_clear(loss, looked_at, limit)
            clear = xla.compute_once(clear, loss)  # not in the assignment of each weight
            model.alarm.note(clear, step, loss, means)
            optimizer_update.update(model, gradients, clear)

            return clear

    def _summary(self, terms):
        names = [tracker.name for tracker in self.metrics() if tracker.name != "loss"]
        values = tf.stack([getattr(terms, name) for name in names], axis=-1)  # [B, n]
        means = tf.unstack(weighting.mean(values, terms.example_weights))
        examples = weighting.count(values, terms.example_weights)
        weight = examples if terms.example_weights is None else tf.reduce_sum(terms.example_weights)
        return _Summary(examples, weight, dict(zip(names, means)))

    def _track(self, loss, summary, clear=None):
        for tracker in self.metrics():
            if tracker.name == "loss":
                value, weight = loss, summary.examples
            else:
                value, weight = summary.means[tracker.name], summary.weight
            if clear is not None:  # a step that was left out does not count
                value, weight = (tf.where(clear, number, 0.0) for number in (value, weight))

            tracker.update_state(value, sample_weight=weight)
        return self.model.get_metrics_result()


def _spread(given, there):
    """Returns a list with the tensors given where `there` is True, and None elsewhere."""
    left = iter(given)
    return [next(left) if is_there else None for is_there in there]
