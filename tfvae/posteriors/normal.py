"""Normal posteriors."""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.ops.noise import Normal, NormalVector
from tfvae.posteriors.base import Posterior

tfd = tfp.distributions

# Keeps log q finite where the encoder drives a scale to zero.
_MIN_SCALE = 1e-6


@register
class DiagonalNormal(Posterior):
    """q(z|x) = N(loc, diag(scale^2)), Kingma & Welling 2014 [1], section 3.

    The encoder gives `[B, 2 D]`: loc, then the inverse softplus of scale.

    References:
        [1] Auto-Encoding Variational Bayes. ICLR 2014. arXiv:1312.6114.
    """

    factorized = True

    def params_size(self, latent_dim):
        return 2 * latent_dim

    def distribution(self, params):
        return NormalVector(Normal(*self.loc_scale(params)), 1)

    def sample(self, params, noise):
        loc, scale = self.loc_scale(params)
        return loc + scale * noise.normal(loc.shape[-1])

    def loc_scale(self, params):
        """Mean and standard deviation, `[..., D]` each."""
        loc, raw_scale = tf.split(params, 2, axis=-1)  # [B, D] each
        return loc, tf.nn.softplus(raw_scale) + _MIN_SCALE


@register
class FullNormal(Posterior):
    """q(z|x) = N(loc, L L') with a lower-triangular L, Kingma & Welling 2019 [1], section 2.5.1.

    The encoder gives `[B, D + D (D + 1) / 2]`: loc, then L row by row as TFP's
    `fill_triangular` orders it, its diagonal through a softplus.

    References:
        [1] An Introduction to Variational Autoencoders. 2019. arXiv:1906.02691.
    """

    def params_size(self, latent_dim):
        return latent_dim + latent_dim * (latent_dim + 1) // 2

    def distribution(self, params):
        return tfd.MultivariateNormalTriL(*self._loc_scale_tril(params))

    def sample(self, params, noise):
        loc, scale_tril = self._loc_scale_tril(params)
        return loc + tf.linalg.matvec(scale_tril, noise.normal(loc.shape[-1]))

    def summary(self, params):
        loc, scale_tril = self._loc_scale_tril(params)
        return {"loc": loc, "scale": tf.sqrt(tf.reduce_sum(scale_tril**2, axis=-1))}

    def _loc_scale_tril(self, params):
        size = params.shape[-1]
        latent_dim = (math.isqrt(9 + 8 * size) - 3) // 2  # size = D + D (D + 1) / 2
        loc, raw = tf.split(params, [latent_dim, size - latent_dim], axis=-1)
        scale_tril = tfp.math.fill_triangular(raw)  # [B, D, D]
        # Not diag_part, which TFLite does not have.
        diagonal = (
            tf.nn.softplus(tf.reduce_sum(scale_tril * tf.eye(latent_dim), axis=-1)) + _MIN_SCALE
        )
        return loc, tf.linalg.set_diag(scale_tril, diagonal)


@tfd.RegisterKL(tfd.MultivariateNormalTriL, tfd.Independent)
def _kl_full_factorized(q, p, name=None):
    """KL of a full normal from a factorized one, which TFP has only between multivariate normals."""
    if not isinstance(p.distribution, tfd.Normal):
        raise NotImplementedError
    return q.kl_divergence(
        tfd.MultivariateNormalDiag(p.distribution.loc, p.distribution.scale), name=name
    )
