"""Priors: p(z) as a density, and as a sampler of the counter-based stream."""

from tfvae.priors.base import Prior as Prior
from tfvae.priors.categorical import Categorical as Categorical
from tfvae.priors.categorical import RelaxedCategorical as RelaxedCategorical
from tfvae.priors.ex_post import ExPostMixture as ExPostMixture
from tfvae.priors.flow import Flow as Flow
from tfvae.priors.layered import Hierarchy as Hierarchy
from tfvae.priors.mixtures import GaussianMixture as GaussianMixture
from tfvae.priors.mixtures import VampPrior as VampPrior
from tfvae.priors.simple import StandardNormal as StandardNormal
from tfvae.priors.simple import UniformSphere as UniformSphere
