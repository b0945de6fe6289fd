"""The base classes of likelihoods."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import tensorflow as tf

from tfvae.pieces import Piece

if TYPE_CHECKING:
    import numpy as np
    import tensorflow_probability as tfp

    from tfvae.random import Stream


class Likelihood(Piece):
    """Makes p(x|z) from the decoder's output, draws from it, and says which data it models.

    Attributes:
        support: the values with a density or a probability, in words.
        discrete: True if p(x|z) is a probability and not a density. Only then are there bits per
            dimension.
        value_range: `(low, high)` of those values, or None if they have no bounds.
        of_each: names of the attributes, numbers or weights, in which likelihoods of one kind may
            differ, if several of them can be computed at once with arrays in their place, see
            `Columns`. A subclass that has none of its own stands alone.
        elementwise: True if the mean of each element is a function of one number of the
            decoder's output, the same function for all elements.
    """

    support = "finite numbers"
    mean_is_elementwise = False
    discrete = False
    value_range: tuple[float, float] | None = None
    of_each: tuple[str, ...] | None = None

    def params_shape(self, event_shape: Sequence[int]) -> tuple[int, ...]:
        """Returns the shape of the decoder's output for one example."""
        return tuple(event_shape)

    def params_size(self, event_shape: Sequence[int]) -> int:
        """Returns how many numbers the decoder gives for one example."""
        return math.prod(self.params_shape(event_shape))

    def distribution(self, params: tf.Tensor) -> "tfp.distributions.Distribution":
        """Returns p(x|z), of batch `[...]` over one event, for params `[..., *params_shape]`."""
        raise NotImplementedError

    def training_distribution(
        self, params: tf.Tensor, x: tf.Tensor, example_weights: tf.Tensor | None = None
    ) -> "tfp.distributions.Distribution":
        """Returns p(x|z) as the training step uses it.

        A likelihood that fits a number to each batch overrides this. By default it is
        `distribution(params)`.

        Args:
            params: the decoder's output, `[K, B, *params_shape]`.
            x: the batch, `[B, *event]`.
            example_weights: `[B]`, or None if all examples count 1. An example of weight 0 has
                no influence on the fit.

        Returns:
            A distribution of batch `[K, B]` over one event.
        """
        del x, example_weights
        return self.distribution(params)

    @property
    def updates_state_in_training(self) -> bool:
        """True if `training_distribution` may change weights, so a step calls it only once."""
        return type(self).training_distribution is not Likelihood.training_distribution

    @property
    def randomizes(self) -> bool:
        """True if `prepare` draws, and so needs noise of its own."""
        return False

    def encoder_input(self, x: tf.Tensor) -> tf.Tensor:
        """Returns x `[B, *event]` in the form the encoder sees, of the same shape."""
        return x

    def dimensions(self, event_shape: Sequence[int]) -> int:
        """Returns how many dimensions an example has when bits per dimension are computed."""
        return math.prod(event_shape)

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        """Computes E[x|z], `[..., *event]`, for params `[..., *params_shape]`."""
        return self.distribution(params).mean()

    def draw(self, params: tf.Tensor, noise: "Stream") -> tf.Tensor:
        """Draws x ~ p(x|z) from a counter-based stream.

        Args:
            params: the decoder's output, `[B, *params_shape]`.
            noise: noise of B samples.

        Returns:
            x, `[B, *event]`.
        """
        raise NotImplementedError

    def in_support(self, x: "np.ndarray | tf.Tensor") -> "np.ndarray | tf.Tensor":
        """Returns which elements of `x` the likelihood can model, Booleans of x's shape.

        The default uses operators only, so that it serves NumPy arrays and tensors.
        """
        return (x == x) & (abs(x) != float("inf"))

    def prepare_for_training(self, x: "np.ndarray | tf.Tensor", seed: tf.Tensor) -> tf.Tensor:
        """Returns training data in the form the likelihood models.

        Args:
            x: a batch within `in_support`, `[B, *event]`, any dtype.
            seed: int32 `[2]`, new in every step. Likelihoods that randomize their data use it.

        Returns:
            The data, float32 `[B, *event]`.
        """
        del seed
        return tf.cast(x, tf.float32)

    def prepare_for_evaluation(self, x: "np.ndarray") -> "tuple[np.ndarray, str | None]":
        """Returns evaluation data in the form the likelihood models, the same in every call.

        Returns:
            (x, note): an array of x's shape, and a note for reports. The note says in words
            how the data were changed; it is None if they were not.
        """
        return x, None

    def fix_hint(self, x: "np.ndarray") -> str:
        """Returns the likely fix, an imperative sentence, for data outside the support."""
        del x
        return "remove or repair these values"


class Elements(Likelihood):
    """Base of likelihoods of independent elements, built for a number of axes of the event.

    Attributes:
        event_rank: the number of axes of an event.
    """

    def build(self, event_shape: tuple[int, ...]) -> None:
        """Keeps the number of axes of an event."""
        self.event_rank = len(event_shape)
        self.built = True

    def kept(self, event_shape: tuple[int, ...]) -> int | tuple[int, ...]:
        """Returns the number of axes, so that models of other sizes may share this piece."""
        return len(event_shape)
