"""Distributions of several layers of latents, each given the one before by a network."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import tensorflow_probability as tfp

if TYPE_CHECKING:
    import tensorflow as tf


class Chain(tfp.distributions.JointDistributionSequential):
    """The joint distribution p(a) p(b|a) p(c|b) ... of layers.

    Each network runs once per draw and once per density.

    TFP also draws samples of its own, to learn shapes. The networks then run as in evaluation.
    Dropout and moving statistics therefore see the data alone.

    Args:
        first: distribution of the first layer.
        conditionals: functions of (layer, training) that return the next layer's distribution.
        training: whether networks run as in training.
    """

    def __init__(
        self,
        first: tfp.distributions.Distribution,
        conditionals: "Sequence[Callable[[tf.Tensor, bool], tfp.distributions.Distribution]]",
        training: bool,
    ) -> None:
        """Joins the layers; see the class for the arguments."""
        self._training = training
        super().__init__([first, *[self._given(conditional) for conditional in conditionals]])

    def _given(self, conditional):
        # TFP names layers after this argument, and names must differ. It ignores the name `_`.
        return lambda _: conditional(_, self._training)

    def _get_single_sample_distributions(self, candidate_dists=None):
        with self._for_shapes():
            return super()._get_single_sample_distributions(candidate_dists)

    def _get_static_distribution_attributes(self, seed=None):
        with self._for_shapes():
            return super()._get_static_distribution_attributes(seed)

    @contextlib.contextmanager
    def _for_shapes(self) -> Iterator[None]:
        """Runs the networks as in evaluation within the block."""
        before, self._training = self._training, False
        try:
            yield
        finally:
            self._training = before
