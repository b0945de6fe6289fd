"""Posteriors that a normalizing flow makes of simpler ones."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import keras, register
from tfvae.errors import invalid
from tfvae.flows import Flow as FlowMap
from tfvae.ops.networks import in_mode
from tfvae.pieces import REAL
from tfvae.posteriors.base import Posterior
from tfvae.posteriors.normal import DiagonalNormal
from tfvae.validation import arguments

tfd = tfp.distributions


@register
class Flow(Posterior):
    """q(z|x) of z = flow(z_0; h(x)), z_0 ~ base(x): log q(z) = log q_0(z_0) - log |det dz/dz_0| [1], equation 13.

    The encoder gives the parameters of the base and then `context_size` numbers h, which
    the flow depends on: `[B, P_base + H]`. `location` is the flow of the base's mean.

    Args:
        flow: of `tfvae.flows`: `InverseAutoregressive()` [2], `Planar()` [1], `RealNVP()`.
        base: a posterior over real vectors; default `DiagonalNormal()`.
        context_size: H; with 0 the flow is the same for every x.

    Raises:
        InputError: a flow or a base that is none.

    References:
        [1] Rezende & Mohamed, Variational Inference with Normalizing Flows. ICML 2015. arXiv:1505.05770.
        [2] Kingma et al., Inverse Autoregressive Flow. NeurIPS 2016. arXiv:1606.04934.
    """

    def __init__(self, flow, base=None, context_size=16, **kwargs):
        super().__init__(**kwargs)
        self.flow = flow
        self.base = base or DiagonalNormal()
        self.context_size = arguments.whole_number("context_size", context_size, 0)
        if not isinstance(flow, FlowMap):
            raise invalid("a flow of tfvae.flows", repr(flow), "pass flows.InverseAutoregressive()")
        if self.base.support != REAL or not self.base.has_density:
            raise invalid(
                "a base with a density over real vectors",
                repr(self.base),
                "pass base=DiagonalNormal()",
            )

    def build(self, latent_dim):
        self.base.build_once(latent_dim)
        self.flow.build_once(latent_dim, self.context_size)
        self.built = True

    def params_size(self, latent_dim):
        return self.base.params_size(latent_dim) + self.context_size

    def distribution(self, params, training=False):
        params, context = self._split(params)
        base = in_mode(self.base.distribution, params, training=training)
        return tfd.TransformedDistribution(base, self.flow.bijector(context))

    def sample(self, params, noise):
        params, context = self._split(params)
        return self.flow.forward(self.base.sample(params, noise), context)[0]

    def location(self, params):
        params, context = self._split(params)
        return self.flow.forward(self.base.location(params), context)[0]

    def summary(self, params):
        return {"loc": self.location(params)}

    def _split(self, params):
        params, context = tf.split(
            params, [params.shape[-1] - self.context_size, self.context_size], axis=-1
        )
        return params, context if self.context_size else None

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        pieces = {"flow": serialize(self.flow), "base": serialize(self.base)}
        return {**super().get_config(), **pieces, "context_size": self.context_size}
