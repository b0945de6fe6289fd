"""Distributions of several layers of latents, each given the one before by a network."""

import contextlib

import tensorflow_probability as tfp


class Chain(tfp.distributions.JointDistributionSequential):
    """p(a) p(b|a) p(c|b) ..., in which a network runs once for each draw and for each density.

    TFP draws samples of its own besides, from which it learns shapes. Networks run as in evaluation
    then, so that dropout and moving statistics are of the data alone.

    Args:
        first: distribution of the first layer.
        conditionals: functions of a layer and `training` to the distribution of the next.
        training: whether networks run as in training.
    """

    def __init__(self, first, conditionals, training):
        self._training = training
        super().__init__([first, *[self._given(conditional) for conditional in conditionals]])

    def _given(self, conditional):
        # TFP names layers by this argument, and names must differ; `_` gives none.
        return lambda _: conditional(_, self._training)

    def _get_single_sample_distributions(self, candidate_dists=None):
        with self._for_shapes():
            return super()._get_single_sample_distributions(candidate_dists)

    def _get_static_distribution_attributes(self, seed=None):
        with self._for_shapes():
            return super()._get_static_distribution_attributes(seed)

    @contextlib.contextmanager
    def _for_shapes(self):
        before, self._training = self._training, False
        try:
            yield
        finally:
            self._training = before
