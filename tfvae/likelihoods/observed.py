"""The likelihood of what is observed of data with missing elements."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import keras, register
from tfvae.errors import invalid
from tfvae.likelihoods.base import Likelihood
from tfvae.ops import networks
from tfvae.validation import arguments

tfd = tfp.distributions


@register
class Observed(Likelihood):
    """p(x_observed|z): elements of x that are NaN are missing and left out [1], equation 3.

    With `IWAE(K)` the bound is the MIWAE bound for missing data, [1] equation 4, for elements
    missing at random; `tfvae.imputation.impute` fills them in.

        vae = mlp_vae(shape, 8, likelihood=Observed(Normal(0.1)), objective=IWAE(20))
        vae.fit(x_with_nan)

    Args:
        base: the likelihood of an element, given z independent of the others.
        fill: what the encoder is shown of a missing element, in the data's units.

    Raises:
        InputError: a base whose elements depend on each other.

    References:
        [1] Mattei & Frellsen, MIWAE: Deep Generative Modelling and Imputation of Incomplete Data Sets.
            ICML 2019. arXiv:1812.02633.
    """

    def __init__(self, base, fill=0.0, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(base, Likelihood):
            raise invalid("a likelihood to observe", repr(base), "pass Observed(Normal(0.1))")
        self.base = base
        self.fill = arguments.real_number("fill", fill)
        self.support = f"{base.support}, or NaN where missing"
        self.value_range = base.value_range

    def build(self, event_shape):
        self.base.build_once(event_shape)
        found = self.base.distribution(tf.zeros([1, *self.params_shape(event_shape)]))
        if not isinstance(found, tfd.Independent):
            raise invalid(
                "a likelihood of independent elements, for Observed",
                repr(self.base),
                "use Normal() or Bernoulli()",
            )
        self.built = True

    def kept(self, event_shape):
        return self.base.kept(event_shape)

    def params_shape(self, event_shape):
        return self.base.params_shape(event_shape)

    def distribution(self, params):
        return _ObservedElements(self.base.distribution(params))

    def training_distribution(self, params, x, example_weights=None):
        return _ObservedElements(networks.fitted(self.base, params, x, example_weights))

    @property
    def fits_batches(self):
        return self.base.fits_batches

    def encoder_view(self, x):
        return self.base.encoder_view(tf.where(x == x, x, self.fill))

    def dimensions(self, event_shape):
        return self.base.dimensions(event_shape)

    def mean(self, params):
        return self.base.mean(params)

    def draw(self, params, noise):
        return self.base.draw(params, noise)

    def in_support(self, x):
        return (x != x) | self.base.in_support(x)

    def prepare(self, x, seed):
        x = tf.cast(x, tf.float32)
        return tf.where(x == x, self.base.prepare(tf.where(x == x, x, 0.0), seed), x)

    def prepare_fixed(self, x):
        found, note = self.base.prepare_fixed(np.where(x == x, x, 0))
        return np.where(x == x, found, x), note

    def hint(self, x):
        return self.base.hint(x[x == x])

    def get_config(self):
        return {
            **super().get_config(),
            "base": keras.saving.serialize_keras_object(self.base),
            "fill": self.fill,
        }


class _ObservedElements(tfp.distributions.Distribution):
    """Independent elements, of which those that are NaN add nothing to the log-probability."""

    def __init__(self, complete):
        super().__init__(
            complete.dtype,
            complete.reparameterization_type,
            validate_args=False,
            allow_nan_stats=True,
            name="Observed",
        )
        self._complete = complete

    def _batch_shape(self):
        return self._complete.batch_shape

    def _event_shape(self):
        return self._complete.event_shape

    def _sample_n(self, n, seed=None):
        return self._complete.sample(n, seed=seed)

    def _mean(self):
        return self._complete.mean()

    def _log_prob(self, x):
        elements = self._complete.distribution
        observed = tf.equal(x, x)
        log_prob = elements.log_prob(tf.where(observed, x, tf.zeros_like(x)))
        inner = elements.event_shape.rank  # of elements that are vectors, which are missing whole
        if inner:
            observed = tf.reduce_all(observed, axis=list(range(-inner, 0)))
        axes = list(range(-(self._complete.event_shape.rank - inner), 0))
        return tf.reduce_sum(tf.where(observed, log_prob, 0.0), axis=axes)
