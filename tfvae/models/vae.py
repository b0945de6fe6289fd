"""The model class `VAE`: two networks and the pieces between them, trained by `model.fit`."""

from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfvae._keras.backend import keras, register
from tfvae._keras.stateful import state_of
from tfvae.models import (
    defaults,
    distribution_shapes,
    forward_pass,
    generation,
    network_shapes,
    output_activations,
)
from tfvae.models.checked_calls import CheckedCalls
from tfvae.models.objective_step import ObjectiveSteps
from tfvae.models.pretrained import Pretrained
from tfvae.ops import networks
from tfvae.random import seed_for
from tfvae.seeds import as_int32
from tfvae.training.compiled_fit import CompiledFit
from tfvae.validation import arguments, calls, compatibility, data_checks, piece_arguments

if TYPE_CHECKING:
    from tensorflow_probability import distributions as tfd

    from tfvae.gradients import Estimator
    from tfvae.likelihoods import Likelihood
    from tfvae.objectives import Objective, Terms
    from tfvae.posteriors import Posterior
    from tfvae.priors import Prior

_COMPOSED = ("encoder", "decoder", "posterior", "prior", "likelihood", "objective", "estimator")


@register
class VAE(CheckedCalls, Pretrained, CompiledFit, keras.Model):
    """A variational autoencoder: q(z|x) by `encoder`, p(z), p(x|z) by `decoder`.

    Data runs one way: x -> encoder -> params -> q -> z -> decoder -> params -> p(x|z)
    -> terms -> objective. `fit` logs `loss`, and `elbo`, `rate` and `distortion` in nats
    per example, whatever the objective.

    Args:
        encoder: Keras network, `[B, *event] -> [B, P]`, P = `posterior.params_size(latent_dim)`.
            A conditional model's takes `[x, y]`.
        decoder: Keras network, `[B, D] -> [B, *likelihood.params_shape(event_shape)]`.
            A conditional model's takes `[z, y]`.
        posterior: q(z|x), of `tfvae.posteriors`; default `DiagonalNormal()`.
        prior: p(z), of `tfvae.priors`, over the same set; default `StandardNormal()`.
        likelihood: p(x|z), of `tfvae.likelihoods`; default `Bernoulli()`.
        objective: the bound, of `tfvae.objectives`; default `ELBO()`.
        estimator: the gradient of the loss, of `tfvae.gradients`; default by the posterior,
            see `tfvae.models.defaults.estimator`.
        event_shape: shape of x, needed if the encoder does not start with `keras.Input`.
        latent_dim: size of the decoder's z, needed if that does not start with `keras.Input`.
        seed: seed of the training noise; default drawn, see `keras.utils.set_random_seed`.
        allow_bounded_outputs: True to take networks that end in an activation such as sigmoid
            although the piece expects numbers without bounds, such as logits.
        **kwargs: as `keras.Model`, such as `name`.

    Raises:
        InputError: networks and pieces that do not fit, where the message has the wrong number;
            a network that ends in an activation, where the message has its layer; or a seed that
            is no whole number from 0 to 2^32 - 1.
        InputTypeError: a network that is no Keras layer, or a size that is no whole number from 1.
    """

    loop_hooks: ObjectiveSteps

    def __init__(
        self,
        encoder: keras.Model | keras.Layer,
        decoder: keras.Model | keras.Layer,
        posterior: "Posterior | None" = None,
        prior: "Prior | None" = None,
        likelihood: "Likelihood | None" = None,
        objective: "Objective | None" = None,
        estimator: "Estimator | None" = None,
        *,
        event_shape: int | Sequence[int] | None = None,
        latent_dim: int | list[int] | None = None,
        seed: int | None = None,
        allow_bounded_outputs: bool = False,
        **kwargs: Any,
    ) -> None:
        """Composes the model and checks that its parts fit; see the class for the arguments."""
        super().__init__(**kwargs)
        piece_arguments.check(posterior=posterior, prior=prior, likelihood=likelihood)
        piece_arguments.check(objective=objective, estimator=estimator)
        self.encoder, self.decoder = encoder, decoder
        posterior = posterior or defaults.posterior()
        self.prior = prior or defaults.prior()
        self.likelihood = likelihood or defaults.likelihood()
        self.objective = objective or defaults.objective()
        self.seed = seed = None if seed is None else arguments.seed("seed", seed)

        found = network_shapes.read(encoder, decoder, event_shape, latent_dim)
        self.event_shape, self.latent_dim = found.event_shape, found.latent_dim
        self.condition_shape, self.condition_dtype = found.condition_shape, found.condition_dtype
        of_y = network_shapes.check_condition(found, self.prior)
        self.num_classes = network_shapes.num_classes(found, encoder, decoder, *of_y)
        self.latent_sizes = self.prior.latent_sizes(self.latent_dim)
        network_shapes.check(found, encoder, decoder, posterior, self.likelihood, self.latent_sizes)
        self.allow_bounded_outputs = allow_bounded_outputs
        if not allow_bounded_outputs:
            pieces = (posterior, self.prior, self.likelihood)
            output_activations.check(found, encoder, decoder, *pieces)

        self.posterior = posterior.bind_to(self) or posterior
        self.prior.bind_to(self)
        compatibility.check_pieces(self.posterior, self.prior, self.objective)
        self.posterior.build_once(self.latent_sizes)
        self.estimator = estimator or defaults.estimator(self.posterior, self.latent_sizes)
        self.estimator.check(self.objective, self.posterior, self.latent_sizes)
        # Kept as an attribute, so that Keras tracks and saves it.
        self._state = [*state_of(self.objective), *state_of(self.estimator)]

        # Last, after every check: a prior that is built belongs to a model.
        self.prior.build_once(self.latent_sizes)
        self.likelihood.build_once(self.event_shape)
        distribution_shapes.check(self)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def __setattr__(self, name: str, value: Any) -> None:
        """Sets an attribute; a new objective or estimator is checked as the first one was.

        Args:
            name: name of the attribute.
            value: its new value.

        Raises:
            InputError: an objective or estimator that does not fit, or a new network or other
                piece, whose weights the optimizer and saved files would not know.
        """
        if getattr(self, "built", False) and name in _COMPOSED and value is not getattr(self, name):
            if name not in ("encoder", "decoder"):
                piece_arguments.check(**{name: value})
            compatibility.check_exchange(self, name, value)
        super().__setattr__(name, value)

    # ---- the distributions

    def encode(self, x: npt.ArrayLike, y: npt.ArrayLike | None = None) -> "tfd.Distribution":
        """Returns q(z|x).

        Args:
            x: examples `[B, *event]`.
            y: conditions `[B, ...]` of a conditional model, else None.

        Returns:
            A distribution of batch `[B]` over z `[D]`, or over a list of layers.

        Raises:
            InputError: x of another shape or with values outside the likelihood's support, or y
                missing or not expected.
        """
        events = self.events(x)
        y = self.condition(y, events.shape[0])
        return self.posterior.distribution(self.encoder_params(events, y, training=False))

    def decode(
        self, z: npt.ArrayLike | list[tf.Tensor], y: npt.ArrayLike | None = None
    ) -> "tfd.Distribution":
        """Returns p(x|z).

        Args:
            z: latents `[..., D]`; of several layers those that the decoder takes.
            y: conditions `[B, ...]` of a conditional model, else None.

        Returns:
            A distribution of batch `[...]` over one event.

        Raises:
            InputError: z of another size, or y missing or not expected.
        """
        z = tf.nest.map_structure(lambda part: tf.convert_to_tensor(part, tf.float32), z)
        data_checks.check_latent(z, self.latent_dim)
        # The last of the leading axes is that of y.
        rows = [1, *tf.nest.flatten(z)[0].shape[:-1]][-1]
        y = self.condition(y, rows)
        return self.likelihood.distribution(self.decode_batch(z, y, training=False))

    def log_weights(
        self,
        x: npt.ArrayLike,
        num_samples: int,
        seed: int | None = None,
        y: npt.ArrayLike | None = None,
    ) -> tf.Tensor:
        """Returns the log importance weights log p(x|z) + log p(z) - log q(z|x).

        Args:
            x: as in `terms`.
            num_samples: as in `terms`.
            seed: as in `terms`.
            y: as in `terms`.

        Returns:
            `[K, B]` in nats.

        Raises:
            InputError: as `terms`, or a posterior without a density.
        """
        return self.terms(x, num_samples, seed=seed, y=y).log_weights

    def terms(
        self,
        x: npt.ArrayLike,
        num_samples: int,
        seed: int | None = None,
        y: npt.ArrayLike | None = None,
    ) -> "Terms":
        """Returns the terms of the bound from `num_samples` latents per example.

        Args:
            x: examples `[B, *event]`.
            num_samples: K, latents per example.
            seed: the same seed gives the same terms; by default drawn from NumPy's generator.
            y: conditions `[B, ...]` of a conditional model, else None.

        Returns:
            The terms, log-probabilities `[K, B]` in nats.

        Raises:
            InputError: x of the wrong shape or outside the likelihood's support, a seed out of
                range, or y missing or not expected.
            InputTypeError: a seed that is not a whole number.
        """
        if not tf.is_symbolic_tensor(x):
            x = data_checks.check_events(x, self.likelihood, self.event_shape)

        seed = as_int32(np.random.randint(2**31) if seed is None else seed)
        pair = seed_for(tf.constant([seed, 0]), "terms")
        prepared = self.likelihood.prepare_for_training(x, seed_for(pair, "binarization"))
        latents = seed_for(pair, "latents")
        y = self.condition(y, prepared.shape[0])
        return forward_pass.batch_terms(self, prepared, y, num_samples, latents, training=False)

    # ---- samples and reconstructions

    def sample(
        self,
        n: int,
        seed: int | None = None,
        y: npt.ArrayLike | None = None,
        *,
        start: int = 0,
        draw: bool = False,
    ) -> tf.Tensor:
        """Draws the samples number `start ... start + n - 1` under `seed`.

        Draws z ~ p(z) by the counter-based stream and takes the mean of p(x|z). A seed gives
        the same picture here, in the SavedModel, and in the TFLite file.

        Args:
            n: the number of samples.
            seed: -2^31 ... 2^32 - 1; by default drawn from NumPy's global generator.
            y: conditions `[n, ...]` of a conditional model, else None.
            start: the number of the first sample.
            draw: whether to draw x ~ p(x|z) instead of taking its mean.

        Returns:
            `[n, *event]`.

        Raises:
            InputError: a count, start or seed outside the stream, or y missing or not expected.
            InputTypeError: a count, start or seed that is not a whole number.
        """
        return generation.sample(self, n, seed, y, start, draw)

    def sample_latent(
        self,
        n: int,
        seed: int | None = None,
        y: npt.ArrayLike | None = None,
        *,
        start: int = 0,
    ) -> tf.Tensor | list[tf.Tensor]:
        """Draws the latents behind `sample` with the same arguments.

        Args:
            n: as in `sample`.
            seed: as in `sample`.
            y: as in `sample`.
            start: as in `sample`.

        Returns:
            z `[n, D]`, or a list of one tensor per layer of latents, the top first.

        Raises:
            InputError: as `sample`.
            InputTypeError: as `sample`.
        """
        return generation.sample_latent(self, n, seed, y, start)

    def reconstruct(self, x: npt.ArrayLike, y: npt.ArrayLike | None = None) -> tf.Tensor:
        """Returns the mean of p(x|z) at the location of q(z|x), which draws nothing.

        Args:
            x: examples `[B, *event]`.
            y: conditions `[B, ...]` of a conditional model, else None.

        Returns:
            `[B, *event]`.

        Raises:
            InputError: x of another shape or with values outside the likelihood's support, or y
                missing or not expected.
        """
        return generation.reconstruct(self, x, y)

    def call(self, inputs: Any) -> tf.Tensor:
        """Returns `reconstruct` of x, or of `[x, y]` if conditional; `predict` calls it."""
        if self.condition_shape is None:
            return self.reconstruct(inputs)
        calls.check_pair(inputs)
        return self.reconstruct(*inputs)

    # ---- training

    def make_loop_hooks(self) -> ObjectiveSteps:
        """Returns the training steps of this model, and its answers to the loop."""
        return ObjectiveSteps(self)

    @property
    def steps_trained(self) -> tf.Variable:
        """The number of training steps so far, over all calls of `compile`, an int64 variable."""
        return self.loop_hooks.trained

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Trains the model on a batch, x, (x, y) or (x, y, sample_weight); returns metrics."""
        return self.loop_hooks.train(data)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Evaluates the model on a batch, x, (x, y) or (x, y, sample_weight); returns metrics."""
        return self.loop_hooks.test(data)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The metrics of the loss and its terms; a subclass may add others."""
        return self.loop_hooks.metrics()

    # ---- the networks, for code that has checked its batches

    def encoder_params(
        self, x: np.ndarray | tf.Tensor, y: tf.Tensor | None, training: bool
    ) -> tf.Tensor | list[tf.Tensor]:
        """Runs the encoder.

        Args:
            x: examples `[B, *event]`.
            y: conditions `[B, ...]` as `condition` returns them, or None.
            training: whether it runs as in training.

        Returns:
            The parameters of q(z|x), float32 `[B, P]`, or a list with one tensor per layer.
        """
        x = self.likelihood.encoder_input(tf.cast(x, tf.float32))
        return networks.float32(self.encoder(networks.network_input(x, y), training=training))

    def decode_batch(
        self, z: tf.Tensor | list[tf.Tensor], y: tf.Tensor | None, training: bool
    ) -> tf.Tensor:
        """Runs the decoder.

        Args:
            z: latents `[..., D]`, such as `[K, B, D]`, or a list where the decoder takes several.
            y: conditions `[B, ...]` as `condition` returns them, or None.
            training: whether it runs as in training.

        Returns:
            The parameters of p(x|z), float32 `[..., *params_shape]`.
        """
        return networks.apply_to_flattened(self.decoder, z, y, training)

    def events(self, x: npt.ArrayLike) -> tf.Tensor:
        """Returns `x` as a tensor `[B, *event]`. In traced code its values are not known.

        Raises:
            InputError: x of another shape, or with values outside the likelihood's support.
        """
        events = tf.convert_to_tensor(x)
        data_checks.check_batch(events, self.event_shape)
        if tf.executing_eagerly() and not tf.is_symbolic_tensor(events):
            data_checks.check_events(x, self.likelihood, self.event_shape)
        return events

    def condition(self, y: npt.ArrayLike | None, rows: int | None = None) -> tf.Tensor | None:
        """Returns the conditions `y` in the networks' dtype, or None for none.

        Args:
            y: conditions `[rows, ...]` of a conditional model, else None.
            rows: the number of examples or samples that they are for; None takes any.

        Raises:
            InputError: no y for a conditional model, y for any other, another shape or number of
                rows, labels that are not among the classes, or numbers that are not finite.
        """
        return data_checks.condition_tensor(self, y, rows)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, with networks and pieces serialized."""
        pieces = {
            name: keras.saving.serialize_keras_object(getattr(self, name)) for name in _COMPOSED
        }
        shapes = {"event_shape": self.event_shape, "latent_dim": self.latent_dim}
        options = {"seed": self.seed, "allow_bounded_outputs": self.allow_bounded_outputs}
        return {**super().get_config(), **pieces, **shapes, **options}

    def with_prior(self, prior: "Prior") -> "VAE":
        """Returns a model with another prior that shares this one's networks and other pieces.

        Nothing is copied, except for a `Ladder` posterior. That one goes along the prior's path,
        so that the new model gets a new one. This model stays as it is.

        Raises:
            InputError: a prior that does not fit the posterior or the objective.
        """
        pieces = (self.posterior, prior, self.likelihood, self.objective, self.estimator)
        options: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("event_shape", "latent_dim", "seed", "allow_bounded_outputs")
        }
        return VAE(self.encoder, self.decoder, *pieces, **options)

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Writes the model's own weights, its random states and its count of steps."""
        super().save_own_variables(store)
        self.loop_hooks.save(store)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Reads what `save_own_variables` wrote."""
        super().load_own_variables(self.loop_hooks.load(store))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "VAE":
        """Makes a model from what `get_config` returned.

        Warns of a network that ends in an activation in the file of an earlier version, which
        took it.
        """
        given = {k: keras.saving.deserialize_keras_object(v) for k, v in config.items()}
        return output_activations.as_it_was_saved(cls, given)
