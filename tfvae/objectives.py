"""Objectives: the terms of a bound -> the loss of each example, in nats.

Everything follows from `log_weights[k, b] = log p(x_b|z_kb) + log p(z_kb) - log q(z_kb|x_b)`.
"""

import math
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae._backend import keras, register
from tfvae.errors import invalid


class Terms(NamedTuple):
    """What one draw of K latents per example says about the model, in nats.

    Attributes:
        log_likelihood: log p(x|z), `[K, B]`.
        log_prior: log p(z), `[K, B]`.
        log_posterior: log q(z|x), `[K, B]`.
        analytic_rate: KL(q(z|x) || p(z)), `[B]`, where it has a closed form, else None.
    """

    log_likelihood: Any
    log_prior: Any
    log_posterior: Any
    analytic_rate: Any = None

    @property
    def log_weights(self):
        """log p(x, z) - log q(z|x), `[K, B]`."""
        return self.log_likelihood + self.log_prior - self.log_posterior

    @property
    def monte_carlo_rate(self):
        """Mean over K of log q(z|x) - log p(z), `[B]`."""
        return tf.reduce_mean(self.log_posterior - self.log_prior, axis=0)

    @property
    def rate(self):
        """KL(q(z|x) || p(z)), `[B]`, in closed form where there is one."""
        return self.monte_carlo_rate if self.analytic_rate is None else self.analytic_rate

    @property
    def distortion(self):
        """Mean over K of -log p(x|z), `[B]`."""
        return -tf.reduce_mean(self.log_likelihood, axis=0)

    @property
    def elbo(self):
        """The evidence lower bound, `[B]`, whatever objective is trained."""
        return -(self.rate + self.distortion)


class Objective:
    """The loss of each example, from `num_samples` latents each.

    To write one, return the loss `[B]` from `__call__`, the constructor's arguments
    from `get_config`, and decorate it with `keras.saving.register_keras_serializable`.
    """

    def __init__(self, num_samples=1):
        if not isinstance(num_samples, int) or num_samples < 1:
            raise invalid(
                "num_samples, the number of latents per example, to be a whole number from 1",
                f"num_samples={num_samples!r}",
                "pass num_samples=1 or more",
            )
        self.num_samples = num_samples

    def __call__(self, terms, step=0):
        """`Terms` -> the loss of each example, `[B]`; `step` counts optimizer updates."""
        raise NotImplementedError

    def get_config(self):
        return {"num_samples": self.num_samples}

    @classmethod
    def from_config(cls, config):
        return cls(**{k: keras.saving.deserialize_keras_object(v) for k, v in config.items()})

    def __repr__(self):
        settings = ", ".join(f"{k}={getattr(self, k)!r}" for k in self.get_config())
        return f"{type(self).__name__}({settings})"


@register
class ELBO(Objective):
    """distortion + beta * rate; with beta = 1 the negative evidence lower bound [1].

    Args:
        num_samples: K, latents per example.
        beta: weight of the rate [2]: a number, or a Keras learning-rate schedule of the step.
        analytic_rate: use KL(q || p) in closed form where there is one, else its estimate.

    Raises:
        InputError: a beta that is negative or not finite, or num_samples below 1.

    References:
        [1] Kingma & Welling, Auto-Encoding Variational Bayes. ICLR 2014, equation 3.
        [2] Higgins et al., beta-VAE. ICLR 2017, equation 4.
    """

    def __init__(self, num_samples=1, beta=1.0, *, analytic_rate=True):
        super().__init__(num_samples)
        scheduled = isinstance(beta, keras.optimizers.schedules.LearningRateSchedule)
        if not scheduled and not (isinstance(beta, (int, float)) and 0 <= beta < math.inf):
            raise invalid(
                "beta to be a number from 0 or a keras.optimizers.schedules schedule",
                f"beta={beta!r}",
                "pass beta=1.0 for the evidence lower bound",
            )
        self.beta = beta
        self.analytic_rate = analytic_rate

    def __call__(self, terms, step=0):
        beta = self.beta(step) if callable(self.beta) else self.beta
        rate = terms.rate if self.analytic_rate else terms.monte_carlo_rate
        return terms.distortion + beta * rate

    def get_config(self):
        beta = keras.saving.serialize_keras_object(self.beta)
        return {**super().get_config(), "beta": beta, "analytic_rate": self.analytic_rate}


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

    def __init__(self, num_samples=5):
        super().__init__(num_samples)

    def __call__(self, terms, step=0):
        return math.log(self.num_samples) - tf.reduce_logsumexp(terms.log_weights, axis=0)
