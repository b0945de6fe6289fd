"""The uniform prior over the sphere."""

from typing import TYPE_CHECKING

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.pieces import SPHERE
from tfvae.priors.base import Prior
from tfvae.validation import compatibility

if TYPE_CHECKING:
    from tfvae.random import Stream

tfd = tfp.distributions


@register
class UniformSphere(Prior):
    """The uniform prior on the unit sphere of R^D [1], for `posteriors.VonMisesFisher`.

    Raises:
        InputError: D below 2.

    References:
        [1] Davidson et al., Hyperspherical Variational Auto-Encoders. UAI 2018. arXiv:1804.00891.
    """

    support = SPHERE

    def build(self, latent_dim: int) -> None:
        """Keeps the latent size; there are no weights.

        Args:
            latent_dim: D.

        Raises:
            InputError: D below 2.
        """
        compatibility.check_sphere(latent_dim)
        self.latent_dim = int(latent_dim)
        self.built = True

    def distribution(self, y: tf.Tensor | None = None) -> tfp.distributions.Distribution:
        """Returns the uniform distribution on the sphere, over `[D]`. y is not used."""
        return tfd.SphericalUniform(self.latent_dim)

    def sample(self, noise: "Stream", y: tf.Tensor | None = None) -> tf.Tensor:
        """Draws normals, and scales them to length 1.

        Args:
            noise: a stream of B samples.
            y: not used.

        Returns:
            Unit vectors z, `[B, D]`.
        """
        z = noise.normal(self.latent_dim)
        return z / tf.sqrt(tf.reduce_sum(z * z, axis=-1, keepdims=True))
