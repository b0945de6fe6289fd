"""Flows in which each number depends on those before it."""

import tensorflow as tf

from tfvae._keras.backend import register
from tfvae.flows.base import Conditioner, Stacked, with_rows_of


@register
class MaskedAutoregressive(Stacked):
    """MAF [1]: y_i = x_i exp(s_i(y_1 ... y_i-1)) + m_i(y_1 ... y_i-1), by a masked network (MADE [2]).

    The density of a y takes one pass, a sample D of them. The order of the latents is
    reversed from layer to layer.

    Args:
        num_layers: how many.
        hidden: widths of each layer's network.

    Raises:
        InputError: num_layers below 1.

    References:
        [1] Papamakarios et al., Masked Autoregressive Flow. NeurIPS 2017. arXiv:1705.07057, equations 3 and 5.
        [2] Germain et al., MADE. ICML 2015. arXiv:1502.03509.
    """

    def __init__(self, num_layers=2, hidden=(64,), **kwargs):
        super().__init__(num_layers, hidden, **kwargs)

    def build(self, latent_dim, context_size=0):
        self.networks = [Conditioner(self.hidden) for _ in range(self.num_layers)]
        for network in self.networks:
            network.build(latent_dim, latent_dim, context_size, autoregressive=True)
        self.built = True

    def forward(self, x, context=None):
        return self._sequential(x, context)

    def inverse(self, y, context=None):
        return self._parallel(y, context)

    def _parallel(self, y, context):
        """The direction in which every number depends on known ones."""
        log_det = 0.0
        for network in reversed(self.networks):
            shift, log_scale = network.shift_and_log_scale(y, context)
            y = tf.reverse((y - shift) * tf.exp(-log_scale), axis=[-1])
            log_det -= tf.reduce_sum(log_scale, axis=-1)
        return y, log_det

    def _sequential(self, x, context):
        log_det = 0.0
        x = with_rows_of(x, context)
        for network in self.networks:
            x = tf.reverse(x, axis=[-1])
            y = self._solve(network, x, context)
            # One pass more, from the solution, carries the log-determinant.
            shift, log_scale = network.shift_and_log_scale(y, context)
            x = x * tf.exp(log_scale) + shift
            log_det += tf.reduce_sum(log_scale, axis=-1)
        return x, log_det

    def _solve(self, network, x, context):
        """The fixed point of y = x exp(s(y)) + m(y): each pass gets one more number right."""

        def one_pass(i, y):
            shift, log_scale = network.shift_and_log_scale(y, context)
            return i + 1, x * tf.exp(log_scale) + shift

        passes = x.shape[-1] - 1
        start = (tf.constant(0), tf.zeros_like(x))
        return tf.while_loop(lambda i, _: i < passes, one_pass, start, maximum_iterations=passes)[1]


@register
class InverseAutoregressive(MaskedAutoregressive):
    """IAF [1], equation 10: `MaskedAutoregressive` the other way around, whose samples take one pass.

    Arguments and errors as there. The density of a z that it has not drawn itself takes D
    passes: with VampPrior, or where an estimator holds log q constant.

    References:
        [1] Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow. NeurIPS 2016.
            arXiv:1606.04934.
    """

    def forward(self, x, context=None):
        return self._parallel(x, context)

    def inverse(self, y, context=None):
        return self._sequential(y, context)
