"""A mixture of discretized logistics for images with coupled channels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.errors import invalid
from tfvae.likelihoods.discretized_logistic import (
    EightBitLikelihood,
    clipped_mean,
    levels_log_prob,
    nearest_level,
    uniforms,
)
from tfvae.ops import inverse_cdf
from tfvae.validation import arguments

if TYPE_CHECKING:
    from tfvae.random import Stream

tfd = tfp.distributions


@register
class DiscretizedLogisticMixture(EightBitLikelihood):
    """p(x|z) = prod_pixels sum_m weight_m prod_c P(x_c; loc_mc, scale_mc), for 8-bit images.

    P is the probability of a level under `DiscretizedLogistic` ([1], equation 3). The channels
    of a pixel share the component. Each channel is shifted by the channels before it:

        loc_mc = 0.5 + mean_mc + sum_{j < c} tanh(k_mcj) (x_j - 0.5)

    The decoder's last axis holds, in this order and each for M components: the logits of the
    weights, the means of the channels, their log-scales, the k of channel 1, of channel 2, ...
    A mean of 0 is mid-grey, and a log-scale of 0 is a scale of 1/2. In [1] the data lie in
    [-1, 1]: means and scales are then twice as large, and the model is the same.

    Args:
        num_components: M, the components of each pixel.

    Raises:
        InputError: fewer than one component, or events that are not images (H, W, C).

    References:
        [1] Salimans et al., PixelCNN++. ICLR 2017. arXiv:1701.05517.
    """

    unbounded_params = "logits, means and log-scales"

    def __init__(self, num_components: int = 10, **kwargs: Any) -> None:
        """Checks the number of components; see the class for the argument."""
        super().__init__(**kwargs)
        self.num_components = arguments.whole_number("num_components", num_components, 1)

    def params_shape(self, event_shape: Sequence[int]) -> tuple[int, ...]:
        """Returns `(H, W, P)`, P numbers per pixel.

        Raises:
            InputError: events that are not images (H, W, C).
        """
        if len(event_shape) != 3:
            raise invalid(
                "images of shape (H, W, C) for DiscretizedLogisticMixture",
                f"events of shape {tuple(event_shape)}",
                "give grey images a channel, x[..., None], or use DiscretizedLogistic()",
            )
        height, width, channels = event_shape
        return height, width, self.num_components * _rows(channels)

    def build(self, event_shape: tuple[int, ...]) -> None:
        """Keeps the number of channels.

        Raises:
            InputError: events that are not images (H, W, C).
        """
        self.params_shape(event_shape)
        self.channels = event_shape[-1]
        self.built = True

    def kept(self, event_shape: tuple[int, ...]) -> int | tuple[int, ...]:
        """Returns the number of channels, so that images of other sizes may share this piece."""
        return event_shape[-1]

    def distribution(self, params: tf.Tensor) -> tfp.distributions.Distribution:
        """Returns the mixture over images, for params `[..., H, W, P]`."""
        return _LevelsMixture(params, self.channels)

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        """Computes the weighted mean of the components, given the means of earlier channels.

        It differs from E[x|z] for two reasons: levels are rounded, and clipping at 0 and 1 makes
        a channel's mean a nonlinear function of the channels before it.
        """
        return _Pixels.read(params, self.channels).mean()

    def draw(self, params: tf.Tensor, noise: "Stream") -> tf.Tensor:
        """Draws images with 1 + C uniforms per pixel, one for the component.

        Args:
            params: the decoder's output, `[B, H, W, P]`.
            noise: noise of B samples.

        Returns:
            Multiples of 1/255 from 0 to 1, `[B, H, W, C]`.
        """
        height, width = params.shape[1:3]
        u = noise.uniform(height * width * (1 + self.channels))
        return _Pixels.read(params, self.channels).draw(
            tf.reshape(u, [-1, height, width, 1 + self.channels])
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make an equal piece."""
        return {**super().get_config(), "num_components": self.num_components}


