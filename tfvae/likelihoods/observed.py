"""The likelihood of the observed elements of data with missing elements."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import keras, register
from tfvae.errors import invalid
from tfvae.likelihoods.base import Likelihood
from tfvae.ops import networks
from tfvae.ops.independent import is_independent
from tfvae.validation import arguments

if TYPE_CHECKING:
    from tfvae.random import Stream

tfd = tfp.distributions
_TRIED = 16  # parameters for which the density is tried


@register
class Observed(Likelihood):
    """p(x_observed|z): elements of x that are NaN are missing and left out [1], equation 3.

    With `IWAE(K)` the bound is the MIWAE bound for elements missing at random ([1],
    equation 4). `tfvae.imputation.impute` fills the missing elements in.

        vae = mlp_vae(shape, 8, likelihood=Observed(Normal(0.1)), objective=IWAE(20))
        vae.fit(x_with_nan)

    Args:
        base: the likelihood of the elements. Given z they are independent of each other.
        fill: the value the encoder sees for a missing element, in the data's units.

    Raises:
        InputError: a base that is not a likelihood, or a fill that is not a finite number. When
            a model is built: a base whose elements depend on each other, or whose density at
            its own mean and mode is not finite.

    References:
        [1] Mattei & Frellsen, MIWAE: Deep Generative Modelling and Imputation of Incomplete
            Data Sets. ICML 2019. arXiv:1812.02633.
    """

    of_each = ("fill",)

    def __init__(self, base: Likelihood, fill: float = 0.0, **kwargs: Any) -> None:
        """Checks base and fill; see the class for the arguments."""
        super().__init__(**kwargs)
        if not isinstance(base, Likelihood):
            raise invalid("a likelihood to observe", repr(base), "pass Observed(Normal(0.1))")
        self.base = base
        self.fill = arguments.real_number("fill", fill)
        self.support = f"{base.support}, or NaN where missing"
        self.value_range = base.value_range
        self.unbounded_params = base.unbounded_params
        self.discrete = base.discrete

    def build(self, event_shape: tuple[int, ...]) -> None:
        """Builds the base, and finds the value that missing elements take in its density.

        Raises:
            InputError: a base whose elements depend on each other, or without such a value.
        """
        self.base.build_once(event_shape)
        shape = self.params_shape(event_shape)
        tried = np.random.default_rng(0).normal(size=(_TRIED, *shape)).astype(np.float32)
        found = self.base.distribution(tf.constant(tried))
        if not is_independent(found):
            raise invalid(
                "a likelihood of independent elements, for Observed",
                repr(self.base),
                "use Normal() or Bernoulli()",
            )

        able = [value for value in _STAND_INS if _has_density(found.distribution, value)]
        if not able:
            raise invalid(
                "a likelihood with a finite density at 0, at its mean or at its mode, for Observed",
                repr(self.base),
                "define the mean of its distribution, or use Normal()",
            )
        self._stand_in = able[0]
        self.built = True

    def kept(self, event_shape: tuple[int, ...]) -> int | tuple[int, ...]:
        """Returns the part of the shape that the base keeps."""
        return self.base.kept(event_shape)

    def params_shape(self, event_shape: Sequence[int]) -> tuple[int, ...]:
        """Returns the base's shape."""
        return self.base.params_shape(event_shape)

    def distribution(self, params: tf.Tensor) -> tfp.distributions.Distribution:
        """Returns the base's distribution; NaN adds nothing to its log-probability."""
        return _ObservedElements(self.base.distribution(params), self._stand_in)

    def training_distribution(
        self, params: tf.Tensor, x: tf.Tensor, example_weights: tf.Tensor | None = None
    ) -> tfp.distributions.Distribution:
        """Returns the base's distribution for training; NaN adds nothing to its log-probability.

        Args:
            params: the decoder's output, `[K, B, *params_shape]`.
            x: the batch, `[B, *event]`, NaN where missing.
            example_weights: `[B]`, or None if all examples count 1.

        Raises:
            InputError: example weights for a base whose own method does not take them.
        """
        fitted = networks.fitted(self.base, params, x, example_weights)
        return _ObservedElements(fitted, self._stand_in)

    @property
    def updates_state_in_training(self) -> bool:
        """True if the base fits a number to each batch."""
        return self.base.updates_state_in_training

    def encoder_input(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the base's view of x, with `fill` for missing elements."""
        return self.base.encoder_input(tf.where(x == x, x, tf.cast(self.fill, x.dtype)))

    def dimensions(self, event_shape: Sequence[int]) -> int:
        """Returns the base's number of dimensions, missing elements included."""
        return self.base.dimensions(event_shape)

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        """Computes the base's mean of all elements."""
        return self.base.mean(params)

    def draw(self, params: tf.Tensor, noise: "Stream") -> tf.Tensor:
        """Draws all elements from the base.

        Args:
            params: the decoder's output, `[B, *params_shape]`.
            noise: noise of B samples.
        """
        return self.base.draw(params, noise)

    def in_support(self, x: np.ndarray | tf.Tensor) -> np.ndarray | tf.Tensor:
        """Returns which elements are NaN or in the base's support."""
        return (x != x) | self.base.in_support(x)

    def prepare_for_training(self, x: np.ndarray | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns x as the base prepares it. NaN stays.

        Args:
            x: a batch, `[B, *event]`.
            seed: int32 `[2]`, for a base that randomizes its data.
        """
        x = tf.cast(x, tf.float32)
        return tf.where(x == x, self.base.prepare_for_training(tf.where(x == x, x, 0.0), seed), x)

    def prepare_for_evaluation(self, x: np.ndarray) -> tuple[np.ndarray, str | None]:
        """Returns x as the base prepares it for evaluation, and its note. NaN stays."""
        found, note = self.base.prepare_for_evaluation(np.where(x == x, x, 0))
        return np.where(x == x, found, x), note

    def fix_hint(self, x: np.ndarray) -> str:
        """Returns the base's hint for the observed elements, in the shape of the data."""
        return self.base.fix_hint(np.where(x == x, x, 0))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make an equal piece, the base serialized."""
        return {
            **super().get_config(),
            "base": keras.saving.serialize_keras_object(self.base),
            "fill": self.fill,
        }


# What a missing element may be in a density that is computed, but not used.
_STAND_INS = (
    lambda elements: 0.0,
    lambda elements: tf.stop_gradient(elements.mean()),
    lambda elements: tf.stop_gradient(elements.mode()),
)


def _has_density(elements, stand_in):
    """Returns True if the density of the elements is finite at a value that stands in."""
    shape = tf.concat([elements.batch_shape_tensor(), elements.event_shape_tensor()], axis=0)
    try:
        x = tf.broadcast_to(tf.cast(stand_in(elements), tf.float32), shape)
        return bool(tf.reduce_all(tf.math.is_finite(elements.log_prob(x))))
    except NotImplementedError:
        return False


class _ObservedElements(tfp.distributions.Distribution):
    """Independent elements. Those that are NaN add nothing to the log-probability.

    Args:
        complete: the distribution of all elements, a `tfd.Independent`.
        stand_in: a function from the elements' distribution to the value at which the density of
            a missing element is computed. It is not used, but it must be finite: a gradient
            of it is multiplied by 0.
    """

    def __init__(self, complete, stand_in):
        super().__init__(
            complete.dtype,
            complete.reparameterization_type,
            validate_args=False,
            allow_nan_stats=True,
            name="Observed",
        )
        self._complete = complete
        self._stand_in = stand_in

    def _batch_shape(self):
        return self._complete.batch_shape

    def _event_shape(self):
        return self._complete.event_shape

    def _sample_n(self, n, seed=None):
        return self._complete.sample(n, seed=seed)

    def _mean(self):
        return self._complete.mean()

    def _log_prob(self, x):
        elements = self._complete.distribution
        observed = tf.equal(x, x)
        instead = tf.cast(self._stand_in(elements), x.dtype)
        log_prob = elements.log_prob(tf.where(observed, x, instead))
        inner = elements.event_shape.rank  # not 0 if elements are vectors
        if inner:  # A vector with one NaN is missing as a whole.
            observed = tf.reduce_all(observed, axis=list(range(-inner, 0)))

        axes = list(range(-(self._complete.event_shape.rank - inner), 0))
        return tf.reduce_sum(tf.where(observed, log_prob, tf.zeros_like(log_prob)), axis=axes)
