"""The uniform prior over the sphere."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.pieces import SPHERE
from tfvae.priors.base import Prior
from tfvae.validation import compatibility

tfd = tfp.distributions


@register
class UniformSphere(Prior):
    """p(z) uniform on the unit sphere of R^D [1], for `posteriors.VonMisesFisher`.

    Raises:
        InputError: D below 2.

    References:
        [1] Davidson et al., Hyperspherical Variational Auto-Encoders. UAI 2018. arXiv:1804.00891.
    """

    support = SPHERE

    def build(self, latent_dim):
        compatibility.check_sphere(latent_dim)
        self.latent_dim = int(latent_dim)
        self.built = True

    def distribution(self, y=None):
        return tfd.SphericalUniform(self.latent_dim)

    def sample(self, noise, y=None):
        z = noise.normal(self.latent_dim)
        return z / tf.sqrt(tf.reduce_sum(z * z, axis=-1, keepdims=True))
