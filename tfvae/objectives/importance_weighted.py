"""Bounds of several importance-weighted samples."""

import math

import tensorflow as tf

from tfvae._keras.backend import keras, register
from tfvae.objectives.base import Objective, at_step, number_or_schedule
from tfvae.objectives.terms import Terms as Terms
from tfvae.validation import arguments


@register
class IWAE(Objective):
    """-(logsumexp_k log_weights - log K), the importance-weighted bound [1], equation 8.

    Args:
        num_samples: K, latents per example; with 1 this is the ELBO by Monte Carlo.

    Raises:
        InputError: num_samples below 1.

    References:
        [1] Burda et al., Importance Weighted Autoencoders. ICLR 2016. arXiv:1509.00519.
    """

    importance_weighted = True

    def __init__(self, num_samples=5):
        super().__init__(num_samples)

    def __call__(self, terms, step=0):
        return -_iwae(terms.log_weights)


class _Grouped(Objective):
    """A bound of `groups` importance-weighted bounds of `group_size` latents each."""

    def __init__(self, groups=4, group_size=4):
        self.groups = arguments.whole_number("groups", groups, 1)
        self.group_size = arguments.whole_number("group_size", group_size, 1)
        super().__init__(self.groups * self.group_size)

    def miwae(self, terms):
        """The mean over groups of the bound of each group, `[B]`."""
        log_weights = terms.log_weights
        grouped = tf.reshape(log_weights, [self.group_size, self.groups, -1])
        return tf.reduce_mean(_iwae(grouped), axis=0)

    def get_config(self):
        return {"groups": self.groups, "group_size": self.group_size}


@register
class MIWAE(_Grouped):
    """The mean of M importance-weighted bounds of K latents each [1], equation 8.

    (Not the missing-data bound of the same name.)

    Args:
        groups: M.
        group_size: K.

    Raises:
        InputError: a number below 1.

    References:
        [1] Rainforth et al., Tighter Variational Bounds are Not Necessarily Better. ICML 2018. arXiv:1802.04537.
    """

    def __call__(self, terms, step=0):
        return -self.miwae(terms)


@register
class PIWAE(_Grouped):
    """Decoder and prior by the IWAE bound of M K latents, the encoder by the MIWAE bound [1], section 5.

    Arguments and references as `MIWAE`.
    """

    has_encoder_loss = True

    def __call__(self, terms, step=0):
        return -_iwae(terms.log_weights)

    def encoder_loss(self, terms, step=0):
        return -self.miwae(terms)


@register
class CIWAE(Objective):
    """mix * ELBO + (1 - mix) * IWAE of the same latents [1], equation 9.

    Args:
        num_samples: K, latents per example.
        mix: from 0, the IWAE bound, to 1, the ELBO.

    Raises:
        InputError: a number out of range.

    References:
        [1] Rainforth et al., Tighter Variational Bounds are Not Necessarily Better. ICML 2018. arXiv:1802.04537.
    """

    def __init__(self, num_samples=5, mix=0.5):
        super().__init__(num_samples)
        self.mix = number_or_schedule("mix", mix, 1)

    def __call__(self, terms, step=0):
        mix = at_step(self.mix, step)
        elbo = tf.reduce_mean(terms.log_weights, axis=0)
        return -(mix * elbo + (1 - mix) * _iwae(terms.log_weights))

    def get_config(self):
        return {**super().get_config(), "mix": keras.saving.serialize_keras_object(self.mix)}


def _iwae(log_weights):
    """log of the mean of the weights over the first axis: `[K, ...] -> [...]`."""
    return tf.reduce_logsumexp(log_weights, axis=0) - math.log(log_weights.shape[0])
