"""Priors: p(z) as a density, and as a sampler of the counter-based stream."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._backend import register
from tfvae.pieces import Prior

tfd = tfp.distributions


@register
class StandardNormal(Prior):
    """p(z) = N(0, I)."""

    def build(self, latent_dim):
        self.latent_dim = int(latent_dim)
        self.built = True

    def distribution(self, y=None):
        zeros = tf.zeros([self.latent_dim])
        return tfd.Independent(tfd.Normal(zeros, tf.ones_like(zeros)), 1)

    def sample(self, noise, y=None):
        return noise.normal(self.latent_dim)  # [B, D]
