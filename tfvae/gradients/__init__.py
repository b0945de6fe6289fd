"""The gradient estimators: they choose the gradient of a loss, and never change its value.

The latent is z = g(eps; x), and log_weights[k, b] = log p(x, z) - log q(z|x). In it log q depends
on the encoder twice: through z, and through the parameters of its density. The estimators differ
in how they treat these two.
"""

from tfvae.gradients.base import Estimator as Estimator
from tfvae.gradients.base import Latents as Latents
from tfvae.gradients.discrete import Enumeration as Enumeration
from tfvae.gradients.discrete import ScoreFunction as ScoreFunction
from tfvae.gradients.pathwise import DoublyReparameterized as DoublyReparameterized
from tfvae.gradients.pathwise import Pathwise as Pathwise
from tfvae.gradients.pathwise import StickingTheLanding as StickingTheLanding
