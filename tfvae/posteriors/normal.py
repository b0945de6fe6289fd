"""Normal posteriors."""

import math
from typing import TYPE_CHECKING

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.distributions.full_normal import MultivariateNormalTriL
from tfvae.ops import scales
from tfvae.ops.noise import Normal, NormalVector
from tfvae.posteriors.base import Posterior

if TYPE_CHECKING:
    from tfvae.random import Stream


@register
class DiagonalNormal(Posterior):
    """The diagonal normal posterior, q(z|x) = N(loc, diag(scale^2)) [1], section 3.

    The encoder gives `[B, 2 D]`: loc, then the inverse softplus of scale. Scales are from 1e-4
    to 1e8.

    References:
        [1] Kingma & Welling, Auto-Encoding Variational Bayes. ICLR 2014. arXiv:1312.6114.
    """

    factorized = True
    unbounded_params = "locations and scales before their softplus"

    def params_size(self, latent_dim: int) -> int:
        """Returns 2 D, for loc and scale."""
        return 2 * latent_dim

    def distribution(self, params: tf.Tensor) -> tfp.distributions.Distribution:
        """Returns q(z|x), independent normals of batch `[B]` over `[D]`, for params `[B, 2 D]`."""
        return NormalVector(Normal(*self.loc_scale(params)), 1)

    def sample(self, params: tf.Tensor, noise: "Stream") -> tf.Tensor:
        """Draws z = loc + scale * noise.

        Args:
            params: the encoder's output, `[B, 2 D]`.
            noise: a stream of B samples.

        Returns:
            z, `[B, D]`.
        """
        loc, scale = self.loc_scale(params)
        return loc + scale * noise.normal(loc.shape[-1])

    def loc_scale(self, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns mean and standard deviation, `[..., D]` each, for params `[..., 2 D]`."""
        loc, raw_scale = tf.split(params, 2, axis=-1)  # [B, D] each
        return loc, scales.of(raw_scale)


@register
class FullNormal(Posterior):
    """The normal posterior with a full covariance, q(z|x) = N(loc, L L') [1], section 2.5.1.

    L is lower-triangular. The encoder gives `[B, D + D (D + 1) / 2]`: loc, then L in the order
    of TFP's `fill_triangular`. The diagonal of L passes through a softplus, and is from
    1e-4 to 1e8.

    References:
        [1] Kingma & Welling, An Introduction to Variational Autoencoders. 2019. arXiv:1906.02691.
    """

    unbounded_params = "locations and the numbers of L"

    def params_size(self, latent_dim: int) -> int:
        """Returns D + D (D + 1) / 2, for loc and L."""
        return latent_dim + latent_dim * (latent_dim + 1) // 2

    def distribution(self, params: tf.Tensor) -> tfp.distributions.Distribution:
        """Returns q(z|x), a multivariate normal of batch `[B]` over `[D]`, for params `[B, P]`."""
        return MultivariateNormalTriL(*self._loc_scale_tril(params))

    def sample(self, params: tf.Tensor, noise: "Stream") -> tf.Tensor:
        """Draws z = loc + L noise.

        Args:
            params: the encoder's output, `[B, P]`.
            noise: a stream of B samples.

        Returns:
            z, `[B, D]`.
        """
        loc, scale_tril = self._loc_scale_tril(params)
        return loc + tf.linalg.matvec(scale_tril, noise.normal(loc.shape[-1]))

    def encode_outputs(self, params: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns `{"loc": [B, D], "scale": [B, D]}`; scale is the latents' standard deviation."""
        loc, scale_tril = self._loc_scale_tril(params)
        return {"loc": loc, "scale": tf.sqrt(tf.reduce_sum(scale_tril**2, axis=-1))}

    def _loc_scale_tril(self, params):
        size = params.shape[-1]
        latent_dim = (math.isqrt(9 + 8 * size) - 3) // 2  # size = D + D (D + 1) / 2
        loc, raw = tf.split(params, [latent_dim, size - latent_dim], axis=-1)

        scale_tril = tfp.math.fill_triangular(raw)  # [B, D, D]
        # Not diag_part, which TFLite does not have.
        diagonal = scales.of(tf.reduce_sum(scale_tril * tf.eye(latent_dim), axis=-1))
        return loc, tf.linalg.set_diag(scale_tril, diagonal)
