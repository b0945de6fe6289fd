"""Likelihoods: decoder output -> p(x|z)."""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import datasets
from tfvae._backend import keras, register
from tfvae.errors import invalid
from tfvae.pieces import Likelihood

tfd = tfp.distributions

# Keeps a density finite where the decoder reproduces an element exactly.
_MIN_SCALE = 1e-3


@register
class Bernoulli(Likelihood):
    """p(x|z) = prod_i Bernoulli(x_i; sigmoid(params_i)) for x in {0, 1}.

    A Bernoulli gives grey pixels no probability. With `dynamic_binarization`, grey
    values in [0, 1] are read as probabilities: training draws each element afresh in
    every step (Burda et al. 2016 [1], section 5), and evaluation uses one fixed draw.

    Args:
        dynamic_binarization: accept grey data, and model its binarization.

    References:
        [1] Importance Weighted Autoencoders. ICLR 2016. arXiv:1509.00519.
    """

    value_range = (0.0, 1.0)

    def __init__(self, *, dynamic_binarization=False, **kwargs):
        super().__init__(**kwargs)
        self.dynamic_binarization = dynamic_binarization
        self.support = "grey values from 0 to 1" if dynamic_binarization else "values 0 and 1 only"

    def build(self, event_shape):
        self.event_rank = len(event_shape)
        self.built = True

    def distribution(self, params):
        return tfd.Independent(tfd.Bernoulli(logits=params), self.event_rank)

    def mean(self, params):
        return tf.sigmoid(params)

    def draw(self, params, noise):
        size = math.prod(params.shape[1:])
        uniform = tf.reshape(noise.uniform(size), tf.shape(params))
        return tf.cast(uniform < tf.sigmoid(params), tf.float32)

    def in_support(self, x):
        return (x >= 0) & (x <= 1) if self.dynamic_binarization else (x == 0) | (x == 1)

    def prepare(self, x, seed):
        x = tf.cast(x, tf.float32)
        if not self.dynamic_binarization:
            return x
        return tf.cast(tf.random.stateless_uniform(tf.shape(x), seed) < x, tf.float32)

    def prepare_fixed(self, x):
        if not self.dynamic_binarization or not datasets.is_grey(x):
            return x, None
        seed = datasets.BINARIZATION_SEED
        return datasets.binarize(x, seed=seed), f"one Bernoulli draw per value, seed {seed}"

    def hint(self, x):
        if x.min() < 0 or x.max() > 255 or not np.isfinite(x).all():
            return "use a likelihood whose support holds these values, such as Normal()"
        if x.max() > 1:
            return "divide 8-bit values by 255, and binarize them"
        return (
            "Bernoulli(dynamic_binarization=True) draws the pixels afresh in every step; "
            "tfvae.datasets.binarize(x, seed=0) draws them once"
        )

    def get_config(self):
        return {**super().get_config(), "dynamic_binarization": self.dynamic_binarization}


@register
class Normal(Likelihood):
    """p(x|z) = N(x; loc, scale^2) for each element of real-valued data.

    The scale is fixed, or one learned number, or given by the decoder for each element:

        Normal(0.1)                    fixed
        Normal(0.1, learn_scale=True)  learned, starting there
        Normal(per_element_scale=True) the decoder's last axis is twice the event's:
                                       loc, then the inverse softplus of scale

    Args:
        scale: the fixed or first value, positive.
        learn_scale: make it a weight.
        per_element_scale: take it from the decoder; `scale` is then unused.

    Raises:
        InputError: a scale that is not positive and finite, or both options at once.
    """

    def __init__(self, scale=1.0, *, learn_scale=False, per_element_scale=False, **kwargs):
        super().__init__(**kwargs)
        if not (isinstance(scale, (int, float, np.number)) and 0 < scale < math.inf):
            raise invalid("a positive, finite scale", f"scale={scale!r}", "pass a number such as Normal(0.1)")
        if learn_scale and per_element_scale:
            raise invalid(
                "one learned scale or one per element",
                "learn_scale=True and per_element_scale=True",
                "set one of them",
            )
        self.scale = float(scale)
        self.learn_scale = learn_scale
        self.per_element_scale = per_element_scale

    def params_shape(self, event_shape):
        if not self.per_element_scale:
            return tuple(event_shape)
        return (*event_shape[:-1], 2 * event_shape[-1])

    def build(self, event_shape):
        self.event_rank = len(event_shape)
        if self.learn_scale:
            initial = keras.initializers.Constant(math.log(self.scale))
            self.log_scale = self.add_weight(shape=(), initializer=initial, name="log_scale")
        self.built = True

    def distribution(self, params):
        return tfd.Independent(tfd.Normal(*self._loc_scale(params)), self.event_rank)

    def mean(self, params):
        return self._loc_scale(params)[0]

    def draw(self, params, noise):
        loc, scale = self._loc_scale(params)
        normal = tf.reshape(noise.normal(math.prod(loc.shape[1:])), tf.shape(loc))
        return loc + scale * normal

    def _loc_scale(self, params):
        if self.per_element_scale:
            loc, raw_scale = tf.split(params, 2, axis=-1)
            return loc, tf.nn.softplus(raw_scale) + _MIN_SCALE
        if self.learn_scale:
            return params, tf.exp(tf.cast(self.log_scale, tf.float32))
        return params, tf.constant(self.scale)

    def get_config(self):
        return {
            **super().get_config(),
            "scale": self.scale,
            "learn_scale": self.learn_scale,
            "per_element_scale": self.per_element_scale,
        }
