"""The model: two networks and the pieces between them, trained by `model.fit`."""

import numpy as np
import tensorflow as tf

from tfvae import checks, defaults, fusing, wiring
from tfvae._backend import keras, register
from tfvae.errors import InputTypeError, invalid
from tfvae.generation import Generator
from tfvae.random import seed_for
from tfvae.stateful import state_of
from tfvae.stream_range import as_int32
from tfvae.terms import Terms, closed_form_kl
from tfvae.validation import arguments
from tfvae.wiring import in_mode


@register
class VAE(Generator):
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
            chosen by `tfvae.defaults`: normals, binary data, the ELBO, reparameterized.
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
        found = wiring.read(encoder, decoder, event_shape, latent_dim)
        self.event_shape, self.latent_dim = found.event_shape, found.latent_dim
        self.condition_shape, self.condition_dtype = found.condition_shape, found.condition_dtype
        self.num_classes = wiring.num_classes(found, decoder)
        self.latent_sizes = self.prior.latent_sizes(self.latent_dim)
        wiring.check(found, encoder, decoder, posterior, self.likelihood, self.latent_sizes)
        self.posterior = posterior.connect(self) or posterior
        self.prior.connect(self)
        wiring.check_pieces(self.posterior, self.prior, self.objective)
        self.posterior.build_once(self.latent_sizes)
        self.estimator = estimator or defaults.estimator(self.posterior, self.latent_sizes)
        self.estimator.check(self.objective, self.posterior, self.latent_sizes)
        self._state = [*state_of(self.objective), *state_of(self.estimator)]  # which Keras then tracks and saves
        # Last, after all that may be refused: a prior that is built belongs to a model.
        self.prior.build_once(self.latent_sizes)
        self.likelihood.build_once(self.event_shape)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    # ---- the distributions

    def encode(self, x, y=None):
        """q(z|x), a `tfd.Distribution` of batch `[B]`, for x `[B, *event]`."""
        return self.posterior.distribution(self.encoder_params(self.events(x), self.condition(y), training=False))

    def decode(self, z, y=None):
        """p(x|z), a `tfd.Distribution` of batch `[...]`, for z `[..., D]`: of several layers what the decoder takes."""
        z = tf.nest.map_structure(lambda part: tf.convert_to_tensor(part, tf.float32), z)
        checks.check_latent(z, self.latent_dim)
        return self.likelihood.distribution(self.decode_batch(z, self.condition(y), training=False))

    def log_weights(self, x, num_samples, seed=None, y=None):
        """log p(x|z) + log p(z) - log q(z|x) in nats for `num_samples` z per example, `[K, B]`."""
        return self.terms(x, num_samples, seed=seed, y=y).log_weights

    def terms(self, x, num_samples, seed=None, y=None):
        """`tfvae.terms.Terms` of `num_samples` latents per example; the same for the same seed.

        Raises:
            InputError: x of the wrong shape or outside the likelihood's support.
        """
        if not tf.is_symbolic_tensor(x):
            x = checks.check_events(x, self.likelihood, self.event_shape)
        seed = as_int32(np.random.randint(2**31) if seed is None else seed)
        pair = seed_for(tf.constant([seed, 0]), "terms")
        x = self.likelihood.prepare(x, seed_for(pair, "binarization"))
        latents = seed_for(pair, "latents")
        return self.batch_terms(x, self.condition(y), num_samples, latents, training=False)

    # ---- the same for traced code, which has checked its batches

    def batch_terms(self, x, y, num_samples, seed, training, estimator=None, example_weights=None):
        """Returns the `Terms` of a prepared batch.

        Args:
            x: `[B, *event]`.
            y: conditions `[B, ...]`, or None.
            num_samples: K, latents per example.
            seed: int32 pair.
            training: whether networks and likelihood run as in training.
            estimator: says what is held constant; None where no gradient is wanted.
            example_weights: how much each example counts, float32 `[B]`, or None where all count 1.
        """
        params = self.encoder_params(x, y, training)
        return self.terms_given(params, x, y, num_samples, seed, training, estimator, example_weights)

    def terms_given(self, params, x, y, num_samples, seed, training, estimator=None, example_weights=None):
        """Returns the `Terms` from the encoder's output, as when it runs once for many chunks of latents."""
        draw = (estimator or defaults.sampling()).latents
        drawn = in_mode(draw, self, params, num_samples, seed, training=training)
        p = in_mode(self.prior.distribution, y, training=training)
        params = self.decode_batch(self.prior.for_decoder(drawn.z), y, training)
        # Where log q holds its parameters constant, a closed form would bring their gradient back.
        rate = None if estimator is not None and estimator.stops_density else closed_form_kl(drawn.q, p)
        return Terms(
            log_likelihood=self._log_likelihood(params, x, training, example_weights),
            log_prior=p.log_prob(drawn.z),
            log_posterior=drawn.log_q,
            analytic_rate=rate,
            z=drawn.z,
            posterior=drawn.q,
            prior=p,
            seed=seed,
            weights=drawn.weights,
            example_weights=example_weights,
        )

    def closed_form_rate(self, params, y):
        """KL(q(z|x) || p(z)), `[B]`, or None where TFP has no closed form."""
        return closed_form_kl(self.posterior.distribution(params), self.prior.distribution(y))

    def encoder_params(self, x, y, training):
        """The encoder's output, `[B, P]`, float32."""
        x = self.likelihood.encoder_view(tf.cast(x, tf.float32))
        return wiring.float32(self.encoder(wiring.network_input(x, y), training=training))

    def decode_batch(self, z, y, training):
        """Decoder output `[..., *params_shape]` for z `[..., D]` and y `[B, ...]`."""
        return wiring.on_rows(self.decoder, z, y, training)

    def events(self, x):
        """`x` as a tensor of events of the right shape."""
        x = tf.convert_to_tensor(x)
        checks.check_batch(x, self.event_shape)
        return x

    def condition(self, y):
        """`y` in the networks' dtype, or None; refuses the wrong one of the two."""
        if (y is None) != (self.condition_shape is None):
            raise invalid(
                "y for a conditional model, and none for any other",
                "no y" if y is None else "y for a model whose encoder takes x alone",
                "pass y=..." if y is None else "leave y out, or build networks that take [x, y] and [z, y]",
            )
        return None if y is None else tf.cast(y, self.condition_dtype)

    def _log_likelihood(self, params, x, training, example_weights):
        """log p(x|z), `[K, B]`, by the decoder's output."""

        def log_prob(params):
            if not training:
                return likelihood.distribution(params).log_prob(x)
            return wiring.fitted(likelihood, params, x, example_weights).log_prob(x)

        likelihood = self.likelihood
        return log_prob(params) if training and likelihood.fits_batches else fusing.fused(log_prob, params)

    def get_config(self):
        names = ("encoder", "decoder", "posterior", "prior", "likelihood", "objective", "estimator")
        pieces = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in names}
        shapes = {"event_shape": self.event_shape, "latent_dim": self.latent_dim}
        return {**super().get_config(), **pieces, **shapes, "seed": self.seed}

    def with_prior(self, prior):
        """Returns a model of the same networks and pieces, shared and not copied, with another prior.

        This model stays as it is: a posterior that goes along the prior's path, `Ladder`, is made anew for the other.
        """
        pieces = (self.posterior, prior, self.likelihood, self.objective, self.estimator)
        shapes = {"event_shape": self.event_shape, "latent_dim": self.latent_dim}
        return VAE(self.encoder, self.decoder, *pieces, **shapes, seed=self.seed)

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
        raise invalid("a saved tfvae.VAE", f"{type(model).__name__} in {path}", "load it with Keras", InputTypeError)
    return model
