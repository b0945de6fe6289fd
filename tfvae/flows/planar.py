"""Flows of planar layers."""

import tensorflow as tf

from tfvae._keras.backend import keras, register
from tfvae.flows.base import Flow
from tfvae.validation import arguments


@register
class Planar(Flow):
    """Planar layers y = x + u tanh(w'x + b) [1], equation 10, made invertible as in its appendix A.1.

    In a posterior u, w and b are the encoder's for each example, by a linear map of the context.

    Args:
        num_layers: how many.

    Raises:
        InputError: num_layers below 1.

    References:
        [1] Rezende & Mohamed, Variational Inference with Normalizing Flows. ICML 2015. arXiv:1505.05770.
    """

    def __init__(self, num_layers=8, **kwargs):
        super().__init__(**kwargs)
        self.num_layers = arguments.whole_number("num_layers", num_layers, 1)

    def build(self, latent_dim, context_size=0):
        size = self.num_layers * (2 * latent_dim + 1)
        self.bias = self.add_weight(
            shape=(size,), initializer=keras.initializers.RandomNormal(stddev=0.1), name="bias"
        )
        if context_size:
            self.kernel = self.add_weight(
                shape=(context_size, size), initializer="zeros", name="kernel"
            )
        self.built = True

    def forward(self, x, context=None):
        log_det = 0.0
        for u, w, b in self._planes(context):
            a = tf.reduce_sum(w * x, axis=-1) + b
            x = x + u * tf.tanh(a)[..., None]
            log_det += _log_det(u, w, a)
        return x, log_det

    def inverse(self, y, context=None):
        log_det = 0.0
        for u, w, b in reversed(self._planes(context)):
            a = _root(tf.reduce_sum(w * y, axis=-1) + b, tf.reduce_sum(w * u, axis=-1))
            y = y - u * tf.tanh(a)[..., None]
            log_det -= _log_det(u, w, a)
        return y, log_det

    def _planes(self, context):
        """(u, w, b) of each layer, `[..., D]`, `[..., D]` and `[...]`."""
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
            # w'u > -1 is what makes the layer invertible; softplus(0.5413) = 1 leaves w'u = 0 as it is.
            u = u + (tf.nn.softplus(product + 0.5413) - 1.0 - product) * w / (squares + 1e-12)
            layers.append((u, w, b[..., 0]))
        return layers

    def get_config(self):
        return {**super().get_config(), "num_layers": self.num_layers}


def _log_det(u, w, a):
    return tf.math.log(1.0 + tf.reduce_sum(u * w, axis=-1) * (1.0 - tf.tanh(a) ** 2))


def _root(target, product):
    """a of a + product tanh(a) = target, which rises in a; with its gradient."""
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
