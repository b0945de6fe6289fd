"""The VampPrior: a mixture of posteriors at pseudo-inputs."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import keras, register
from tfvae.errors import invalid
from tfvae.ops import networks
from tfvae.priors.mixture import Mixture
from tfvae.validation import arguments

tfd = tfp.distributions


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
            raise invalid(
                "a posterior of one layer with a density, for VampPrior", repr(vae.posterior), fix
            )
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
        self.initialized = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="initialized"
        )
        if self.condition_shape is not None:
            shape = (self.num_components, *self.condition_shape)
            self.pseudo_conditions = self.add_weight(
                shape=shape, initializer="zeros", trainable=False, name="conditions"
            )
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
