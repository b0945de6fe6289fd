"""Objectives: the terms of a bound -> the loss of each example, in nats.

Everything follows from the log-weights, see `tfvae.objectives.terms`.
"""

import math

import tensorflow as tf

from tfvae._keras.backend import keras, register
from tfvae._keras.stateful import Stateful
from tfvae.errors import invalid
from tfvae.objectives.terms import Terms as Terms
from tfvae.validation import arguments


class Objective(Stateful):
    """The loss of each example, from `num_samples` latents each.

    To write one, return the loss `[B]` from `__call__`, the constructor's arguments
    from `get_config`, and decorate it with `keras.saving.register_keras_serializable`.

    It may hold variables, made in its constructor: `keras.Variable(0.0)` is trained by the
    loss, `keras.Variable(0.0, trainable=False)` follows a rule of its own, in `update`. Both are
    variables of the model, are saved with it, and stay as they are in evaluation. Models that
    are given the same objective share them.

    Attributes:
        linear: whether the loss is linear in the log-weights, as the ELBO is.
        importance_weighted: whether it is the IWAE bound, whose gradient weights the samples.
        has_encoder_loss: whether the encoder is trained by a loss of its own.
        needs_sample_gradients: whether it holds terms of z that only a gradient through z can lower.
        needs_density: whether it holds log q(z|x), which not every posterior has.
        of_expectations: whether it is made of expectations under q alone, which may then be summed.
        needs_factorized: which of "posterior" and "prior" it takes latent by latent.
    """

    linear = False
    importance_weighted = False
    has_encoder_loss = False
    needs_sample_gradients = False
    needs_density = True
    of_expectations = False
    needs_factorized: tuple = ()

    def __init__(self, num_samples=1):
        self.num_samples = arguments.whole_number("num_samples", num_samples, 1)

    def __call__(self, terms, step=0):
        """`Terms` -> the loss of each example, `[B]`; `step` counts optimizer updates."""
        raise NotImplementedError

    def encoder_loss(self, terms, step=0):
        """The loss the encoder is trained by, `[B]`, or None where it is the same."""
        return None

    def update(self, terms, step=0):
        """Called in each training step once the gradient is known, to assign variables that are not trained.

        Args:
            terms: the `Terms` of the batch. A mean over it is `terms.mean_over_examples`.
            step: as in `__call__`.
        """

    def get_config(self):
        return {"num_samples": self.num_samples}

    @classmethod
    def from_config(cls, config):
        return cls(**keras.saving.deserialize_keras_object(config))

    def __repr__(self):
        settings = ", ".join(f"{k}={getattr(self, k)!r}" for k in self.get_config())
        return f"{type(self).__name__}({settings})"


@register
class ELBO(Objective):
    """distortion + beta * rate; with beta = 1 the negative evidence lower bound [1].

    Collapse of the posterior is treated by a beta that rises from 0, or by free bits: each
    latent's rate, averaged over the batch, costs nothing below `free_bits` [3]. A capacity
    holds the rate near a target: distortion + beta * |rate - capacity| [4].

    Args:
        num_samples: K, latents per example.
        beta: weight of the rate [2]: a number, or a Keras learning-rate schedule of the step.
        free_bits: nats per latent that cost nothing; needs a q and a p that factorize.
        capacity: target of the rate in nats: a number or a schedule, or None.
        analytic_rate: use KL(q || p) in closed form where there is one, else its estimate.

    Raises:
        InputError: a number that is negative or not finite, num_samples below 1, or free
            bits together with a capacity.

    References:
        [1] Kingma & Welling, Auto-Encoding Variational Bayes. ICLR 2014, equation 3.
        [2] Higgins et al., beta-VAE. ICLR 2017, equation 4.
        [3] Kingma et al., Inverse Autoregressive Flow. NeurIPS 2016, equation 15.
        [4] Burgess et al., Understanding disentangling in beta-VAE. 2018. arXiv:1804.03599, equation 8.
    """

    def __init__(self, num_samples=1, beta=1.0, *, free_bits=0.0, capacity=None, analytic_rate=True):
        super().__init__(num_samples)
        self.beta = _number_or_schedule("beta", beta)
        self.free_bits = _number_or_schedule("free_bits", free_bits)
        self.capacity = None if capacity is None else _number_or_schedule("capacity", capacity)
        self.analytic_rate = analytic_rate
        if capacity is not None and free_bits:
            raise invalid("free_bits or a capacity", f"free_bits={free_bits!r} and capacity={capacity!r}", "set one of them")
        self.linear = not free_bits and capacity is None
        self.of_expectations = not free_bits
        self.needs_factorized = ("posterior", "prior") if free_bits else ()
        # Constant and 0, the rate is left out altogether.
        self.needs_density = not (self.linear and not callable(beta) and beta == 0)

    def __call__(self, terms, step=0):
        if not self.needs_density:
            return terms.distortion
        return terms.distortion + _at(self.beta, step) * self._rate(terms, step)

    def _rate(self, terms, step):
        if self.free_bits:
            per_latent = terms.mean_over_examples(terms.rate_per_latent(self.analytic_rate))  # [D]
            return tf.reduce_sum(tf.maximum(per_latent, _at(self.free_bits, step)))
        rate = terms.rate if self.analytic_rate else terms.monte_carlo_rate
        return rate if self.capacity is None else tf.abs(rate - _at(self.capacity, step))

    def get_config(self):
        schedules = ("beta", "free_bits", "capacity")
        values = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in schedules}
        return {**super().get_config(), **values, "analytic_rate": self.analytic_rate}


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
        self.mix = _number_or_schedule("mix", mix, 1)

    def __call__(self, terms, step=0):
        mix = _at(self.mix, step)
        elbo = tf.reduce_mean(terms.log_weights, axis=0)
        return -(mix * elbo + (1 - mix) * _iwae(terms.log_weights))

    def get_config(self):
        return {**super().get_config(), "mix": keras.saving.serialize_keras_object(self.mix)}


def _iwae(log_weights):
    """log of the mean of the weights over the first axis: `[K, ...] -> [...]`."""
    return tf.reduce_logsumexp(log_weights, axis=0) - math.log(log_weights.shape[0])


def _at(value, step):
    return value(step) if callable(value) else value


def _number_or_schedule(name, value, maximum=math.inf):
    scheduled = isinstance(value, keras.optimizers.schedules.LearningRateSchedule)
    return value if scheduled else arguments.real_number(f"{name}, where it is no schedule,", value, 0, maximum)
