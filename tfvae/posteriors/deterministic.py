"""The posterior of a plain autoencoder."""

import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.posteriors.base import Posterior

tfd = tfp.distributions


@register
class Deterministic(Posterior):
    """z = the encoder's output, `[B, D]`: an autoencoder, as regularized ones [1] and WAE [2] are.

    There is no log q(z|x), hence no rate, bound or NLL: objectives that hold one are refused
    at construction, and so is `log_likelihood`. What remains is the distortion,
    `ELBO(beta=0.0)`, and what is added to it: `+ MMD()` or `+ LatentNorm()`.

    References:
        [1] Ghosh et al., From Variational to Deterministic Autoencoders. ICLR 2020. arXiv:1903.12436.
        [2] Tolstikhin et al., Wasserstein Auto-Encoders. ICLR 2018. arXiv:1711.01558.
    """

    has_density = False

    def params_size(self, latent_dim):
        return latent_dim

    def distribution(self, params):
        return tfd.VectorDeterministic(params)

    def sample(self, params, noise):
        return params

    def location(self, params):
        return params

    def summary(self, params):
        return {"loc": params}
