"""Posteriors: encoder output -> q(z|x)."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._backend import register
from tfvae.pieces import Posterior

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

    def params_size(self, latent_dim):
        return 2 * latent_dim

    def distribution(self, params):
        loc, raw_scale = tf.split(params, 2, axis=-1)  # [B, D] each
        return tfd.Independent(tfd.Normal(loc, tf.nn.softplus(raw_scale) + _MIN_SCALE), 1)
