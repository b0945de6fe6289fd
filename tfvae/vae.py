"""The model: two networks and the pieces between them, trained by `model.fit`."""

import numpy as np
import tensorflow as tf

from tfvae import checks, random, wiring
from tfvae._backend import keras, register
from tfvae.errors import InputTypeError, invalid
from tfvae.gradients import Pathwise
from tfvae.likelihoods import Bernoulli
from tfvae.objectives import ELBO
from tfvae.posteriors import DiagonalNormal
from tfvae.priors import StandardNormal
from tfvae.stream_range import as_int32, check_range
from tfvae.terms import Terms, closed_form_kl
from tfvae.training import ObjectiveTrainer

_SAMPLE_PAGE = 256  # samples decoded at once


@register
class VAE(ObjectiveTrainer):
    """A variational autoencoder: q(z|x) by `encoder`, p(z), p(x|z) by `decoder`.

    Data runs one way: x -> encoder -> params -> q -> z -> decoder -> params -> p(x|z)
    -> terms -> objective. `fit` logs `loss`, and `elbo`, `rate` and `distortion` in nats
    per example, whatever the objective.

    Args:
        encoder: Keras network, `[B, *event] -> [B, P]`, P = `posterior.params_size(latent_dim)`.
            A conditional model's takes `[x, y]`.
        decoder: Keras network, `[B, D] -> [B, *likelihood.params_shape(event_shape)]`.
            A conditional model's takes `[z, y]`.
        posterior: default `DiagonalNormal()`.
        prior: default `StandardNormal()`.
        likelihood: default `Bernoulli()`.
        objective: default `ELBO()`.
        estimator: which gradient the loss gets, default `gradients.Pathwise()`.
        event_shape, latent_dim: needed where the networks do not start with `keras.Input`.
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
        self.posterior = posterior or DiagonalNormal()
        self.prior = prior or StandardNormal()
        self.likelihood = likelihood or Bernoulli()
        self.objective = objective or ELBO()
        self.estimator = estimator or Pathwise()
        self.estimator.check(self.objective, self.posterior)
        self.seed = seed
        found = wiring.read(encoder, decoder, event_shape, latent_dim)
        self.event_shape, self.latent_dim = found.event_shape, found.latent_dim
        self.condition_shape, self.condition_dtype = found.condition_shape, found.condition_dtype
        wiring.check(found, encoder, decoder, self.posterior, self.likelihood)
        self.prior.connect(self)
        for piece, shape in (
            (self.posterior, self.latent_dim),
            (self.prior, self.latent_dim),
            (self.likelihood, self.event_shape),
        ):
            if not piece.built:
                piece.build(shape)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    # ---- the distributions

    def encode(self, x, y=None):
        """q(z|x), a `tfd.Distribution` of batch `[B]`, for x `[B, *event]`."""
        return self.encode_batch(self.events(x), self.condition(y), training=False)

    def decode(self, z, y=None):
        """p(x|z), a `tfd.Distribution` of batch `[...]`, for z `[..., D]`."""
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
        x = self.likelihood.prepare(x, self._seed_pair(seed, 1))
        return self.batch_terms(x, self.condition(y), num_samples, self._seed_pair(seed, 0), training=False)

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
        return self._pages(n, seed, y, start, draw)[1]

    def sample_latent(self, n, seed=None, y=None, *, start=0):
        """The z behind `sample` of the same arguments, `[n, D]`."""
        return self._pages(n, seed, y, start, draw=False)[0]

    def generate(self, noise, y=None, *, draw=False):
        """(z, x) for the samples of `noise`, a `random.Stream`: the one sampler there is."""
        z = self.prior.sample(noise, y)
        params = self.decode_batch(z, y, training=False)
        if draw:
            return z, self.likelihood.draw(params, noise.fold_in(random.TAGS["draw"]))
        return z, self.likelihood.mean(params)

    def reconstruct(self, x, y=None):
        """The mean of p(x|z) at the mean of q(z|x), `[B, *event]`: deterministic."""
        z = self.encode(x, y).mean()
        return self.likelihood.mean(self.decode_batch(z, self.condition(y), training=False))

    def call(self, inputs):
        """`reconstruct`, so that `predict(x)` does what it says; `[x, y]` when conditional."""
        return self.reconstruct(*inputs) if self.condition_shape is not None else self.reconstruct(inputs)

    # ---- the same for traced code, which has checked its batches

    def batch_terms(self, x, y, num_samples, seed, training, estimator=None):
        """`Terms` of a prepared batch; `seed` is an int32 pair; `estimator` says what is held constant."""
        params = self.encoder_params(x, y, training)
        q = self.posterior.distribution(params)
        stopped = None
        if estimator is not None and estimator.stops_density:
            stopped = self.posterior.distribution(tf.nest.map_structure(tf.stop_gradient, params))
        stop_samples = estimator is not None and estimator.stops_samples
        return self.terms_given(q, x, y, num_samples, seed, training, stopped, stop_samples)

    def terms_given(self, q, x, y, num_samples, seed, training, density=None, stop_samples=False):
        """`Terms` where q(z|x) is known already, as when the encoder runs once for many chunks.

        Args:
            density: what log q is taken of, where its parameters are held constant.
            stop_samples: hold z constant.
        """
        p = self.prior.distribution(y)
        z = q.sample(num_samples, seed=seed)  # [K, B, D]
        z = tf.nest.map_structure(tf.stop_gradient if stop_samples else tf.identity, z)
        params = self.decode_batch(z, y, training)
        likelihood = self.likelihood
        p_x = likelihood.training_distribution(params, x) if training else likelihood.distribution(params)
        # Where log q holds its parameters constant, a closed form would bring their gradient back.
        rate = closed_form_kl(q, p) if density is None else None
        density = q if density is None else density
        return Terms(p_x.log_prob(x), p.log_prob(z), density.log_prob(z), rate, z, q, p, seed)

    def closed_form_rate(self, q, y):
        """KL(q(z|x) || p(z)), `[B]`, or None where TFP has no closed form."""
        return closed_form_kl(q, self.prior.distribution(y))

    def encode_batch(self, x, y, training):
        """q(z|x)."""
        return self.posterior.distribution(self.encoder_params(x, y, training))

    def encoder_params(self, x, y, training):
        """The encoder's output, `[B, P]`, float32."""
        x = self.likelihood.encoder_view(tf.cast(x, tf.float32))
        return wiring.float32(self.encoder(wiring.network_input(x, y), training=training))

    def decode_batch(self, z, y, training):
        """Decoder output `[..., *params_shape]` for z `[..., D]` and y `[B, ...]`."""
        first = tf.nest.flatten(z)[0]
        leading = tf.shape(first)[:-1]
        flat = tf.nest.map_structure(lambda part: tf.reshape(part, [-1, part.shape[-1]]), z)
        if y is not None:
            copies = tf.size(first) // first.shape[-1] // tf.shape(y)[0]
            y = tf.tile(y, [copies] + [1] * (len(y.shape) - 1))
        params = wiring.float32(self.decoder(wiring.network_input(flat, y), training=training))
        if len(first.shape) == 2:
            return params
        return tf.reshape(params, tf.concat([leading, params.shape[1:]], axis=0))

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

    def _pages(self, n, seed, y, start, draw):
        seed = as_int32(np.random.randint(2**31) if seed is None else seed)
        check_range(start, n, sum(tf.nest.flatten(self.latent_dim)))
        y = self.condition(y)
        pages = []
        for first in range(0, n, _SAMPLE_PAGE):
            rows = tf.range(first, min(first + _SAMPLE_PAGE, n))
            noise = random.Stream(random.seed_key(seed), rows + as_int32(start))
            pages.append(self.generate(noise, None if y is None else tf.gather(y, rows), draw=draw))
        return tf.nest.map_structure(lambda *parts: tf.concat(parts, axis=0), *pages)

    def _seed_pair(self, seed, purpose):
        seed = np.random.randint(2**31) if seed is None else seed
        return tf.constant([as_int32(seed), purpose], tf.int32)

    def get_config(self):
        names = ("encoder", "decoder", "posterior", "prior", "likelihood", "objective", "estimator")
        pieces = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in names}
        shapes = {"event_shape": self.event_shape, "latent_dim": self.latent_dim}
        return {**super().get_config(), **pieces, **shapes, "seed": self.seed}

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
