"""Priors p(z), each a density and a sampler by the counter-based stream."""

from tfvae.priors.base import Prior as Prior
from tfvae.priors.categorical import Categorical as Categorical
from tfvae.priors.categorical import RelaxedCategorical as RelaxedCategorical
from tfvae.priors.conditional import Conditional as Conditional
from tfvae.priors.ex_post import ExPostMixture as ExPostMixture
from tfvae.priors.flow import Flow as Flow
from tfvae.priors.hierarchy import Hierarchy as Hierarchy
from tfvae.priors.mixture import GaussianMixture as GaussianMixture
from tfvae.priors.normal import StandardNormal as StandardNormal
from tfvae.priors.sphere import UniformSphere as UniformSphere
from tfvae.priors.vamp import VampPrior as VampPrior
