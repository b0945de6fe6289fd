"""The objectives that training minimizes: bounds on log p(x), made of their terms."""

from tfvae.objectives.base import Objective as Objective
from tfvae.objectives.elbo import ELBO as ELBO
from tfvae.objectives.importance_weighted import CIWAE as CIWAE
from tfvae.objectives.importance_weighted import IWAE as IWAE
from tfvae.objectives.importance_weighted import MIWAE as MIWAE
from tfvae.objectives.importance_weighted import PIWAE as PIWAE
from tfvae.objectives.tempered import TVO as TVO
from tfvae.objectives.tempered import Renyi as Renyi
from tfvae.objectives.terms import Terms as Terms
