"""The base classes of flows, and the network inside a layer."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.pieces import Piece
from tfvae.validation import arguments


class Flow(Piece):
    """The base class of flows, invertible maps with learned weights."""

    def build(self, latent_dim: int, context_size: int = 0) -> None:
        """Creates the weights.

        Args:
            latent_dim: D, how many numbers x has.
            context_size: H, how many numbers the context has; 0 without a context.

        Raises:
            NotImplementedError: the subclass does not define it.
        """
        raise NotImplementedError

    def forward(
        self, x: tf.Tensor, context: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps x to y.

        Args:
            x: `[..., D]`.
            context: `[B, H]`, or None.

        Returns:
            y `[..., D]`, and log |det dy/dx| `[...]`.

        Raises:
            NotImplementedError: the subclass does not define it.
        """
        raise NotImplementedError

    def inverse(
        self, y: tf.Tensor, context: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps y back to x.

        Args:
            y: `[..., D]`.
            context: `[B, H]`, or None.

        Returns:
            x `[..., D]`, and log |det dx/dy| `[...]`.

        Raises:
            NotImplementedError: the subclass does not define it.
        """
        raise NotImplementedError

    def bijector(self, context: tf.Tensor | None = None) -> tfp.bijectors.Bijector:
        """Returns this flow as a `tfp.bijectors.Bijector`, for a context `[B, H]` or None."""
        return _Bijector(self, context)


class _Bijector(tfp.bijectors.Bijector):
    """A flow with its context, in TFP's form."""

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
    """The base class of flows in layers, each with a network for shifts and log-scales.

    Args:
        num_layers: how many layers.
        hidden: widths of each layer's network.

    Raises:
        InputError: a number of layers or a width below 1.
    """

    def __init__(self, num_layers: int = 4, hidden: Iterable[int] = (64,), **kwargs: Any) -> None:
        """Checks the number of layers and the widths."""
        super().__init__(**kwargs)
        self.num_layers = arguments.whole_number("num_layers", num_layers, 1)
        self.hidden = tuple(
            arguments.whole_number("hidden", width, 1)
            for width in arguments.listed("hidden", hidden)
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "num_layers": self.num_layers, "hidden": self.hidden}


@register
class Conditioner(Piece):
    """A network from numbers of the latent, and a context, to shifts and bounded log-scales.

    Args:
        hidden: widths of the hidden layers.
    """

    LIMIT = 2.0  # the bound on the absolute value of a log-scale

    def __init__(self, hidden: Iterable[int], **kwargs: Any) -> None:
        """Keeps the widths."""
        super().__init__(**kwargs)
        self.hidden = tuple(hidden)

    def build(
        self,
        inputs: int,
        outputs: int = 0,
        context_size: int = 0,
        *,
        autoregressive: bool = False,
    ) -> None:
        """Creates the weights. The last layer starts at zero, and with it shift and log-scale.

        Args:
            inputs: how many numbers of the latent the network takes.
            outputs: how many numbers get a shift and a log-scale.
            context_size: H, how many numbers the context has; 0 without a context.
            autoregressive: True to mask the network, so that output i depends on the inputs
                before i alone.
        """
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

    def shift_and_log_scale(
        self, x: tf.Tensor, context: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Runs the network; the context is added to the first layer.

        Args:
            x: numbers of the latent, `[..., inputs]`.
            context: `[B, H]`, or None.

        Returns:
            Shift and log-scale, `[..., outputs]` each. The log-scale lies between -2 and 2.
        """
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


def made_masks(inputs: int, hidden: Sequence[int]) -> list[np.ndarray]:
    """Returns the masks of a network in which output i depends on the inputs before i alone [1].

    Args:
        inputs: how many numbers the network takes.
        hidden: widths of the hidden layers.

    Returns:
        A mask for each layer, float32 `[width before, width]`, 1 for a connection that stays. The
        last layer has two outputs for each input: all shifts, then all log-scales.

    References:
        [1] Germain et al., MADE. ICML 2015. arXiv:1502.03509.
    """
    degrees = [np.arange(1, inputs + 1)]
    for width in hidden:
        degrees.append(1 + np.arange(width) % max(1, inputs - 1))

    masks = [(a[:, None] <= b[None]) for a, b in zip(degrees[:-1], degrees[1:])]
    last = degrees[-1][:, None] < degrees[0][None]
    return [mask.astype(np.float32) for mask in masks] + [
        np.concatenate([last, last], axis=1).astype(np.float32)
    ]


def broadcast_to_context(x: tf.Tensor, context: tf.Tensor | None) -> tf.Tensor:
    """Returns x repeated along the rows of its context.

    Args:
        x: `[..., D]`.
        context: `[B, H]`, or None, which leaves x as it is.

    Returns:
        x, with the leading shape of x and context broadcast together.
    """
    return x if context is None else x + tf.zeros_like(context[..., :1])
