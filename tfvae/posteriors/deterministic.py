"""The posterior of a plain autoencoder."""

from typing import TYPE_CHECKING

import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.posteriors.base import Posterior

if TYPE_CHECKING:
    import tensorflow as tf

    from tfvae.random import Stream

tfd = tfp.distributions


@register
class Deterministic(Posterior):
    """The posterior of an autoencoder: z is the encoder's output, `[B, D]`.

    It serves regularized autoencoders [1] and the Wasserstein autoencoder (WAE) [2].

    There is no log q(z|x), and therefore no rate, bound or NLL. Objectives with a rate or a bound
    are refused at construction, and so is `log_likelihood`. The distortion remains,
    `ELBO(beta=0.0)`, and the regularizers that are added to it: `+ MMD()` or `+ LatentNorm()`.

    References:
        [1] Ghosh et al., From Variational to Deterministic Autoencoders. ICLR 2020.
            arXiv:1903.12436.
        [2] Tolstikhin et al., Wasserstein Auto-Encoders. ICLR 2018. arXiv:1711.01558.
    """

    has_density = False

    def params_size(self, latent_dim: int) -> int:
        """Returns D, since the encoder gives z itself."""
        return latent_dim

    def distribution(self, params: "tf.Tensor") -> tfp.distributions.Distribution:
        """Returns the distribution that puts all mass on the encoder's output, `[B, D]`."""
        return tfd.VectorDeterministic(params)

    def sample(self, params: "tf.Tensor", noise: "Stream") -> "tf.Tensor":
        """Returns the encoder's output, the only value of z.

        Args:
            params: the encoder's output, `[B, D]`.
            noise: not used.

        Returns:
            z, `[B, D]`.
        """
        return params

    def point_estimate(self, params: "tf.Tensor") -> "tf.Tensor":
        """Returns the encoder's output, `[B, D]`."""
        return params

    def encode_outputs(self, params: "tf.Tensor") -> "dict[str, tf.Tensor]":
        """Returns `{"loc": [B, D]}`, without a scale."""
        return {"loc": params}
