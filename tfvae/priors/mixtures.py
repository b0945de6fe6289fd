"""Mixture priors."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import random
from tfvae._keras.backend import keras, register
from tfvae.errors import invalid
from tfvae.ops import networks
from tfvae.priors.base import Prior
from tfvae.validation import arguments

tfd = tfp.distributions

_MIN_SCALE = 1e-6


class Mixture(Prior):
    """p(z) = sum_c weight_c component_c(z): the choice of the component, shared by its kinds."""

    def choose(self, noise, weights):
        """The component of each sample, int32 `[B]`, by inversion of the cumulative weights `[C]`."""
        u = noise.fold_in(random.TAGS["component"]).uniform(1)  # [B, 1]
        passed = u >= tf.cumsum(weights)[None, :-1]
        return tf.reduce_sum(tf.cast(passed, tf.int32), axis=1)


@register
class GaussianMixture(Mixture):
    """p(z) = sum_c softmax(logits)_c N(loc_c, diag(scale_c^2)), all learned.

    Args:
        num_components: C.
        spread: standard deviation of the first locations.

    Raises:
        InputError: fewer than one component, or a spread that is not positive.

    References:
        [1] Dilokthanakul et al., Deep Unsupervised Clustering with Gaussian Mixture VAEs. 2016. arXiv:1611.02648.
    """

    def __init__(self, num_components=10, spread=1.0, **kwargs):
        super().__init__(**kwargs)
        self.num_components = arguments.whole_number("num_components", num_components, 1)
        self.spread = arguments.positive_number("spread", spread)

    def build(self, latent_dim):
        self.latent_dim = int(latent_dim)
        shape = (self.num_components, self.latent_dim)
        initial = keras.initializers.RandomNormal(stddev=self.spread, seed=0)
        self.logits = self.add_weight(shape=(self.num_components,), initializer="zeros", name="logits")
        self.loc = self.add_weight(shape=shape, initializer=initial, name="loc")
        # softplus(0.5413) = 1
        self.raw_scale = self.add_weight(shape=shape, initializer=keras.initializers.Constant(0.5413), name="raw_scale")
        self.built = True

    def distribution(self, y=None):
        components = tfd.Independent(tfd.Normal(tf.cast(self.loc, tf.float32), self._scale()), 1)
        return tfd.MixtureSameFamily(tfd.Categorical(logits=tf.cast(self.logits, tf.float32)), components)

    def sample(self, noise, y=None):
        chosen = self.choose(noise, tf.nn.softmax(tf.cast(self.logits, tf.float32)))
        loc, scale = tf.cast(self.loc, tf.float32), self._scale()
        return tf.gather(loc, chosen) + tf.gather(scale, chosen) * noise.normal(self.latent_dim)

    def _scale(self):
        return tf.nn.softplus(tf.cast(self.raw_scale, tf.float32)) + _MIN_SCALE

    def get_config(self):
        return {**super().get_config(), "num_components": self.num_components, "spread": self.spread}


@register
class VampPrior(Mixture):
    """p(z) = 1/C sum_c q(z|u_c): the posterior of learned pseudo-inputs u [1], equation 9.

    The pseudo-inputs start as examples of the first data `fit` sees (a seeded choice), and
    stay within the likelihood's range of values. In a conditional model each keeps the
    condition of its example, and p(z) is the same for every y.

    On pseudo-inputs the encoder runs as in evaluation, and its penalties (`activity_regularizer`,
    `add_loss`) are those of x alone.

    Args:
        num_components: C.
        seed: of that choice.

    Raises:
        InputError: fewer than one component, or a posterior without a density, or of several layers.

    References:
        [1] Tomczak & Welling, VAE with a VampPrior. AISTATS 2018. arXiv:1705.07120.
    """

    starts_from_data = True

    def __init__(self, num_components=100, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.num_components = arguments.whole_number("num_components", num_components, 1)
        self.seed = arguments.whole_number("seed", seed, 0)

    def connect(self, vae):
        if not vae.posterior.has_density or isinstance(vae.latent_sizes, list):
            fix = "use GaussianMixture(), or ExPostMixture() after training"
            raise invalid("a posterior of one layer with a density, for VampPrior", repr(vae.posterior), fix)
        encoder, posterior, likelihood = parts = vae.encoder, vae.posterior, vae.likelihood
        if self.built:
            self._check_same(parts)
            return
        self.event_shape, self.condition_shape = vae.event_shape, vae.condition_shape
        self.support = posterior.support
        low, high = likelihood.value_range or (None, None)
        # Functions, since Keras would take a layer held here for a part of the prior
        self._parts = lambda: parts
        self._posterior = lambda: posterior

        def encode(x, y):
            x = x if low is None else tf.clip_by_value(x, low, high)
            with networks.beside_the_batch(encoder):
                return vae.encoder_params(x, None if y is None else vae.condition(y), False)

        self._encode = encode

    def _check_same(self, parts):
        """Refuses to be made of a second model's parts, which would change the first model's p(z)."""
        others = [type(new).__name__ for new, own in zip(parts, self._parts()) if new is not own]
        if others:
            raise invalid(
                "VampPrior in one model, whose encoder makes its components, or in models that share encoder and pieces",
                f"a second model with another {' and '.join(others)}",
                "make a new VampPrior() for each model",
            )

    def build(self, latent_dim):
        self.latent_dim = int(latent_dim)
        shape = (self.num_components, *self.event_shape)
        initial = keras.initializers.RandomUniform(0.0, 1.0, seed=self.seed)
        self.pseudo_inputs = self.add_weight(shape=shape, initializer=initial, name="pseudo_inputs")
        self.initialized = self.add_weight(shape=(), initializer="zeros", trainable=False, name="initialized")
        if self.condition_shape is not None:
            shape = (self.num_components, *self.condition_shape)
            self.pseudo_conditions = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="conditions")
        self.built = True

    def initialize(self, x, y=None):
        if x is None or self.initialized > 0:  # a generator has no examples to give away
            return
        rng = np.random.default_rng(self.seed)
        rows = rng.choice(len(x), self.num_components, replace=len(x) < self.num_components)
        self.pseudo_inputs.assign(np.asarray(x, np.float32)[rows])
        if self.condition_shape is not None:
            self.pseudo_conditions.assign(np.asarray(y, np.float32)[rows])
        self.initialized.assign(1.0)

    def distribution(self, y=None):
        uniform = tfd.Categorical(logits=tf.zeros([self.num_components]))
        return tfd.MixtureSameFamily(uniform, self._posterior().distribution(self._params()))

    def sample(self, noise, y=None):
        return self._sample(noise, self._params())

    def frozen(self):
        return _FrozenVamp(self)

    def _sample(self, noise, params):
        chosen = self.choose(noise, tf.fill([self.num_components], 1.0 / self.num_components))
        return self._posterior().sample(tf.gather(params, chosen), noise)

    def _params(self):
        y = None if self.condition_shape is None else self.pseudo_conditions.value
        return self._encode(tf.cast(self.pseudo_inputs, tf.float32), y)  # [C, P]

    def get_config(self):
        return {**super().get_config(), "num_components": self.num_components, "seed": self.seed}


class _FrozenVamp:
    """The sampler of a VampPrior whose components are numbers: the encoder need not go along."""

    def __init__(self, prior):
        self._prior, self._params = prior, prior._params().numpy()

    def sample(self, noise, y=None):
        return self._prior._sample(noise, tf.constant(self._params))
