"""Likelihoods: decoder output -> p(x|z)."""

from tfvae.likelihoods.bernoulli import Bernoulli as Bernoulli
from tfvae.likelihoods.bernoulli import ContinuousBernoulli as ContinuousBernoulli
from tfvae.likelihoods.location_scale import Laplace as Laplace
from tfvae.likelihoods.location_scale import Normal as Normal
from tfvae.likelihoods.location_scale import StudentT as StudentT
from tfvae.likelihoods.observed import Observed as Observed
