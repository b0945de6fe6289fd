"""The standard normal prior."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.ops.noise import NormalVector
from tfvae.priors.base import Prior

tfd = tfp.distributions


@register
class StandardNormal(Prior):
    """p(z) = N(0, I)."""

    factorized = True

    def build(self, latent_dim):
        self.latent_dim = int(latent_dim)
        self.built = True

    def distribution(self, y=None):
        zeros = tf.zeros([self.latent_dim])
        return NormalVector(tfd.Normal(zeros, tf.ones_like(zeros)), 1)

    def sample(self, noise, y=None):
        return noise.normal(self.latent_dim)  # [B, D]
