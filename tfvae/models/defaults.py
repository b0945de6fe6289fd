"""What a model is made of where nothing is said."""

from tfvae.gradients import Enumeration, Pathwise, ScoreFunction
from tfvae.likelihoods import Bernoulli as likelihood
from tfvae.objectives import ELBO as objective
from tfvae.posteriors import DiagonalNormal as posterior
from tfvae.priors import StandardNormal as prior

__all__ = ["estimator", "likelihood", "objective", "posterior", "prior"]

# Values of z over which an expectation is summed rather than estimated.
MAX_VALUES = 64


def estimator(posterior, latent_dim):
    """The gradient estimator for a posterior: pathwise, or of classes their sum where they are few."""
    if posterior.reparameterized:
        return Pathwise()
    values = posterior.values(latent_dim)
    return ScoreFunction() if values is None or len(values) > MAX_VALUES else Enumeration()
