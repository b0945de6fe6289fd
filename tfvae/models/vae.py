"""The model: two networks and the pieces between them, trained by `model.fit`."""

import numpy as np
import tensorflow as tf

from tfvae._keras.backend import keras, register
from tfvae._keras.stateful import state_of
from tfvae.errors import InputTypeError, invalid
from tfvae.models import defaults, forward_pass, generation, network_shapes
from tfvae.models.objective_step import ObjectiveSteps
from tfvae.ops import networks
from tfvae.random import seed_for
from tfvae.seeds import as_int32
from tfvae.training.compiled_fit import CompiledFit
from tfvae.validation import arguments, calls, compatibility, data_checks

_COMPOSED = ("encoder", "decoder", "posterior", "prior", "likelihood", "objective", "estimator")


@register
class VAE(CompiledFit, keras.Model):
    """A variational autoencoder: q(z|x) by `encoder`, p(z), p(x|z) by `decoder`.

    Data runs one way: x -> encoder -> params -> q -> z -> decoder -> params -> p(x|z)
    -> terms -> objective. `fit` logs `loss`, and `elbo`, `rate` and `distortion` in nats
    per example, whatever the objective.

    Args:
        encoder: Keras network, `[B, *event] -> [B, P]`, P = `posterior.params_size(latent_dim)`.
            A conditional model's takes `[x, y]`.
        decoder: Keras network, `[B, D] -> [B, *likelihood.params_shape(event_shape)]`.
            A conditional model's takes `[z, y]`.
        posterior: q(z|x), of `tfvae.posteriors`.
        prior: p(z), of `tfvae.priors`, over the same set.
        likelihood: p(x|z), of `tfvae.likelihoods`.
        objective: the bound, of `tfvae.objectives`.
        estimator: which gradient the loss gets, of `tfvae.gradients`. What is left out of these five is
            chosen by `tfvae.models.defaults`: normals, binary data, the ELBO, reparameterized.
        event_shape, latent_dim: needed where the networks do not start with `keras.Input`. `latent_dim`
            is the size of what the decoder takes.
        seed: of the training noise; default drawn, see `keras.utils.set_random_seed`.

    Raises:
        InputError: networks and pieces that do not fit, saying which number is wrong.
    """

    def __init__(
        self,
        encoder,
        decoder,
        posterior=None,
        prior=None,
        likelihood=None,
        objective=None,
        estimator=None,
        *,
        event_shape=None,
        latent_dim=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        posterior = posterior or defaults.posterior()
        self.prior = prior or defaults.prior()
        self.likelihood = likelihood or defaults.likelihood()
        self.objective = objective or defaults.objective()
        self.seed = seed = None if seed is None else arguments.whole_number("seed", seed, 0)
        found = network_shapes.read(encoder, decoder, event_shape, latent_dim)
        self.event_shape, self.latent_dim = found.event_shape, found.latent_dim
        self.condition_shape, self.condition_dtype = found.condition_shape, found.condition_dtype
        self.num_classes = network_shapes.num_classes(found, decoder)
        self.latent_sizes = self.prior.latent_sizes(self.latent_dim)
        network_shapes.check(found, encoder, decoder, posterior, self.likelihood, self.latent_sizes)
        self.posterior = posterior.connect(self) or posterior
        self.prior.connect(self)
        compatibility.check_pieces(self.posterior, self.prior, self.objective)
        self.posterior.build_once(self.latent_sizes)
        self.estimator = estimator or defaults.estimator(self.posterior, self.latent_sizes)
        self.estimator.check(self.objective, self.posterior, self.latent_sizes)
        # which Keras then tracks and saves
        self._state = [*state_of(self.objective), *state_of(self.estimator)]
        # Last, after all that may be refused: a prior that is built belongs to a model.
        self.prior.build_once(self.latent_sizes)
        self.likelihood.build_once(self.event_shape)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def __setattr__(self, name, value):
        """Sets an attribute. Another objective or estimator is checked as a first one is.

        Raises:
            InputError: one that does not fit the pieces, or another piece or network, which optimizer
                and files would not know.
        """
        if getattr(self, "built", False) and name in _COMPOSED and value is not getattr(self, name):
            compatibility.check_exchange(self, name, value)
        super().__setattr__(name, value)

    # ---- the distributions

    def encode(self, x, y=None):
        """q(z|x), a `tfd.Distribution` of batch `[B]`, for x `[B, *event]`."""
        return self.posterior.distribution(
            self.encoder_params(self.events(x), self.condition(y), training=False)
        )

    def decode(self, z, y=None):
        """p(x|z), a `tfd.Distribution` of batch `[...]`, for z `[..., D]`: of several layers what the decoder takes."""
        z = tf.nest.map_structure(lambda part: tf.convert_to_tensor(part, tf.float32), z)
        data_checks.check_latent(z, self.latent_dim)
        return self.likelihood.distribution(self.decode_batch(z, self.condition(y), training=False))

    def log_weights(self, x, num_samples, seed=None, y=None):
        """log p(x|z) + log p(z) - log q(z|x) in nats for `num_samples` z per example, `[K, B]`."""
        return self.terms(x, num_samples, seed=seed, y=y).log_weights

    def terms(self, x, num_samples, seed=None, y=None):
        """`tfvae.objectives.terms.Terms` of `num_samples` latents per example; the same for the same seed.

        Raises:
            InputError: x of the wrong shape or outside the likelihood's support.
        """
        if not tf.is_symbolic_tensor(x):
            x = data_checks.check_events(x, self.likelihood, self.event_shape)
        seed = as_int32(np.random.randint(2**31) if seed is None else seed)
        pair = seed_for(tf.constant([seed, 0]), "terms")
        x = self.likelihood.prepare(x, seed_for(pair, "binarization"))
        latents = seed_for(pair, "latents")
        return forward_pass.batch_terms(
            self, x, self.condition(y), num_samples, latents, training=False
        )

    # ---- pictures

    def sample(self, n, seed=None, y=None, *, start=0, draw=False):
        """Samples number `start ... start + n - 1` under `seed`, `[n, *event]`.

        z ~ p(z) by the counter-based stream, then the mean of p(x|z): the same picture for
        the same seed here, in the SavedModel, and in the TFLite file.

        Args:
            n: how many.
            seed: -2^31 ... 2^32 - 1; default drawn from NumPy's global generator.
            y: conditions `[n, ...]` of a conditional model.
            start: number of the first sample.
            draw: draw x ~ p(x|z) instead of taking its mean.

        Raises:
            InputError: a count, start or seed that leaves the stream.
        """
        return generation.sample(self, n, seed, y, start, draw)

    def sample_latent(self, n, seed=None, y=None, *, start=0):
        """The z behind `sample` of the same arguments, `[n, D]`, or a list of layers."""
        return generation.sample_latent(self, n, seed, y, start)

    def reconstruct(self, x, y=None):
        """The mean of p(x|z) at the mean of q(z|x) (`Posterior.location`), `[B, *event]`: deterministic."""
        return generation.reconstruct(self, x, y)

    def call(self, inputs):
        """`reconstruct`, so that `predict(x)` does what it says; `[x, y]` when conditional."""
        return (
            self.reconstruct(*inputs)
            if self.condition_shape is not None
            else self.reconstruct(inputs)
        )

    # ---- training

    def make_loop_hooks(self):
        """Returns the steps of this model, and its answers to the loop."""
        return ObjectiveSteps(self)

    @property
    def steps_trained(self):
        """The number of training steps there were, over all calls of `compile`: an int64 variable."""
        return self.loop_hooks.trained

    def compile(self, optimizer="adam", *args, **kwargs):
        """As `keras.Model.compile`, without `loss` and `metrics`: the objective is the loss.

        Args:
            optimizer: a Keras optimizer.
            *args: refused, since they would be a loss.
            **kwargs: `steps_per_execution`, `jit_compile`, `on_nonfinite`, `run_eagerly`, ...

        Raises:
            InputError: a loss or metrics, or a number of steps below 1.
        """
        calls.check_compile(args, kwargs)
        super().compile(optimizer, *args, **kwargs)

    def train_step(self, data):
        """Trains the model on a batch, and returns its metrics."""
        return self.loop_hooks.train(data)

    def test_step(self, data):
        """Evaluates the model on a batch, and returns its metrics."""
        return self.loop_hooks.test(data)

    @property
    def metrics(self):
        """The metrics of the loss and its terms, which a subclass may add to."""
        return self.loop_hooks.metrics()

    # ---- the networks, for code that has checked its batches

    def encoder_params(self, x, y, training):
        """The encoder's output, `[B, P]`, float32."""
        x = self.likelihood.encoder_view(tf.cast(x, tf.float32))
        return networks.float32(self.encoder(networks.network_input(x, y), training=training))

    def decode_batch(self, z, y, training):
        """Decoder output `[..., *params_shape]` for z `[..., D]` and y `[B, ...]`."""
        return networks.on_rows(self.decoder, z, y, training)

    def events(self, x):
        """`x` as a tensor of events of the right shape."""
        x = tf.convert_to_tensor(x)
        data_checks.check_batch(x, self.event_shape)
        return x

    def condition(self, y):
        """`y` in the networks' dtype, or None; refuses the wrong one of the two."""
        data_checks.check_presence(y, self.condition_shape)
        return None if y is None else tf.cast(y, self.condition_dtype)

    def get_config(self):
        pieces = {
            name: keras.saving.serialize_keras_object(getattr(self, name)) for name in _COMPOSED
        }
        shapes = {"event_shape": self.event_shape, "latent_dim": self.latent_dim}
        return {**super().get_config(), **pieces, **shapes, "seed": self.seed}

    def with_prior(self, prior):
        """Returns a model of the same networks and pieces, shared and not copied, with another prior.

        This model stays as it is: a posterior that goes along the prior's path, `Ladder`, is made anew for the other.
        """
        pieces = (self.posterior, prior, self.likelihood, self.objective, self.estimator)
        shapes = {"event_shape": self.event_shape, "latent_dim": self.latent_dim}
        return VAE(self.encoder, self.decoder, *pieces, **shapes, seed=self.seed)

    def save_own_variables(self, store):
        """Writes the model's own weights, the state of its random generators and the count of steps."""
        super().save_own_variables(store)
        self.loop_hooks.save(store)

    def load_own_variables(self, store):
        """Reads what `save_own_variables` wrote."""
        super().load_own_variables(self.loop_hooks.load(store))

    @classmethod
    def from_config(cls, config):
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})


def load_model(path):
    """A model from a `.keras` file: networks, pieces, optimizer and random state.

    Raises:
        InputTypeError: the file holds a model that is not a VAE.
    """
    model = keras.saving.load_model(path)
    if not isinstance(model, VAE):
        raise invalid(
            "a saved tfvae.VAE",
            f"{type(model).__name__} in {path}",
            "load it with Keras",
            InputTypeError,
        )
    return model
