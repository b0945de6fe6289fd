"""Priors over several layers of latents, z = [z_L, ..., z_1], with z_1 nearest the data."""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import random
from tfvae._keras.backend import keras, register
from tfvae.distributions.chains import Chain
from tfvae.errors import invalid
from tfvae.ops import networks, scales
from tfvae.ops.networks import in_mode
from tfvae.ops.noise import NormalVector
from tfvae.pieces import LAYERS, REAL
from tfvae.priors.base import Prior
from tfvae.priors.normal import StandardNormal
from tfvae.validation import arguments, compatibility, piece_arguments

tfd = tfp.distributions


@register
class Hierarchy(Prior):
    """The prior p(z_L) p(z_L-1|z_L) ... p(z_1|z_2) over layers [1, 2].

    Below the top, each layer is a diagonal normal given the layer above. The decoder takes z_1
    alone. It goes with `posteriors.BottomUp` [1] and `posteriors.Ladder` [2].

    Args:
        networks: Keras networks `[B, D_l+1] -> [B, 2 D_l]`, from the top. Each gives loc, then
            the inverse softplus of scale.
        top: p(z_L), a prior over real vectors that does not start from data; default
            `StandardNormal()`.

    Raises:
        InputError: no networks, networks that do not follow one another, or a top over other
            sets or from data.

    References:
        [1] Burda et al., Importance Weighted Autoencoders. ICLR 2016. arXiv:1509.00519.
        [2] Sonderby et al., Ladder Variational Autoencoders. NeurIPS 2016. arXiv:1602.02282.
    """

    support = LAYERS
    unbounded_params = "locations and scales before their softplus"

    def __init__(
        self, networks: Iterable[keras.Model], top: Prior | None = None, **kwargs: Any
    ) -> None:
        """Checks that there are networks, and the top."""
        super().__init__(**kwargs)
        piece_arguments.check_as("prior", "top", top)
        self.networks = arguments.listed("networks", networks)
        self.top = top or StandardNormal()
        self.networks_of_y = self.top.networks_of_y

        if self.top.support != REAL or self.top.starts_from_data:
            raise invalid(
                "a top over real vectors that does not start from data",
                repr(top),
                "pass top=GaussianMixture()",
            )
        if not self.networks:
            raise invalid(
                "networks from each layer to the one below",
                "none",
                "pass one network, or use StandardNormal()",
            )

    def latent_sizes(self, latent_dim: int) -> list[int]:
        """Returns the sizes of the layers, `[D_L, ..., D_1]`, for the decoder's size D_1."""
        return [network.input_shape[-1] for network in self.networks] + [latent_dim]

    def decoder_input(self, z: list[tf.Tensor]) -> tf.Tensor:
        """Returns z_1, the layer nearest the data, `[..., D_1]`."""
        return z[-1]

    def build(self, latent_dim: list[int]) -> None:
        """Builds the top, and checks that the networks lead from each layer to the one below.

        Args:
            latent_dim: sizes of the layers, the top layer first.

        Raises:
            InputError: networks of other sizes.
        """
        expected = [(above, 2 * below) for above, below in zip(latent_dim[:-1], latent_dim[1:])]
        compatibility.check_networks(self, self.networks, expected)
        self.top.build_once(latent_dim[0])
        self.built = True

    def conditional(
        self, layer: int, above: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns mean and standard deviation of p(z_layer | z_above).

        Args:
            layer: number of the layer, from 1; layer 0 is the top.
            above: the layer above it, `[..., D_above]`.
            training: True if the network runs as in training.

        Returns:
            Mean and standard deviation, `[..., D]` each.
        """
        return scales.of_layer(
            networks.apply_to_flattened(self.networks[layer - 1], above, training=training)
        )

    def distribution(
        self, y: tf.Tensor | None = None, training: bool = False
    ) -> tfp.distributions.Distribution:
        """Returns the joint distribution of the layers, the top layer first.

        Args:
            y: conditions `[B, ...]` for the top, or None.
            training: True if the networks run as in training.

        Returns:
            p(z) over the list `[[D_L], ..., [D_1]]`.
        """
        lower = [self._normal(layer) for layer in range(1, len(self.networks) + 1)]
        return Chain(in_mode(self.top.distribution, y, training=training), lower, training)

    def _normal(self, layer):
        return lambda above, training: NormalVector(
            tfd.Normal(*self.conditional(layer, above, training)), 1
        )

    def sample(self, noise: random.Stream, y: tf.Tensor | None = None) -> list[tf.Tensor]:
        """Draws the layers from the top downwards, each with noise of its own.

        Args:
            noise: a stream of B samples.
            y: conditions `[B, ...]` for the top, or None.

        Returns:
            `[[B, D_L], ..., [B, D_1]]`, the top layer first.
        """
        z = [self.top.sample(noise, y)]
        for layer in range(1, len(self.networks) + 1):
            loc, scale = self.conditional(layer, z[-1])
            z.append(
                loc
                + scale * noise.fold_in(random.TAGS["layer"]).fold_in(layer).normal(loc.shape[-1])
            )
        return z

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments, with networks and top serialized."""
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "networks": [serialize(n) for n in self.networks],
            "top": serialize(self.top),
        }
