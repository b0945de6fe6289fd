"""The base class of priors."""

from typing import TYPE_CHECKING, Any

from tfvae.pieces import REAL, Piece

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import tensorflow as tf
    import tensorflow_probability as tfp

    from tfvae._keras.backend import keras
    from tfvae.models.vae import VAE
    from tfvae.random import Stream


class Prior(Piece):
    """The base class of priors p(z), each a density and a sampler that agrees with it.

    The sampler draws by the counter-based stream. A subclass defines `distribution` and `sample`.

    Attributes:
        support: the set in which z lies, in words. The posterior must have the same.
        starts_from_data: True if `fit` calls `initialize` before the first step.
        factorized: True if p(z) is a `tfd.Independent` over the latents.
        networks_of_y: the Keras networks that take y alone. The model builds them, and refuses
            those that take another y than its own.
    """

    support = REAL
    factorized = False
    starts_from_data = False
    networks_of_y: "Sequence[keras.Model | keras.Layer]" = ()

    def bind_to(self, vae: "VAE") -> None:
        """Prepares this prior for a model. Each `VAE` calls it before `build`.

        Priors that are made of parts of the model override it.

        Args:
            vae: the model, which has its networks and its posterior already.

        Raises:
            InputError: a second model with other parts, for a prior that is built with the parts
                of a first one.
        """

    def initialize(self, x: "np.ndarray | None", y: "np.ndarray | None" = None) -> None:
        """Starts the prior from data. `fit` calls it if `starts_from_data` is True.

        Args:
            x: examples, `[N, *event]`, or None if the data cannot be looked at beforehand.
            y: their conditions, `[N, ...]`, or None.
        """

    def latent_sizes(self, latent_dim: Any) -> Any:
        """Returns the sizes of z.

        Args:
            latent_dim: the size that the decoder takes, or a list of them for several layers.

        Returns:
            D, or a list with the size of each layer, the top layer first.
        """
        return latent_dim

    def decoder_input(self, z: "tf.Tensor | list[tf.Tensor]") -> "tf.Tensor | list[tf.Tensor]":
        """Returns the part of z that the decoder takes: by default all of it."""
        return z

    def for_export(self) -> Any:
        """Returns a sampler for export, with everything that draws share computed once.

        It has this prior's `sample`. By default it is this prior.
        """
        return self

    def distribution(self, y: "tf.Tensor | None" = None) -> "tfp.distributions.Distribution":
        """Returns p(z), a `tfd.Distribution` over the latent, of batch `[]`, or `[B]` given y.

        A prior with networks of its own also takes `training=False`, and runs them so.

        Args:
            y: conditions `[B, ...]`, or None.

        Raises:
            NotImplementedError: the subclass does not define it.
        """
        raise NotImplementedError

    def sample(
        self, noise: "Stream", y: "tf.Tensor | None" = None
    ) -> "tf.Tensor | list[tf.Tensor]":
        """Draws z from p(z) with the counter-based noise.

        Args:
            noise: a stream of B samples.
            y: conditions `[B, ...]`, or None.

        Returns:
            z, `[B, D]`, or a list with one tensor for each layer.

        Raises:
            NotImplementedError: the subclass does not define it.
        """
        raise NotImplementedError
