"""Flows of coupling layers."""

import tensorflow as tf

from tfvae._keras.backend import register
from tfvae.errors import invalid
from tfvae.flows.base import Conditioner, Stacked, broadcast_to_context


@register
class RealNVP(Stacked):
    """A flow of affine coupling layers [1], equations 7 and 8.

    In each layer one half of the latent scales and shifts the other. The halves take turns.

    Args:
        num_layers: how many layers, at least 2 to change every number.
        hidden: widths of each layer's network.

    Raises:
        InputError: a number of layers or a width below 1, or a latent of one number.

    References:
        [1] Dinh et al., Density estimation using Real NVP. ICLR 2017. arXiv:1605.08803.
    """

    def build(self, latent_dim: int, context_size: int = 0) -> None:
        """Creates a network for each layer.

        Args:
            latent_dim: D.
            context_size: H; 0 without a context.

        Raises:
            InputError: D below 2.
        """
        if latent_dim < 2:
            raise invalid(
                "a latent of at least 2 numbers for RealNVP",
                f"latent size {latent_dim}",
                "use Planar()",
            )
        halves = latent_dim // 2, latent_dim - latent_dim // 2
        self.networks = [Conditioner(self.hidden) for _ in range(self.num_layers)]
        for i, network in enumerate(self.networks):
            network.build(halves[i % 2], halves[1 - i % 2], context_size)
        self.built = True

    def forward(
        self, x: tf.Tensor, context: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps x to y in one pass.

        Args:
            x: `[..., D]`.
            context: `[B, H]`, or None.

        Returns:
            y `[..., D]`, and log |det dy/dx| `[...]`.
        """
        return self._run(
            x,
            context,
            range(self.num_layers),
            lambda b, shift, scale: b * tf.exp(scale) + shift,
            1.0,
        )

    def inverse(
        self, y: tf.Tensor, context: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps y back to x in one pass.

        Args:
            y: `[..., D]`.
            context: `[B, H]`, or None.

        Returns:
            x `[..., D]`, and log |det dx/dy| `[...]`.
        """
        layers = reversed(range(self.num_layers))
        return self._run(
            y, context, layers, lambda b, shift, scale: (b - shift) * tf.exp(-scale), -1.0
        )

    def _run(self, x, context, layers, change, sign):
        """Runs `layers` in this order; each sets one half to `change(half, shift, log_scale)`."""
        x = broadcast_to_context(x, context)
        halves = list(tf.split(x, [x.shape[-1] // 2, x.shape[-1] - x.shape[-1] // 2], axis=-1))
        log_det = 0.0
        for i in layers:
            shift, log_scale = self.networks[i].shift_and_log_scale(halves[i % 2], context)
            halves[1 - i % 2] = change(halves[1 - i % 2], shift, log_scale)
            log_det += sign * tf.reduce_sum(log_scale, axis=-1)
        return tf.concat(halves, axis=-1), log_det
