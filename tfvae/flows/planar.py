"""Flows of planar layers."""

from typing import Any

import tensorflow as tf

from tfvae._keras.backend import keras, register
from tfvae.flows.base import Flow
from tfvae.validation import arguments


@register
class Planar(Flow):
    """A flow of planar layers y = x + u tanh(w'x + b) [1], equation 10.

    The layers are made invertible as in appendix A.1 of [1]. In a posterior u, w and b differ
    for each example, by a linear map of the context.

    Args:
        num_layers: how many layers.

    Raises:
        InputError: a number of layers below 1.

    References:
        [1] Rezende & Mohamed, Variational Inference with Normalizing Flows. ICML 2015.
            arXiv:1505.05770.
    """

    def __init__(self, num_layers: int = 8, **kwargs: Any) -> None:
        """Checks the number of layers."""
        super().__init__(**kwargs)
        self.num_layers = arguments.whole_number("num_layers", num_layers, 1)

    def build(self, latent_dim: int, context_size: int = 0) -> None:
        """Creates u, w and b of each layer, and the map of the context that is added to them.

        Args:
            latent_dim: D.
            context_size: H; 0 without a context.
        """
        size = self.num_layers * (2 * latent_dim + 1)
        self.bias = self.add_weight(
            shape=(size,), initializer=keras.initializers.RandomNormal(stddev=0.1), name="bias"
        )
        if context_size:
            self.kernel = self.add_weight(
                shape=(context_size, size), initializer="zeros", name="kernel"
            )
        self.built = True

    def forward(
        self, x: tf.Tensor, context: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps x to y.

        Args:
            x: `[..., D]`.
            context: `[B, H]`, or None.

        Returns:
            y `[..., D]`, and log |det dy/dx| `[...]`.
        """
        log_det = 0.0
        for u, w, b in self._planes(context):
            a = tf.reduce_sum(w * x, axis=-1) + b
            x = x + u * tf.tanh(a)[..., None]
            log_det += _log_det(u, w, a)
        return x, log_det

    def inverse(
        self, y: tf.Tensor, context: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps y back to x, by root finding in each layer.

        Args:
            y: `[..., D]`.
            context: `[B, H]`, or None.

        Returns:
            x `[..., D]`, and log |det dx/dy| `[...]`.
        """
        log_det = 0.0
        for u, w, b in reversed(self._planes(context)):
            a = _root(tf.reduce_sum(w * y, axis=-1) + b, tf.reduce_sum(w * u, axis=-1))
            y = y - u * tf.tanh(a)[..., None]
            log_det -= _log_det(u, w, a)
        return y, log_det

    def _planes(self, context):
        """Returns (u, w, b) of each layer, `[..., D]`, `[..., D]` and `[...]`."""
        params = (
            self.bias.value
            if context is None
            else self.bias + tf.tensordot(context, self.kernel.value, 1)
        )
        latent_dim = (self.bias.shape[0] // self.num_layers - 1) // 2

        layers = []
        for part in tf.split(params, self.num_layers, axis=-1):
            u, w, b = tf.split(part, [latent_dim, latent_dim, 1], axis=-1)
            product, squares = (tf.reduce_sum(w * v, axis=-1, keepdims=True) for v in (u, w))
            # A layer is invertible if w'u > -1, which this ensures. Since softplus(0.5413) = 1,
            # w'u = 0 stays as it is.
            u = u + (tf.nn.softplus(product + 0.5413) - 1.0 - product) * w / (squares + 1e-12)
            layers.append((u, w, b[..., 0]))
        return layers

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "num_layers": self.num_layers}


def _log_det(u, w, a):
    """Computes log |det dy/dx| of a planar layer at a = w'x + b."""
    return tf.math.log(1.0 + tf.reduce_sum(u * w, axis=-1) * (1.0 - tf.tanh(a) ** 2))


def _root(target, product):
    """Solves a + product tanh(a) = target for a by bisection, since the left side rises in a.

    The gradient reaches both arguments.
    """
    low, high = target - tf.abs(product), target + tf.abs(product)
    for _ in range(30):
        middle = (low + high) / 2.0
        below = middle + product * tf.tanh(middle) < target
        low, high = tf.where(below, middle, low), tf.where(below, high, middle)

    a = tf.stop_gradient((low + high) / 2.0)
    # One Newton step from the root changes nothing but carries the gradient.
    return a - (a + product * tf.tanh(a) - target) / tf.stop_gradient(
        1.0 + product * (1.0 - tf.tanh(a) ** 2)
    )
