"""Priors that transform a simpler prior by a normalizing flow."""

from typing import TYPE_CHECKING, Any

import tensorflow_probability as tfp

from tfvae._keras.backend import keras, register
from tfvae.errors import invalid
from tfvae.flows import Flow as FlowMap
from tfvae.ops.networks import in_mode
from tfvae.pieces import REAL
from tfvae.priors.base import Prior
from tfvae.priors.normal import StandardNormal
from tfvae.validation import piece_arguments

if TYPE_CHECKING:
    import tensorflow as tf

    from tfvae.random import Stream

tfd = tfp.distributions


@register
class Flow(Prior):
    """The prior of z = flow(z_0) with z_0 ~ base.

    Its density is log p(z) = log p_0(z_0) + log |det dz_0/dz|.

    Args:
        flow: a flow of `tfvae.flows`. `RealNVP()` [1] takes one pass both ways. With
            `MaskedAutoregressive()` [2] a sample takes D passes. With `InverseAutoregressive()`
            a density takes D passes.
        base: a prior over real vectors that does not start from data; default `StandardNormal()`.

    Raises:
        InputError: a flow that is not of `tfvae.flows`, or a base over other sets or from data.

    References:
        [1] Dinh et al., Density estimation using Real NVP. ICLR 2017. arXiv:1605.08803.
        [2] Papamakarios et al., Masked Autoregressive Flow. NeurIPS 2017. arXiv:1705.07057.
    """

    def __init__(self, flow: FlowMap, base: Prior | None = None, **kwargs: Any) -> None:
        """Checks flow and base."""
        super().__init__(**kwargs)
        piece_arguments.check_as("prior", "base", base)
        self.flow = flow
        self.base = base or StandardNormal()
        self.networks_of_y = self.base.networks_of_y

        if not isinstance(flow, FlowMap):
            raise invalid("a flow of tfvae.flows", repr(flow), "pass flows.RealNVP()")
        if self.base.support != REAL or self.base.starts_from_data:
            raise invalid(
                "a base over real vectors without data",
                repr(self.base),
                "pass base=StandardNormal()",
            )

    def build(self, latent_dim: int) -> None:
        """Builds base and flow for a latent of `latent_dim` numbers."""
        self.base.build_once(latent_dim)
        self.flow.build_once(latent_dim, 0)
        self.built = True

    def distribution(
        self, y: "tf.Tensor | None" = None, training: bool = False
    ) -> tfp.distributions.Distribution:
        """Returns the base's distribution, transformed by the flow.

        Args:
            y: conditions `[B, ...]` for the base, or None.
            training: True if networks of the base run as in training.

        Returns:
            p(z) over `[D]`, of the base's batch.
        """
        return tfd.TransformedDistribution(
            in_mode(self.base.distribution, y, training=training), self.flow.bijector()
        )

    def sample(self, noise: "Stream", y: "tf.Tensor | None" = None) -> "tf.Tensor":
        """Draws from the base, and maps the draw by the flow.

        Args:
            noise: a stream of B samples.
            y: conditions `[B, ...]` for the base, or None.

        Returns:
            z, `[B, D]`.
        """
        return self.flow.forward(self.base.sample(noise, y))[0]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments, with flow and base serialized."""
        serialize = keras.saving.serialize_keras_object
        return {**super().get_config(), "flow": serialize(self.flow), "base": serialize(self.base)}
