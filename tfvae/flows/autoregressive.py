"""Flows in which each number depends on those before it."""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from tfvae._keras.backend import register
from tfvae.flows.base import Conditioner, Stacked, broadcast_to_context


@register
class MaskedAutoregressive(Stacked):
    """The masked autoregressive flow (MAF) [1], equations 3 and 5.

    y_i = x_i exp(s_i(y_1 ... y_i-1)) + m_i(y_1 ... y_i-1), by a masked network (MADE [2]). The
    density of a y takes one pass, a sample takes D passes. The order of the latents is reversed
    from layer to layer.

    Args:
        num_layers: how many layers.
        hidden: widths of each layer's network.

    Raises:
        InputError: a number of layers or a width below 1.

    References:
        [1] Papamakarios et al., Masked Autoregressive Flow. NeurIPS 2017. arXiv:1705.07057.
        [2] Germain et al., MADE. ICML 2015. arXiv:1502.03509.
    """

    def __init__(self, num_layers: int = 2, hidden: Iterable[int] = (64,), **kwargs: Any) -> None:
        """Keeps the number of layers and the widths."""
        super().__init__(num_layers, hidden, **kwargs)

    def build(self, latent_dim: int, context_size: int = 0) -> None:
        """Creates a masked network for each layer.

        Args:
            latent_dim: D.
            context_size: H; 0 without a context.
        """
        self.networks = [Conditioner(self.hidden) for _ in range(self.num_layers)]
        for network in self.networks:
            network.build(latent_dim, latent_dim, context_size, autoregressive=True)
        self.built = True

    def forward(
        self, x: tf.Tensor, context: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps x to y in D passes.

        Args:
            x: `[..., D]`.
            context: `[B, H]`, or None.

        Returns:
            y `[..., D]`, and log |det dy/dx| `[...]`.
        """
        return self._sequential(x, context)

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
        return self._parallel(y, context)

    def _parallel(self, y, context):
        """Runs the direction in which all numbers are known, one pass a layer."""
        log_det = 0.0
        for network in reversed(self.networks):
            shift, log_scale = network.shift_and_log_scale(y, context)
            y = tf.reverse((y - shift) * tf.exp(-log_scale), axis=[-1])
            log_det -= tf.reduce_sum(log_scale, axis=-1)
        return y, log_det

    def _sequential(self, x, context):
        """Runs the direction in which each number needs those before it, D passes a layer."""
        log_det = 0.0
        x = broadcast_to_context(x, context)
        for network in self.networks:
            x = tf.reverse(x, axis=[-1])
            y = self._solve(network, x, context)
            # The last pass starts from the solution, and carries the log-determinant.
            shift, log_scale = network.shift_and_log_scale(y, context)
            x = x * tf.exp(log_scale) + shift
            log_det += tf.reduce_sum(log_scale, axis=-1)
        return x, log_det

    def _solve(self, network, x, context):
        """Solves y = x exp(s(y)) + m(y) for all but the last number, one more in each pass."""

        def one_pass(i, y):
            shift, log_scale = network.shift_and_log_scale(y, context)
            return i + 1, x * tf.exp(log_scale) + shift

        passes = x.shape[-1] - 1
        start = (tf.constant(0), tf.zeros_like(x))
        return tf.while_loop(lambda i, _: i < passes, one_pass, start, maximum_iterations=passes)[1]


@register
class InverseAutoregressive(MaskedAutoregressive):
    """The inverse autoregressive flow (IAF) [1], equation 10.

    It is `MaskedAutoregressive` with its two directions exchanged, so that a sample takes one
    pass. The density of a z that it has not just drawn takes D passes. This happens with
    VampPrior, or if an estimator holds log q constant.

    Args:
        num_layers: how many layers.
        hidden: widths of each layer's network.

    Raises:
        InputError: a number of layers or a width below 1.

    References:
        [1] Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow.
            NeurIPS 2016. arXiv:1606.04934.
    """

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
        return self._parallel(x, context)

    def inverse(
        self, y: tf.Tensor, context: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps y back to x in D passes.

        Args:
            y: `[..., D]`.
            context: `[B, H]`, or None.

        Returns:
            x `[..., D]`, and log |det dx/dy| `[...]`.
        """
        return self._sequential(y, context)
