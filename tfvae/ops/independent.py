"""Recognizes distributions of independent elements."""

import tensorflow_probability as tfp


def is_independent(distribution: tfp.distributions.Distribution) -> bool:
    """Returns True for a `tfd.Independent`, of elements of any class.

    Of elements that are no composite tensor, such as those of a class that a user writes, TFP makes
    an object that is no instance of `tfd.Independent`.

    Args:
        distribution: any distribution.
    """
    return hasattr(distribution, "reinterpreted_batch_ndims")