class _Pixels(NamedTuple):
    """The parameters of a mixture, tensors `[..., H, W, M]`.

    Attributes:
        logits: of the weights.
        means: one tensor per channel.
        scales: one tensor per channel.
        couplings: tanh(k), one tensor per pair of channels.
    """

    logits: tf.Tensor
    means: list[tf.Tensor]
    scales: list[tf.Tensor]
    couplings: list[tf.Tensor]

    @classmethod
    def read(cls, params: tf.Tensor, channels: int) -> "_Pixels":
        """Reads the decoder's output.

        Args:
            params: `[..., H, W, P]`.
            channels: C.
        """
        logits, *rest = tf.split(params, _rows(channels), axis=-1)
        means, log_scales, couplings = (
            rest[:channels],
            rest[channels : 2 * channels],
            rest[2 * channels :],
        )

        scales = [0.5 * tf.exp(tf.clip_by_value(s, -7.0, 7.0)) for s in log_scales]
        return cls(logits, means, scales, [tf.tanh(k) for k in couplings])

    def loc(self, channel: int, earlier: Sequence[tf.Tensor]) -> tf.Tensor:
        """Computes the locations of the components in one channel.

        Args:
            channel: the number of the channel, from 0.
            earlier: values of the channels before it, each `[..., H, W, 1]` or `[..., H, W, M]`.
                Values of further channels are ignored.

        Returns:
            Locations, `[..., H, W, M]`.
        """
        first = channel * (channel - 1) // 2
        couplings = self.couplings[first : first + channel]
        return 0.5 + self.means[channel] + sum(k * (x - 0.5) for k, x in zip(couplings, earlier))

    def log_prob(self, x: tf.Tensor) -> tf.Tensor:
        """Computes log p in nats of each pixel, `[..., H, W]`, for images `[..., H, W, C]`."""
        x = tf.split(x, len(self.means), axis=-1)
        log_probs = [
            levels_log_prob(x[c], self.loc(c, x), scale) for c, scale in enumerate(self.scales)
        ]
        return tf.reduce_logsumexp(tf.nn.log_softmax(self.logits) + sum(log_probs), axis=-1)

    def draw(self, u: tf.Tensor) -> tf.Tensor:
        """Draws images `[..., H, W, C]` from uniforms `[..., H, W, 1 + C]`."""
        choice, *u = tf.split(u, 1 + len(self.means), axis=-1)
        chosen = inverse_cdf.one_hot(tf.nn.softmax(self.logits), choice)
        x: list = []
        for channel, scale in enumerate(self.scales):
            drawn = self.loc(channel, x) + scale * inverse_cdf.logistic(u[channel])
            x.append(nearest_level(tf.reduce_sum(chosen * drawn, axis=-1, keepdims=True)))
        return tf.concat(x, axis=-1)

    def mean(self) -> tf.Tensor:
        """Computes the weighted means, `[..., H, W, C]`, given the means of earlier channels."""
        weights = tf.nn.softmax(self.logits)
        means: list = []
        for channel, scale in enumerate(self.scales):
            means.append(clipped_mean(self.loc(channel, means), scale))
        return tf.concat(
            [tf.reduce_sum(weights * mean, axis=-1, keepdims=True) for mean in means], axis=-1
        )


class _LevelsMixture(tfp.distributions.Distribution):
    """The mixture over images, with the decoder's output `[..., H, W, P]` as parameters."""

    def __init__(self, params, channels):
        self.params, self.channels = tf.convert_to_tensor(params), channels
        parameters = {"params": params, "channels": channels}
        super().__init__(self.params.dtype, tfd.NOT_REPARAMETERIZED, False, True, parameters)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None) -> dict[str, Any]:
        return {"params": tfp.util.ParameterProperties(event_ndims=3)}

    def _event_shape(self):
        return self.params.shape[-3:-1] + [self.channels]

    def _log_prob(self, x):
        return tf.reduce_sum(_Pixels.read(self.params, self.channels).log_prob(x), axis=[-2, -1])

    def _mean(self):
        return _Pixels.read(self.params, self.channels).mean()

    def _sample_n(self, n, seed=None):
        u = uniforms(
            [n], tf.concat([tf.shape(self.params)[:-1], [1 + self.channels]], axis=0), seed
        )
        return _Pixels.read(self.params, self.channels).draw(u)


def _rows(channels):
    """Returns how many numbers each component has per pixel."""
    return 1 + 2 * channels + channels * (channels - 1) // 2
