"""What is minimized: bounds on log p(x), made of their terms."""

from tfvae.objectives.bounds import CIWAE as CIWAE
from tfvae.objectives.bounds import ELBO as ELBO
from tfvae.objectives.bounds import IWAE as IWAE
from tfvae.objectives.bounds import MIWAE as MIWAE
from tfvae.objectives.bounds import PIWAE as PIWAE
from tfvae.objectives.bounds import Objective as Objective
from tfvae.objectives.terms import Terms as Terms
