"""How a model is trained: the steps under `fit` and `evaluate`."""

import numpy as np
import tensorflow as tf

from tfvae import checks, compiling, stepping, weighting
from tfvae._backend import keras


class ObjectiveTrainer(stepping.ManyStepsModel):
    """A Keras model whose loss is an objective of the terms of a bound.

    A subclass has an `objective`, an `estimator`, a `likelihood`, a `seed_generator`, and
    gives the `Terms` of a batch from `batch_terms(x, y, num_samples, seed, training)`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._trackers = [keras.metrics.Mean(name=name) for name in ("loss", "elbo", "rate", "distortion")]

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
        with checks.later_batches():
            return super().fit(x, y, *args, validation_data=validation_data, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.evaluate`; the same numbers for the same data, with one draw of K latents."""
        if not kwargs.get("_use_cached_eval_dataset"):  # fit has checked it
            x = checks.check_data(x, y, self)
            y = _stand_in(x, y, kwargs.get("sample_weight"))
        with checks.later_batches():
            return super().evaluate(x, y, *args, **kwargs)

    def train_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        seed = tf.cast(self.seed_generator.next(), tf.int32)
        variables = [v.value for v in self.trainable_variables]
        with tf.GradientTape(persistent=True) as tape:
            weights = weighting.of_batch(sample_weight)
            terms = self._terms(x, y, seed, training=True, estimator=self.estimator, weights=weights)
            penalty = sum(self.losses)  # the networks' own, of their pass over the batch
            losses = self.estimator.losses(self.objective, terms, self.optimizer.iterations)
            totals = [weighting.batch_loss(loss, weights) + penalty for loss in losses]
            # A strategy adds up the gradients of its replicas.
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            scaled = [self.optimizer.scale_loss(total / replicas) for total in totals]
        gradients = self.estimator.gradients(tape, scaled, terms, variables, self._belong_to_encoder())
        self.objective.update(terms, self.optimizer.iterations)
        self._apply(gradients)
        return self._track(totals[0], terms)

    def test_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        # The count of examples seen is a new seed for each batch, the same in each evaluation.
        seed = tf.stack([0, tf.cast(self._trackers[0].count, tf.int32)])
        weights, estimator = weighting.of_batch(sample_weight), self.estimator if self.estimator.exact else None
        terms = self._terms(x, y, seed, training=False, estimator=estimator, weights=weights)
        penalty = sum(self.losses)
        loss = self.objective(terms, self.optimizer.iterations)
        return self._track(weighting.batch_loss(loss, weights) + penalty, terms)

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

    def _terms(self, x, y, seed, training, estimator, weights):
        seeds = tf.random.split(seed, 2)
        x = weighting.filled(self.events(x), weights)
        x = compiling.computed_once(self.likelihood.prepare(x, seeds[0]), seed)
        y = None if self.condition_shape is None else weighting.filled(self.condition(y), weights)
        return self.batch_terms(x, y, self.objective.num_samples, seeds[1], training, estimator, weights)

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

    def _track(self, loss, terms):
        weights = terms.example_weights
        for tracker in self.metrics:
            if tracker.name == "loss":  # of the batch, by the examples there are
                tracker.update_state(loss, sample_weight=weighting.count(terms.distortion, weights))
            else:
                tracker.update_state(weighting.present(getattr(terms, tracker.name), weights), sample_weight=weights)
        return {tracker.name: tracker.result() for tracker in self.metrics}


def _stand_in(x, y, sample_weight):
    """y, or zeros beside weights that come without it, since Keras would drop the weights."""
    return np.zeros(len(x), np.float32) if y is None and sample_weight is not None else y
