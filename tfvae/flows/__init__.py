"""Normalizing flows: invertible maps of the latent, for `priors.Flow` and `posteriors.Flow`.

A flow maps x to y with a known log-determinant. Each has one fast direction or two:

    flow                     x -> y                  y -> x
    RealNVP                  one pass                one pass
    MaskedAutoregressive     D passes (sampling)     one pass (density)
    InverseAutoregressive    one pass (sampling)     D passes (density of a z of another origin)
    Planar                   one pass                by root finding

In a posterior the flow is also given a context, numbers of the encoder for each example.
A flow starts as the identity, or (planar) near it.
"""

from tfvae.flows.autoregressive import InverseAutoregressive as InverseAutoregressive
from tfvae.flows.autoregressive import MaskedAutoregressive as MaskedAutoregressive
from tfvae.flows.base import Flow as Flow
from tfvae.flows.coupling import RealNVP as RealNVP
from tfvae.flows.planar import Planar as Planar
