"""Checks of pieces that users write: `check_prior(MyPrior())`.

They are the checks that this package's own pieces pass. Each raises a `CheckError` that names
the check, with what was expected, what was received and what to do. No test framework is needed.
"""

from tfvae.testing.checks import check_flow as check_flow
from tfvae.testing.checks import check_likelihood as check_likelihood
from tfvae.testing.checks import check_model as check_model
from tfvae.testing.checks import check_objective as check_objective
from tfvae.testing.checks import check_posterior as check_posterior
from tfvae.testing.checks import check_prior as check_prior
from tfvae.testing.failure import CheckError as CheckError
