"""The standard normal prior."""

from typing import TYPE_CHECKING

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.ops.noise import NormalVector
from tfvae.priors.base import Prior

if TYPE_CHECKING:
    from tfvae.random import Stream

tfd = tfp.distributions


@register
class StandardNormal(Prior):
    """The standard normal prior, p(z) = N(0, I)."""

    factorized = True

    def build(self, latent_dim: int) -> None:
        """Keeps the latent size D; there are no weights."""
        self.latent_dim = int(latent_dim)
        self.built = True

    def distribution(self, y: tf.Tensor | None = None) -> tfp.distributions.Distribution:
        """Returns independent standard normals over `[D]`. y is not used."""
        zeros = tf.zeros([self.latent_dim])
        return NormalVector(tfd.Normal(zeros, tf.ones_like(zeros)), 1)

    def sample(self, noise: "Stream", y: tf.Tensor | None = None) -> tf.Tensor:
        """Draws standard normals.

        Args:
            noise: a stream of B samples.
            y: not used.

        Returns:
            z, `[B, D]`.
        """
        return noise.normal(self.latent_dim)  # [B, D]
