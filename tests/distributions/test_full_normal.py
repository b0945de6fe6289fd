"""The full normal against its formula; what is added to TFP is added for our class alone."""

import numpy as np
import pytest
import tensorflow_probability as tfp

from tfvae.distributions.full_normal import MultivariateNormalTriL

tfd = tfp.distributions
LOC, TRIL = np.array([0.5, -1.0], np.float32), np.array([[0.7, 0.0], [0.4, 1.3]], np.float32)


def factorized():
    return tfd.Independent(tfd.Normal([0.2, 0.1], [1.1, 0.6]), 1)


def test_the_divergence_from_a_factorized_normal_is_its_formula():
    """KL = (tr(P S) + d' P d - D + log det(S_p) - log det(S_q)) / 2 with P = diag(1 / s^2)."""
    covariance, precision = TRIL @ TRIL.T, np.diag([1 / 1.1**2, 1 / 0.6**2])
    apart = LOC - [0.2, 0.1]
    logs = -np.log(np.linalg.det(precision)) - np.log(np.linalg.det(covariance))
    expected = 0.5 * (np.trace(precision @ covariance) + apart @ precision @ apart - 2 + logs)

    found = tfd.kl_divergence(MultivariateNormalTriL(LOC, TRIL), factorized())
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_tfps_own_class_is_left_as_it_was():
    with pytest.raises(NotImplementedError):
        tfd.kl_divergence(tfd.MultivariateNormalTriL(LOC, TRIL), factorized())


def test_a_divergence_from_another_factorized_distribution_is_not_known():
    laplace = tfd.Independent(tfd.Laplace([0.2, 0.1], [1.1, 0.6]), 1)
    with pytest.raises(NotImplementedError):
        tfd.kl_divergence(MultivariateNormalTriL(LOC, TRIL), laplace)
