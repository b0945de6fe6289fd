"""A mixture of discretized logistics for images, of which the channels are coupled."""

from typing import NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.errors import invalid
from tfvae.likelihoods.discretized_logistic import (
    EightBit,
    clipped_mean,
    levels_log_prob,
    nearest_level,
    uniforms,
)
from tfvae.ops import inverse_cdf
from tfvae.validation import arguments

tfd = tfp.distributions


@register
class DiscretizedLogisticMixture(EightBit):
    """p(x|z) = prod_pixels sum_m weight_m prod_c P(x_c; loc_mc, scale_mc), P as `DiscretizedLogistic` [1], equation 3.

    The channels of a pixel share the component, and each is shifted by those before it:

        loc_mc = 0.5 + mean_mc + sum_{j < c} tanh(k_mcj) (x_j - 0.5)

    The decoder's last axis holds, each for M components: the logits of the weights; the means and
    the log-scales of the channels, 0 being mid-grey and a scale of 1/2; the k of channel 1, of
    channel 2, ... [1] has the data in [-1, 1], which doubles means and scales and is the same model.

    Args:
        num_components: M.

    Raises:
        InputError: fewer than one component, or events that are not images (H, W, C).

    References:
        [1] Salimans et al., PixelCNN++. ICLR 2017. arXiv:1701.05517.
    """

    def __init__(self, num_components=10, **kwargs):
        super().__init__(**kwargs)
        self.num_components = arguments.whole_number("num_components", num_components, 1)

    def params_shape(self, event_shape):
        if len(event_shape) != 3:
            raise invalid(
                "images of shape (H, W, C) for DiscretizedLogisticMixture",
                f"events of shape {tuple(event_shape)}",
                "give grey images a channel, x[..., None], or use DiscretizedLogistic()",
            )
        height, width, channels = event_shape
        return height, width, self.num_components * _rows(channels)

    def build(self, event_shape):
        self.params_shape(event_shape)
        self.channels = event_shape[-1]
        self.built = True

    def distribution(self, params):
        return _LevelsMixture(params, self.channels)

    def mean(self, params):
        """The components' means, weighted; of each channel given the *means* of those before it.

        That is the mean but for rounding to levels, and clipping at 0 and 1, which makes a
        channel's mean a bent function of the others.
        """
        return _Pixels.read(params, self.channels).mean()

    def draw(self, params, noise):
        height, width = params.shape[1:3]
        u = noise.uniform(height * width * (1 + self.channels))
        return _Pixels.read(params, self.channels).draw(
            tf.reshape(u, [-1, height, width, 1 + self.channels])
        )

    def get_config(self):
        return {**super().get_config(), "num_components": self.num_components}


class _Pixels(NamedTuple):
    """The parameters of a mixture: tensors `[..., H, W, M]`, for each channel or pair of channels."""

    logits: tf.Tensor
    means: list
    scales: list
    couplings: list

    @classmethod
    def read(cls, params, channels):
        logits, *rest = tf.split(params, _rows(channels), axis=-1)
        means, log_scales, couplings = (
            rest[:channels],
            rest[channels : 2 * channels],
            rest[2 * channels :],
        )
        scales = [0.5 * tf.exp(tf.clip_by_value(s, -7.0, 7.0)) for s in log_scales]
        return cls(logits, means, scales, [tf.tanh(k) for k in couplings])

    def loc(self, channel, earlier):
        """`[..., H, W, M]` for the values of earlier channels, each `[..., H, W, 1 or M]`."""
        first = channel * (channel - 1) // 2
        couplings = self.couplings[first : first + channel]
        return 0.5 + self.means[channel] + sum(k * (x - 0.5) for k, x in zip(couplings, earlier))

    def log_prob(self, x):
        """Of each pixel, `[..., H, W]`."""
        x = tf.split(x, len(self.means), axis=-1)
        log_probs = [
            levels_log_prob(x[c], self.loc(c, x), scale) for c, scale in enumerate(self.scales)
        ]
        return tf.reduce_logsumexp(tf.nn.log_softmax(self.logits) + sum(log_probs), axis=-1)

    def draw(self, u):
        """Images `[..., H, W, C]` from uniforms `[..., H, W, 1 + C]`."""
        choice, *u = tf.split(u, 1 + len(self.means), axis=-1)
        chosen = inverse_cdf.one_hot(tf.nn.softmax(self.logits), choice)
        x: list = []
        for channel, scale in enumerate(self.scales):
            drawn = self.loc(channel, x) + scale * inverse_cdf.logistic(u[channel])
            x.append(nearest_level(tf.reduce_sum(chosen * drawn, axis=-1, keepdims=True)))
        return tf.concat(x, axis=-1)

    def mean(self):
        weights = tf.nn.softmax(self.logits)
        means: list = []
        for channel, scale in enumerate(self.scales):
            means.append(clipped_mean(self.loc(channel, means), scale))
        return tf.concat(
            [tf.reduce_sum(weights * mean, axis=-1, keepdims=True) for mean in means], axis=-1
        )


class _LevelsMixture(tfp.distributions.Distribution):
    """The mixture over images, of `params [..., H, W, P]`."""

    def __init__(self, params, channels):
        self.params, self.channels = tf.convert_to_tensor(params), channels
        parameters = {"params": params, "channels": channels}
        super().__init__(self.params.dtype, tfd.NOT_REPARAMETERIZED, False, True, parameters)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
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
    """How many numbers a component has for each pixel."""
    return 1 + 2 * channels + channels * (channels - 1) // 2
