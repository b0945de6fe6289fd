"""Normalizing flows: invertible maps of the latent, for `priors.Flow` and `posteriors.Flow`.

A flow maps x to y with a known log-determinant. Each has one fast direction or two:

    flow                     x -> y                  y -> x
    RealNVP                  one pass                one pass
    MaskedAutoregressive     D passes (sampling)     one pass (density)
    InverseAutoregressive    one pass (sampling)     D passes (density of any z)
    Planar                   one pass                by root finding

In a posterior the flow also takes a context, numbers that the encoder gives for each example.
A planar flow starts near the identity. The others start as the identity, except that
autoregressive flows with an odd number of layers start by reversing the order of the numbers.
"""

from tfvae.flows.autoregressive import InverseAutoregressive as InverseAutoregressive
from tfvae.flows.autoregressive import MaskedAutoregressive as MaskedAutoregressive
from tfvae.flows.base import Flow as Flow
from tfvae.flows.coupling import RealNVP as RealNVP
from tfvae.flows.planar import Planar as Planar
