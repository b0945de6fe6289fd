"""The normal distribution with a full covariance."""

import tensorflow_probability as tfp

tfd = tfp.distributions


class MultivariateNormalTriL(tfp.distributions.MultivariateNormalTriL):
    """TFP's distribution, with a KL divergence from a factorized normal.

    TFP has that divergence only between two multivariate normals. Registered for a class of our
    own, it leaves TFP's classes as they are.
    """


@tfd.RegisterKL(MultivariateNormalTriL, tfd.Independent)
def _kl_full_factorized(q, p, name=None):
    """Computes KL(q || p) in nats for a full normal q and a factorized normal p."""
    if not isinstance(p.distribution, tfd.Normal):
        raise NotImplementedError
    return q.kl_divergence(
        tfd.MultivariateNormalDiag(p.distribution.loc, p.distribution.scale), name=name
    )
