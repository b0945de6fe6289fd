"""The base class of posteriors."""

from typing import TYPE_CHECKING, Any

from tfvae.pieces import REAL, Piece

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf
    import tensorflow_probability as tfp

    from tfvae.models.vae import VAE
    from tfvae.random import Stream


class Posterior(Piece):
    """The base class of posteriors, which make q(z|x) from the encoder's output.

    A subclass defines `params_size` and `distribution`. It also defines `sample` if its exported
    models draw from q(z|x).

    Attributes:
        support: the set in which z lies, in words. The prior must have the same.
        factorized: True if q(z|x) is a `tfd.Independent` over the latents. Some objectives
            need the term of each latent.
        reparameterized: True if the gradient of a sample reaches the parameters.
        has_density: True if log q(z|x) exists. Without it there is no bound.
    """

    support = REAL
    factorized = False
    reparameterized = True
    has_density = True

    def bind_to(self, vae: "VAE") -> "Posterior | None":
        """Prepares this posterior for a model. Each `VAE` calls it before `build`.

        Posteriors that share networks with the prior override it.

        Args:
            vae: the model, which has its prior already.

        Returns:
            The posterior for this model, or None for this posterior itself. A posterior that
            is built for one model may return a new one for a second model. The numbers of the
            first model then stay as they are.
        """

    def params_size(self, latent_dim: Any) -> Any:
        """Returns the number of values that the encoder gives for each example.

        Args:
            latent_dim: D, or for several layers a list of their sizes, the top layer first.

        Returns:
            P, or a list of such numbers if the encoder has one output for each layer.

        Raises:
            NotImplementedError: the subclass does not define it.
        """
        raise NotImplementedError

    def distribution(
        self, params: "tf.Tensor | list[tf.Tensor]"
    ) -> "tfp.distributions.Distribution":
        """Returns q(z|x), a `tfd.Distribution` of batch `[B]` over the latent `[D]`.

        A posterior with networks of its own also takes `training=False`, and runs them so.

        Args:
            params: the encoder's output, `[B, P]`.

        Raises:
            NotImplementedError: the subclass does not define it.
        """
        raise NotImplementedError

    def sample(
        self, params: "tf.Tensor | list[tf.Tensor]", noise: "Stream"
    ) -> "tf.Tensor | list[tf.Tensor]":
        """Draws z from q(z|x) with the counter-based noise.

        Args:
            params: the encoder's output, `[B, P]`.
            noise: a stream of B samples.

        Returns:
            z, `[B, D]`, or a list with one tensor for each layer.

        Raises:
            NotImplementedError: the subclass does not define it.
        """
        raise NotImplementedError

    def point_estimate(
        self, params: "tf.Tensor | list[tf.Tensor]"
    ) -> "tf.Tensor | list[tf.Tensor]":
        """Returns the z that reconstructions take for q(z|x): by default its mean.

        Args:
            params: the encoder's output, `[B, P]`.

        Returns:
            z, `[B, D]`, or a list with one tensor for each layer.
        """
        return self.distribution(params).mean()

    def encode_outputs(self, params: "tf.Tensor | list[tf.Tensor]") -> "dict[str, tf.Tensor]":
        """Returns the numbers that `encode` gives on a device.

        Args:
            params: the encoder's output, `[B, P]`.

        Returns:
            `{"loc": [B, D], "scale": [B, D]}`, mean and standard deviation.
        """
        return {"loc": self.point_estimate(params), "scale": self.distribution(params).stddev()}

    def interpolate(self, a: "tf.Tensor", b: "tf.Tensor", weight: "tf.Tensor") -> "tf.Tensor":
        """Returns the latent a share of the way from one latent to another, to interpolate.

        Args:
            a: the latent at weight 0, `[B, D]`.
            b: the latent at weight 1, `[B, D]`.
            weight: the share, `[B, 1]`.

        Returns:
            The latent between them, `[B, D]`.
        """
        return a + weight * (b - a)

    def num_values(self, latent_dim: Any) -> int | None:
        """Returns how many values z can take, or None if they cannot be counted.

        Args:
            latent_dim: D, or for several layers a list of their sizes.
        """
        values = self.enumerate_support(latent_dim)
        return None if values is None else len(values)

    def enumerate_support(self, latent_dim: Any) -> "np.ndarray | None":  # type: ignore[return]
        """Returns every value that z can take.

        Args:
            latent_dim: D, or for several layers a list of their sizes.

        Returns:
            The S values, `[S, D]`, or None if they cannot be counted.
        """
        del latent_dim
