"""How a model is trained on a batch: the steps under `fit` and `evaluate`."""

import numpy as np
import tensorflow as tf

from tfvae import checks, weighting
from tfvae._backend import keras
from tfvae.ops import xla
from tfvae.random import seed_for
from tfvae.training import alarm, optimizer_update
from tfvae.training.compilation_plan import forward_flops
from tfvae.training.compiled_fit import CompiledFitModel
from tfvae.validation import kinds

_TRACKED = ("loss", "elbo", "rate", "distortion")


class ObjectiveTrainer(CompiledFitModel):
    """A Keras model whose loss is an objective of the terms of a bound.

    A subclass has an `objective`, an `estimator`, a `likelihood`, a `seed_generator`, and
    gives the `Terms` of a batch from `batch_terms(x, y, num_samples, seed, training)`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._trackers = [keras.metrics.Mean(name=name) for name in _TRACKED]
        self._progress = _Progress()

    @property
    def steps_trained(self):
        """The number of training steps there were, over all calls of `compile`: an int64 variable."""
        return self._progress.steps

    def compile(self, optimizer="adam", *args, **kwargs):
        """As `keras.Model.compile`, without `loss` and `metrics`: the objective is the loss.

        Args:
            optimizer: a Keras optimizer.
            *args: refused, since they would be a loss.
            **kwargs: `steps_per_execution`, `jit_compile`, `on_nonfinite`, `run_eagerly`, ...

        Raises:
            InputError: a loss or metrics, or a number of steps below 1.
        """
        given = {**dict(zip(("loss", "loss_weights"), args)), **kwargs}
        for name in ("loss", "metrics", "weighted_metrics"):
            if given.get(name) is not None:
                raise checks.computes_its_own_loss(name, given[name])
        super().compile(optimizer, *args, **kwargs)

    def checked_fit(self, call):
        """Returns the arguments of `fit`: x alone, or x and y when conditional.

        Raises:
            InputError: data that the model cannot learn from, before the first step.
        """
        kinds.check_weights(call["sample_weight"])
        x, y = checks.check_data(call["x"], call["y"], self), call["y"]
        held_out = call["validation_data"]
        if held_out is not None:
            held_out = self._checked_validation(held_out)
        if self.prior.starts_from_data:
            self.prior.initialize(*checks.first_examples(x, y))
        y = _stand_in(x, y, call["sample_weight"])
        return {**call, "x": x, "y": y, "validation_data": held_out}

    def checked_evaluate(self, call):
        """Returns the arguments of `evaluate`, which gives the same numbers for the same data."""
        kinds.check_weights(call["sample_weight"])
        x, y = checks.check_data(call["x"], call["y"], self), call["y"]
        return {**call, "x": x, "y": _stand_in(x, y, call["sample_weight"])}

    def explained_errors(self):
        """Returns a context that raises what later batches were refused for."""
        return checks.later_batches()

    def train_step(self, data):
        """Trains the model on a batch, and returns its metrics."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        seed = self._next_seed()
        state = alarm.state_before(self)
        variables = [v.value for v in self.trainable_variables]
        weights = weighting.of_batch(sample_weight)
        with tf.GradientTape(persistent=True) as tape:
            terms = self._terms(x, y, seed, training=True, estimator=self.estimator, weights=weights)
            penalty = sum(self.losses)  # the networks' own, of their pass over the batch
            losses = self.estimator.losses(self.objective, terms, tf.identity(self.steps_trained))
            totals = [weighting.batch_loss(loss, weights) + penalty for loss in losses]
            # A strategy adds up the gradients of its replicas.
            scaled = [self.optimizer.scale_loss(total / _replicas()) for total in totals]
        gradients = self.estimator.gradients(tape, scaled, terms, variables, self._belong_to_encoder())
        self.objective.update(terms, tf.identity(self.steps_trained))
        clear = self._apply(gradients, totals[0], terms, state)
        return self._track(totals[0], terms, clear)

    def test_step(self, data):
        """Evaluates the model on a batch, and returns its metrics."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        # The count of examples seen is a new seed for each batch, the same in each evaluation.
        seed = seed_for(tf.stack([0, tf.cast(self._trackers[0].count, tf.int32)]), "validation")
        weights = weighting.of_batch(sample_weight)
        estimator = self.estimator if self.estimator.exact else None
        terms = self._terms(x, y, seed, training=False, estimator=estimator, weights=weights)
        penalty = sum(self.losses)
        loss = self.objective(terms, tf.identity(self.steps_trained))
        return self._track(weighting.batch_loss(loss, weights) + penalty, terms)

    # Keras writes weights and optimizers into `.keras` files, but not the state of random
    # generators, without which training would not go on as it would have.

    def save_own_variables(self, store):
        """Writes the state of random generators beside the model's own weights."""
        super().save_own_variables(store)
        for i, state in enumerate(self._random_states()):
            store[f"random_state_{i}"] = state.numpy()
        store["steps_trained"] = np.asarray(self.steps_trained)

    def load_own_variables(self, store):
        """Reads what `save_own_variables` wrote."""
        stored = {key: store[key] for key in list(store.keys())}  # iterating over a store gives values
        for i, state in enumerate(self._random_states()):
            state.assign(stored.pop(f"random_state_{i}"))
        self.steps_trained.assign(int(np.asarray(stored.pop("steps_trained", 0))))
        super().load_own_variables(stored)

    def _random_states(self):
        return [v for v in self.variables if v.path.split("/")[-1] == "seed_generator_state"]

    @property
    def metrics(self):
        """The metrics of the loss and its terms, and those that layers bring."""
        names = _TRACKED if self.posterior.has_density else ("loss", "distortion")
        return [tracker for tracker in self._trackers if tracker.name in names]

    # ---- what the loop asks

    def flops_per_example(self):
        """Returns the additions and multiplications of a forward pass: the encoder's, and K of the decoder."""
        return forward_flops(self.encoder) + self.rows_per_example() * forward_flops(self.decoder)

    def rows_per_example(self):
        """Returns K, the latents of an example."""
        return self.objective.num_samples

    def order_seed(self):
        """Returns the seed of the model's noise, which a `.keras` file keeps."""
        return int(self.seed_generator.state[0])

    def loss_terms(self):
        """Returns the terms that an alarm tells."""
        return tuple(name for name in ("rate", "distortion") if self.posterior.has_density or name != "rate")

    # ---- inside

    def _next_seed(self):
        seed = tf.cast(self.seed_generator.next(), tf.int32)
        if _replicas() == 1:
            return seed
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return tf.random.fold_in(seed, replica)

    def _terms(self, x, y, seed, training, estimator, weights):
        x = weighting.filled(self.events(x), weights)
        x = xla.compute_once(self.likelihood.prepare(x, seed_for(seed, "binarization")), seed)
        y = None if self.condition_shape is None else weighting.filled(self.condition(y), weights)
        return self.batch_terms(x, y, self.objective.num_samples, seed_for(seed, "latents"), training, estimator, weights)

    def _apply(self, gradients, loss, terms, state):
        """Has the optimizer update the weights, unless the step is not finite; returns whether it was."""
        # In a graph, what does not depend on the batch would be counted where there is none any more.
        with tf.control_dependencies([loss]):
            step = tf.identity(self.steps_trained)
            self.steps_trained.assign_add(1)
            if _replicas() > 1:
                self.optimizer.apply(gradients, self.trainable_variables)
                return None

            minds = alarm.is_scaled(self.optimizer)
            clear = self.alarm.is_clear(loss, [] if minds else gradients)
            means = [tf.reduce_mean(getattr(terms, name)) for name in self.loss_terms()]
            self.alarm.note(clear, step, loss, means)
            optimizer_update.update(self, gradients, clear)
            alarm.restore_unless(clear, state)
            return clear

    def _belong_to_encoder(self):
        """For each trainable variable, whether q(z|x) is made by it."""
        own = {id(v) for part in (self.encoder, self.posterior) for v in part.trainable_variables}
        return [id(v) in own for v in self.trainable_variables]

    def _checked_validation(self, validation_data):
        if isinstance(validation_data, tuple):
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(validation_data)
            checks.check_data(x, y, self, "validation x")
            return x if y is None and sample_weight is None else (x, _stand_in(x, y, sample_weight), sample_weight)
        return checks.check_data(validation_data, None, self, "validation x")

    def _track(self, loss, terms, clear=None):
        weights = terms.example_weights
        for tracker in self._trackers:
            if tracker.name == "loss":  # of the batch, by the examples there are
                _update(tracker, loss, weighting.count(terms.distortion, weights), clear)
            elif self.posterior.has_density or tracker.name == "distortion":
                values = weighting.present(getattr(terms, tracker.name), weights)
                _update(tracker, values, weights, clear)
        return self.get_metrics_result()


class _Progress:
    """The steps of training there were, which schedules of an objective follow.

    TensorFlow's own kind of variable, in an object that Keras does not look into: it is no weight.
    """

    def __init__(self):
        once = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self.steps = tf.Variable(0, dtype=tf.int64, trainable=False, aggregation=once)


def _update(tracker, values, weights, clear):
    """Adds values to a mean, but for those of a step that was left out."""
    if clear is not None:
        weights = tf.ones_like(values) if weights is None else weights
        weights = tf.where(clear, weights, 0.0)
        values = tf.where(clear, values, 0.0)
    tracker.update_state(values, sample_weight=weights)


def _replicas():
    return tf.distribute.get_strategy().num_replicas_in_sync


def _stand_in(x, y, sample_weight):
    """y, or zeros beside weights that come without it, since Keras would drop the weights."""
    return np.zeros(len(x), np.float32) if y is None and sample_weight is not None else y
