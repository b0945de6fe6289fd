"""How a model is trained on a batch: the steps under `fit` and `evaluate`."""

import numpy as np
import tensorflow as tf

from tfvae._keras.backend import keras
from tfvae.models import forward_pass
from tfvae.ops import weighting, xla
from tfvae.random import seed_for
from tfvae.training import alarm, fit_call, optimizer_update
from tfvae.training.compilation_plan import forward_flops
from tfvae.training.loop_hooks import LoopHooks
from tfvae.validation import calls, data_checks

_TRACKED = ("loss", "elbo", "rate", "distortion")


class ObjectiveSteps(LoopHooks):
    """The steps of a model whose loss is an objective of the terms of a bound.

    Args:
        model: a `CompiledFit` model with an `objective`, an `estimator`, a `posterior`, a `likelihood`,
            a `seed_generator`, two networks, and `events` and `condition` that check a batch.

    Attributes:
        trained: the number of training steps there were, an int64 variable.
        trackers: the `keras.metrics.Mean` of the loss and of each term.
    """

    def __init__(self, model):
        super().__init__(model)
        self.trackers = [keras.metrics.Mean(name=name) for name in _TRACKED]
        once = tf.VariableAggregation.ONLY_FIRST_REPLICA
        # TensorFlow's own kind of variable, since it is no weight of the model.
        self.trained = tf.Variable(0, dtype=tf.int64, trainable=False, aggregation=once)

    def train(self, data):
        """Trains the model on a batch, and returns its metrics."""
        model = self.model
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        seed = self._next_seed()
        state = alarm.state_before(model)
        variables = [v.value for v in model.trainable_variables]
        weights = weighting.of_batch(sample_weight)
        with tf.GradientTape(persistent=True) as tape:
            terms = self._terms(
                x, y, seed, training=True, estimator=model.estimator, weights=weights
            )
            penalty = sum(model.losses)  # the networks' own, of their pass over the batch
            losses = model.estimator.losses(model.objective, terms, tf.identity(self.trained))
            totals = [weighting.batch_loss(loss, weights) + penalty for loss in losses]
            # A strategy adds up the gradients of its replicas.
            scaled = [model.optimizer.scale_loss(total / _replicas()) for total in totals]
        gradients = model.estimator.gradients(
            tape, scaled, terms, variables, self.belong_to_encoder()
        )
        model.objective.update(terms, tf.identity(self.trained))
        clear = self._apply(gradients, totals[0], terms, state)
        return self._track(totals[0], terms, clear)

    def test(self, data):
        """Evaluates the model on a batch, and returns its metrics."""
        model = self.model
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        # The count of examples seen is a new seed for each batch, the same in each evaluation.
        seed = seed_for(tf.stack([0, tf.cast(self.trackers[0].count, tf.int32)]), "validation")
        weights = weighting.of_batch(sample_weight)
        estimator = model.estimator if model.estimator.exact else None
        terms = self._terms(x, y, seed, training=False, estimator=estimator, weights=weights)
        penalty = sum(model.losses)
        loss = model.objective(terms, tf.identity(self.trained))
        return self._track(weighting.batch_loss(loss, weights) + penalty, terms)

    # ---- what the loop asks

    def checked_fit(self, call):
        """Returns the arguments of `fit`, by name, with data that are checked, now or as they come."""
        return calls.of_fit(self.model, call, fit_call.most_batches(call))

    def checked_evaluate(self, call):
        """Returns the arguments of `evaluate`, by name, with data that are checked, now or as they come."""
        return calls.of_evaluate(self.model, call)

    def explained_errors(self):
        """Returns a context that raises what later batches were refused for."""
        return data_checks.later_batches()

    def flops_per_example(self):
        """Returns the additions and multiplications of a forward pass: the encoder's, and K of the decoder."""
        networks = self.model.encoder, self.model.decoder
        encoder, decoder = (forward_flops(network) for network in networks)
        return encoder + self.rows_per_example() * decoder

    def rows_per_example(self):
        """Returns K, the latents of an example."""
        return self.model.objective.num_samples

    def order_seed(self):
        """Returns the seed of the model's noise, which a `.keras` file keeps."""
        return int(self.model.seed_generator.state[0])

    def loss_terms(self):
        """Returns the names of the terms that an alarm tells."""
        return ("rate", "distortion") if self.model.posterior.has_density else ("distortion",)

    def counters(self):
        """Returns the count of steps."""
        return (self.trained,)

    # ---- what the model asks

    def metrics(self):
        """Returns the trackers of what a model of this posterior has."""
        names = _TRACKED if self.model.posterior.has_density else ("loss", "distortion")
        return [tracker for tracker in self.trackers if tracker.name in names]

    # Keras writes weights and optimizers into `.keras` files, but not the state of random
    # generators, without which training would not go on as it would have.

    def save(self, store):
        """Writes the state of random generators and the count of steps."""
        for i, state in enumerate(self._random_states()):
            store[f"random_state_{i}"] = state.numpy()
        store["steps_trained"] = np.asarray(self.trained)

    def load(self, store):
        """Reads what `save` wrote, and returns the rest of what is stored."""
        # iterating over a store gives values
        stored = {key: store[key] for key in list(store.keys())}
        for i, state in enumerate(self._random_states()):
            state.assign(stored.pop(f"random_state_{i}"))
        self.trained.assign(int(np.asarray(stored.pop("steps_trained", 0))))
        return stored

    def belong_to_encoder(self):
        """Returns for each trainable variable whether q(z|x) is made by it."""
        model = self.model
        own = {id(v) for part in (model.encoder, model.posterior) for v in part.trainable_variables}
        return [id(v) in own for v in model.trainable_variables]

    # ---- inside

    def _random_states(self):
        return [v for v in self.model.variables if v.path.split("/")[-1] == "seed_generator_state"]

    def _next_seed(self):
        seed = tf.cast(self.model.seed_generator.next(), tf.int32)
        if _replicas() == 1:
            return seed
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return tf.random.fold_in(seed, replica)

    def _terms(self, x, y, seed, training, estimator, weights):
        model = self.model
        x = weighting.filled(model.events(x), weights)
        x = xla.compute_once(model.likelihood.prepare(x, seed_for(seed, "binarization")), seed)
        y = None if model.condition_shape is None else weighting.filled(model.condition(y), weights)
        num_samples, seed = model.objective.num_samples, seed_for(seed, "latents")
        return forward_pass.batch_terms(
            model, x, y, num_samples, seed, training, estimator, weights
        )

    def _apply(self, gradients, loss, terms, state):
        """Has the optimizer update the weights, unless the step is not finite; returns whether it was."""
        model = self.model
        # In a graph, what does not depend on the batch would be counted where there is none any more.
        with tf.control_dependencies([loss]):
            step = tf.identity(self.trained)
            self.trained.assign_add(1)
            if _replicas() > 1:
                model.optimizer.apply(gradients, model.trainable_variables)
                return None

            # A scaled optimizer minds gradients that overflow by itself.
            looked_at = (
                [] if alarm.is_scaled(model.optimizer) else alarm.telling_parts(model, gradients)
            )
            clear = model.alarm.is_clear(loss, looked_at)
            means = [tf.reduce_mean(getattr(terms, name)) for name in self.loss_terms()]
            model.alarm.note(clear, step, loss, means)
            optimizer_update.update(model, gradients, clear)
            alarm.restore_unless(clear, state)
            return clear

    def _track(self, loss, terms, clear=None):
        weights = terms.example_weights
        for tracker in self.metrics():
            if tracker.name == "loss":  # of the batch, by the examples there are
                _update(tracker, loss, weighting.count(terms.distortion, weights), clear)
            else:
                values = weighting.present(getattr(terms, tracker.name), weights)
                _update(tracker, values, weights, clear)
        return self.model.get_metrics_result()


def _update(tracker, values, weights, clear):
    """Adds values to a mean, but for those of a step that was left out."""
    if clear is not None:
        weights = tf.ones_like(values) if weights is None else weights
        weights = tf.where(clear, weights, 0.0)
        values = tf.where(clear, values, 0.0)
    tracker.update_state(values, sample_weight=weights)


def _replicas():
    return tf.distribute.get_strategy().num_replicas_in_sync
