"""Posteriors that transform a simpler posterior by a normalizing flow."""

from typing import TYPE_CHECKING, Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import keras, register
from tfvae.errors import invalid
from tfvae.flows import Flow as FlowMap
from tfvae.ops.networks import in_mode
from tfvae.pieces import REAL
from tfvae.posteriors.base import Posterior
from tfvae.posteriors.normal import DiagonalNormal
from tfvae.validation import arguments, piece_arguments

if TYPE_CHECKING:
    from tfvae.random import Stream

tfd = tfp.distributions


@register
class Flow(Posterior):
    """The posterior of z = flow(z_0; h(x)) with z_0 ~ base(x).

    Its density is log q(z) = log q_0(z_0) - log |det dz/dz_0| [1], equation 13. The encoder
    gives the parameters of the base, then `context_size` numbers h on which the flow depends:
    `[B, P_base + H]`. `location` is the flow of the base's location.

    Args:
        flow: a flow of `tfvae.flows`: `InverseAutoregressive()` [2], `Planar()` [1], `RealNVP()`.
        base: a posterior over real vectors; default `DiagonalNormal()`.
        context_size: H. With 0 the flow is the same for every x.

    Raises:
        InputError: a flow that is not of `tfvae.flows`, a base that has no density over real
            vectors, or a context size below 0.

    References:
        [1] Rezende & Mohamed, Variational Inference with Normalizing Flows. ICML 2015.
            arXiv:1505.05770.
        [2] Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow.
            NeurIPS 2016. arXiv:1606.04934.
    """

    def __init__(
        self,
        flow: FlowMap,
        base: Posterior | None = None,
        context_size: int = 16,
        **kwargs: Any,
    ) -> None:
        """Checks flow, base and context size."""
        super().__init__(**kwargs)
        piece_arguments.check_as("posterior", "base", base)
        self.flow = flow
        self.base = base or DiagonalNormal()
        self.context_size = arguments.whole_number("context_size", context_size, 0)
        self.unbounded_params = self.base.unbounded_params

        if not isinstance(flow, FlowMap):
            raise invalid("a flow of tfvae.flows", repr(flow), "pass flows.InverseAutoregressive()")
        if self.base.support != REAL or not self.base.has_density:
            raise invalid(
                "a base with a density over real vectors",
                repr(self.base),
                "pass base=DiagonalNormal()",
            )

    def build(self, latent_dim: int) -> None:
        """Builds base and flow for a latent of `latent_dim` numbers."""
        self.base.build_once(latent_dim)
        self.flow.build_once(latent_dim, self.context_size)
        self.built = True

    def params_size(self, latent_dim: int) -> int:
        """Returns P_base + H, for the base and the context."""
        return self.base.params_size(latent_dim) + self.context_size

    def distribution(
        self, params: tf.Tensor, training: bool = False
    ) -> tfp.distributions.Distribution:
        """Returns the base's distribution, transformed by the flow.

        Args:
            params: the encoder's output, `[B, P_base + H]`.
            training: True if networks of the base run as in training.

        Returns:
            q(z|x), of batch `[B]` over the latent `[D]`.
        """
        params, context = self._split(params)
        base = in_mode(self.base.distribution, params, training=training)
        return tfd.TransformedDistribution(base, self.flow.bijector(context))

    def sample(self, params: tf.Tensor, noise: "Stream") -> tf.Tensor:
        """Draws from the base, and maps the draw by the flow.

        Args:
            params: the encoder's output, `[B, P_base + H]`.
            noise: a stream of B samples.

        Returns:
            z, `[B, D]`.
        """
        params, context = self._split(params)
        return self.flow.forward(self.base.sample(params, noise), context)[0]

    def point_estimate(self, params: tf.Tensor) -> tf.Tensor:
        """Returns the flow of the base's location, `[B, D]`. In general it is not q's mean."""
        params, context = self._split(params)
        return self.flow.forward(self.base.point_estimate(params), context)[0]

    def encode_outputs(self, params: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns `{"loc": [B, D]}`, without a scale."""
        return {"loc": self.point_estimate(params)}

    def _split(self, params):
        """Splits params into the base's, `[B, P_base]`, and the context, `[B, H]` or None."""
        params, context = tf.split(
            params, [params.shape[-1] - self.context_size, self.context_size], axis=-1
        )
        return params, context if self.context_size else None

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments, with flow and base serialized."""
        serialize = keras.saving.serialize_keras_object
        pieces = {"flow": serialize(self.flow), "base": serialize(self.base)}
        return {**super().get_config(), **pieces, "context_size": self.context_size}
