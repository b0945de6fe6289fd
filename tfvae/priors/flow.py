"""Priors that a normalizing flow makes of simpler ones."""

import tensorflow_probability as tfp

from tfvae._keras.backend import keras, register
from tfvae.errors import invalid
from tfvae.flows import Flow as FlowMap
from tfvae.ops.networks import in_mode
from tfvae.pieces import REAL
from tfvae.priors.base import Prior
from tfvae.priors.normal import StandardNormal

tfd = tfp.distributions


@register
class Flow(Prior):
    """p(z) of z = flow(z_0), z_0 ~ base: log p(z) = log p_0(z_0) + log |det dz_0/dz|.

    Args:
        flow: of `tfvae.flows`: `RealNVP()` [1], `MaskedAutoregressive()` [2], whose samples take D
            passes, `InverseAutoregressive()`, whose density does.
        base: a prior over real vectors that does not start from data; default `StandardNormal()`.

    Raises:
        InputError: a flow or a base that is none.

    References:
        [1] Dinh et al., Density estimation using Real NVP. ICLR 2017. arXiv:1605.08803.
        [2] Papamakarios et al., Masked Autoregressive Flow. NeurIPS 2017. arXiv:1705.07057.
    """

    def __init__(self, flow, base=None, **kwargs):
        super().__init__(**kwargs)
        self.flow = flow
        self.base = base or StandardNormal()
        if not isinstance(flow, FlowMap):
            raise invalid("a flow of tfvae.flows", repr(flow), "pass flows.RealNVP()")
        if self.base.support != REAL or self.base.starts_from_data:
            raise invalid(
                "a base over real vectors without data",
                repr(self.base),
                "pass base=StandardNormal()",
            )

    def build(self, latent_dim):
        self.base.build_once(latent_dim)
        self.flow.build_once(latent_dim, 0)
        self.built = True

    def distribution(self, y=None, training=False):
        return tfd.TransformedDistribution(
            in_mode(self.base.distribution, y, training=training), self.flow.bijector()
        )

    def sample(self, noise, y=None):
        return self.flow.forward(self.base.sample(noise, y))[0]

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {**super().get_config(), "flow": serialize(self.flow), "base": serialize(self.base)}
