"""Mixtures, and a mixture of normals."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import random
from tfvae._keras.backend import keras, register
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
        self.logits = self.add_weight(
            shape=(self.num_components,), initializer="zeros", name="logits"
        )
        self.loc = self.add_weight(shape=shape, initializer=initial, name="loc")
        # softplus(0.5413) = 1
        self.raw_scale = self.add_weight(
            shape=shape, initializer=keras.initializers.Constant(0.5413), name="raw_scale"
        )
        self.built = True

    def distribution(self, y=None):
        components = tfd.Independent(tfd.Normal(tf.cast(self.loc, tf.float32), self._scale()), 1)
        return tfd.MixtureSameFamily(
            tfd.Categorical(logits=tf.cast(self.logits, tf.float32)), components
        )

    def sample(self, noise, y=None):
        chosen = self.choose(noise, tf.nn.softmax(tf.cast(self.logits, tf.float32)))
        loc, scale = tf.cast(self.loc, tf.float32), self._scale()
        return tf.gather(loc, chosen) + tf.gather(scale, chosen) * noise.normal(self.latent_dim)

    def _scale(self):
        return tf.nn.softplus(tf.cast(self.raw_scale, tf.float32)) + _MIN_SCALE

    def get_config(self):
        return {
            **super().get_config(),
            "num_components": self.num_components,
            "spread": self.spread,
        }
