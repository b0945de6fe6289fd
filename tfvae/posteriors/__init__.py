"""Posteriors q(z|x), made from the encoder's output."""

from tfvae.posteriors.base import Posterior as Posterior
from tfvae.posteriors.categorical import Categorical as Categorical
from tfvae.posteriors.categorical import RelaxedCategorical as RelaxedCategorical
from tfvae.posteriors.deterministic import Deterministic as Deterministic
from tfvae.posteriors.flow import Flow as Flow
from tfvae.posteriors.hierarchy import BottomUp as BottomUp
from tfvae.posteriors.hierarchy import Ladder as Ladder
from tfvae.posteriors.normal import DiagonalNormal as DiagonalNormal
from tfvae.posteriors.normal import FullNormal as FullNormal
from tfvae.posteriors.sphere import VonMisesFisher as VonMisesFisher
