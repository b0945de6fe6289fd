"""The pieces a `VAE` uses for the arguments that its caller leaves out."""

from typing import TYPE_CHECKING

from tfvae.gradients import Enumeration, Pathwise, ScoreFunction
from tfvae.likelihoods import Bernoulli as likelihood
from tfvae.objectives import ELBO as objective
from tfvae.posteriors import DiagonalNormal as posterior
from tfvae.priors import StandardNormal as prior

if TYPE_CHECKING:
    from tfvae.gradients import Estimator
    from tfvae.posteriors import Posterior

__all__ = ["estimator", "likelihood", "objective", "posterior", "prior"]

# Up to this many values of z, an expectation is summed exactly. Beyond it, it is estimated.
MAX_VALUES = 64


def estimator(posterior: "Posterior", latent_dim: int | list[int]) -> "Estimator":
    """Returns the default gradient estimator for a posterior.

    Args:
        posterior: q(z|x).
        latent_dim: D, or the sizes of all layers of latents.

    Returns:
        `Pathwise` for reparameterized posteriors. For the others, `Enumeration` where z has
        at most 64 values, else `ScoreFunction`.
    """
    if posterior.reparameterized:
        return Pathwise()
    values = posterior.enumerate_support(latent_dim)
    return ScoreFunction() if values is None or len(values) > MAX_VALUES else Enumeration()
