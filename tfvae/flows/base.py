"""What flows are made of."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.pieces import Piece
from tfvae.validation import arguments


class Flow(Piece):
    """An invertible map with learned weights."""

    def build(self, latent_dim, context_size=0):
        """Creates weights for x of `latent_dim` numbers and `context_size` numbers of context."""
        raise NotImplementedError

    def forward(self, x, context=None):
        """x `[..., D]` -> (y `[..., D]`, log |det dy/dx| `[...]`)."""
        raise NotImplementedError

    def inverse(self, y, context=None):
        """y `[..., D]` -> (x `[..., D]`, log |det dx/dy| `[...]`)."""
        raise NotImplementedError

    def bijector(self, context=None):
        """The same as a `tfp.bijectors.Bijector`, for a context `[B, H]`."""
        return _Bijector(self, context)


class _Bijector(tfp.bijectors.Bijector):
    def __init__(self, flow, context):
        super().__init__(forward_min_event_ndims=1, dtype=tf.float32, name="flow")
        self._flow, self._context = flow, context

    def _forward(self, x):
        return self._flow.forward(x, self._context)[0]

    def _inverse(self, y):
        return self._flow.inverse(y, self._context)[0]

    def _forward_log_det_jacobian(self, x):
        return self._flow.forward(x, self._context)[1]

    def _inverse_log_det_jacobian(self, y):
        return self._flow.inverse(y, self._context)[1]


class Stacked(Flow):
    """Layers of one kind, each with a small network that gives shifts and log-scales."""

    def __init__(self, num_layers=4, hidden=(64,), **kwargs):
        super().__init__(**kwargs)
        self.num_layers = arguments.whole_number("num_layers", num_layers, 1)
        self.hidden = tuple(arguments.whole_number("hidden", width, 1) for width in hidden)

    def get_config(self):
        return {**super().get_config(), "num_layers": self.num_layers, "hidden": self.hidden}


@register
class Conditioner(Piece):
    """A network from numbers of the latent, and a context, to a shift and a bounded log-scale for each of `outputs`."""

    LIMIT = 2.0  # of a log-scale

    def __init__(self, hidden, **kwargs):
        super().__init__(**kwargs)
        self.hidden = tuple(hidden)

    def build(self, inputs, outputs=0, context_size=0, *, autoregressive=False):
        sizes = [inputs, *self.hidden, 2 * outputs]
        self.masks = (
            made_masks(inputs, self.hidden) if autoregressive else [None] * (len(sizes) - 1)
        )
        self.kernels, self.biases = [], []
        for i, shape in enumerate(zip(sizes[:-1], sizes[1:])):
            initial = "zeros" if i == len(sizes) - 2 else "glorot_uniform"
            self.kernels.append(
                self.add_weight(shape=shape, initializer=initial, name=f"kernel_{i}")
            )
            self.biases.append(
                self.add_weight(shape=shape[1:], initializer="zeros", name=f"bias_{i}")
            )
        if context_size:
            initial = "zeros" if len(sizes) == 2 else "glorot_uniform"
            self.context_kernel = self.add_weight(
                shape=(context_size, sizes[1]), initializer=initial, name="context"
            )
        self.built = True

    def shift_and_log_scale(self, x, context):
        for i, (kernel, bias, mask) in enumerate(zip(self.kernels, self.biases, self.masks)):
            x = (
                tf.tensordot(
                    tf.tanh(x) if i else x, kernel.value if mask is None else kernel.value * mask, 1
                )
                + bias
            )
            if i == 0 and context is not None:
                x += tf.tensordot(context, self.context_kernel.value, 1)
        shift, raw = tf.split(x, 2, axis=-1)
        return shift, self.LIMIT * tf.tanh(raw / self.LIMIT)


def made_masks(inputs, hidden):
    """Which connections leave output i a function of the inputs before i."""
    degrees = [np.arange(1, inputs + 1)]
    for width in hidden:
        degrees.append(1 + np.arange(width) % max(1, inputs - 1))
    masks = [(a[:, None] <= b[None]) for a, b in zip(degrees[:-1], degrees[1:])]
    last = degrees[-1][:, None] < degrees[0][None]
    return [mask.astype(np.float32) for mask in masks] + [
        np.concatenate([last, last], axis=1).astype(np.float32)
    ]


def with_rows_of(x, context):
    """x with the leading shape that it has once it meets its context."""
    return x if context is None else x + tf.zeros_like(context[..., :1])
