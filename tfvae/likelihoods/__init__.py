"""Likelihoods: decoder output -> p(x|z)."""

from tfvae.likelihoods.base import Likelihood as Likelihood
from tfvae.likelihoods.bernoulli import Bernoulli as Bernoulli
from tfvae.likelihoods.bernoulli import ContinuousBernoulli as ContinuousBernoulli
from tfvae.likelihoods.categorical import Categorical as Categorical
from tfvae.likelihoods.columns import Columns as Columns
from tfvae.likelihoods.counts import NegativeBinomial as NegativeBinomial
from tfvae.likelihoods.counts import Poisson as Poisson
from tfvae.likelihoods.discretized_logistic import DiscretizedLogistic as DiscretizedLogistic
from tfvae.likelihoods.discretized_mixture import (
    DiscretizedLogisticMixture as DiscretizedLogisticMixture,
)
from tfvae.likelihoods.location_scale import Laplace as Laplace
from tfvae.likelihoods.location_scale import Normal as Normal
from tfvae.likelihoods.location_scale import StudentT as StudentT
from tfvae.likelihoods.log_normal import LogNormal as LogNormal
from tfvae.likelihoods.observed import Observed as Observed
from tfvae.likelihoods.rescaled import Rescaled as Rescaled
