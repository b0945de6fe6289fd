"""Gradient estimators: which gradient a loss gets. They never change its value.

With z = g(eps; x) and log_weights[k, b] = log p(x, z) - log q(z|x), in which log q depends
on the encoder twice: through z, and through the parameters of its density. Estimators
differ in how they treat those two.
"""

from tfvae.gradients.base import Estimator as Estimator
from tfvae.gradients.base import Latents as Latents
from tfvae.gradients.discrete import Enumeration as Enumeration
from tfvae.gradients.discrete import ScoreFunction as ScoreFunction
from tfvae.gradients.pathwise import DoublyReparameterized as DoublyReparameterized
from tfvae.gradients.pathwise import Pathwise as Pathwise
from tfvae.gradients.pathwise import StickingTheLanding as StickingTheLanding
