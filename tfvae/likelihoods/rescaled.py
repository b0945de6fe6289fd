"""The likelihood of data in units of their own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import keras, register
from tfvae.distributions.rescaled import Rescaled as RescaledElements
from tfvae.errors import invalid
from tfvae.likelihoods.base import Likelihood
from tfvae.ops import networks
from tfvae.ops.independent import is_independent

if TYPE_CHECKING:
    from tfvae.random import Stream

tfd = tfp.distributions


@register
class Rescaled(Likelihood):
    """The density of x = offset + unit * u, where the base is the likelihood of u.

    So a model standardizes its data itself, and its samples are in the data's units, on a device
    as well:

        mean, std = x.mean(axis=0), x.std(axis=0)
        vae = mlp_vae(shape, 8, likelihood=Rescaled(Normal(learn_scale=True), mean, std))
        vae.fit(x)

    The encoder sees u, and the log-likelihood is that of x: log p(u|z) - log unit, summed over
    the elements.

    Args:
        base: a density of independent elements, such as `Normal` or `LogNormal`.
        offset: a number, or numbers that broadcast to an event.
        unit: likewise, positive.

    Raises:
        InputError: a base that is no density, an offset that is not finite, a unit that is not
            positive and finite. When a model is built: numbers that do not broadcast to an event,
            or a base whose elements depend on each other.
    """

    of_each = ("offset", "unit")

    def __init__(
        self,
        base: Likelihood,
        offset: npt.ArrayLike = 0.0,
        unit: npt.ArrayLike = 1.0,
        **kwargs: Any,
    ) -> None:
        """Checks base and numbers; see the class for the arguments."""
        super().__init__(**kwargs)
        if not isinstance(base, Likelihood) or base.discrete:
            fix = "pass Rescaled(Normal(), mean, std); counts and categories have no unit"
            raise invalid("a likelihood that is a density, for Rescaled", repr(base), fix)
        self.base = base
        self.offset = _numbers("offset", offset)
        self.unit = _numbers("unit", unit)
        if np.min(self.unit) <= 0:
            fix = "leave out what never varies, or give it the unit 1"
            raise invalid("a positive unit", f"unit={self.unit}", fix)

        self.support = base.support
        self.unbounded_params = base.unbounded_params
        self.value_range = self._range()

    def _range(self):
        """Returns the range of x, where it is one for all elements."""
        if self.base.value_range is None or np.ndim(self.offset) or np.ndim(self.unit):
            return None
        low, high = (self.offset + self.unit * end for end in self.base.value_range)
        return (low, high)

    def build(self, event_shape: tuple[int, ...]) -> None:
        """Builds the base, and checks that the numbers fit an event.

        Raises:
            InputError: numbers of another shape, or a base whose elements depend on each other.
        """
        for name in ("offset", "unit"):
            shape = np.shape(getattr(self, name))
            if shape != () and not _broadcasts(shape, event_shape):
                raise invalid(
                    f"{name} of a shape that broadcasts to an event {tuple(event_shape)}",
                    f"shape {shape}",
                    "take the mean and the standard deviation over the axis of the examples",
                )

        self.base.build_once(event_shape)
        made = self.base.distribution(tf.zeros([1, *self.params_shape(event_shape)]))
        if not is_independent(made) or made.distribution.event_shape.rank:
            raise invalid(
                "a likelihood of independent elements, for Rescaled",
                repr(self.base),
                "use Normal(), Laplace(), StudentT() or LogNormal()",
            )
        self.built = True

    def kept(self, event_shape: tuple[int, ...]) -> int | tuple[int, ...]:
        """Returns the part of the shape that the base keeps."""
        return self.base.kept(event_shape)

    def params_shape(self, event_shape: Sequence[int]) -> tuple[int, ...]:
        """Returns the base's shape."""
        return self.base.params_shape(event_shape)

    def distribution(self, params: tf.Tensor) -> tfp.distributions.Distribution:
        """Returns the base's distribution in the data's units."""
        return self._in_units(self.base.distribution(params))

    def training_distribution(
        self, params: tf.Tensor, x: tf.Tensor, example_weights: tf.Tensor | None = None
    ) -> tfp.distributions.Distribution:
        """Returns the base's distribution for training, in the data's units.

        Args:
            params: the decoder's output, `[K, B, *params_shape]`.
            x: the batch, `[B, *event]`.
            example_weights: `[B]`, or None if all examples count 1.
        """
        return self._in_units(
            networks.fitted(self.base, params, self._standard(x), example_weights)
        )

    @property
    def updates_state_in_training(self) -> bool:
        """True if the base fits a number to each batch."""
        return self.base.updates_state_in_training

    def encoder_input(self, x: tf.Tensor) -> tf.Tensor:
        """Returns u in the form in which the base's encoder sees it."""
        return self.base.encoder_input(self._standard(x))

    def dimensions(self, event_shape: Sequence[int]) -> int:
        """Returns the base's number of dimensions."""
        return self.base.dimensions(event_shape)

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        """Computes offset + unit * E[u|z]."""
        return self._moved(self.base.mean(params))

    def draw(self, params: tf.Tensor, noise: "Stream") -> tf.Tensor:
        """Draws u from the base, and returns offset + unit * u.

        Args:
            params: the decoder's output, `[B, *params_shape]`.
            noise: noise of B samples.
        """
        return self._moved(self.base.draw(params, noise))

    def in_support(self, x: np.ndarray | tf.Tensor) -> np.ndarray | tf.Tensor:
        """Returns which elements are in the base's support, in their units."""
        return self.base.in_support(self._standard(x))

    def fix_hint(self, x: np.ndarray) -> str:
        """Returns the base's hint."""
        return self.base.fix_hint(self._standard(x))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make an equal piece, the base serialized."""
        return {
            **super().get_config(),
            "base": keras.saving.serialize_keras_object(self.base),
            "offset": self.offset,
            "unit": self.unit,
        }

    def _in_units(self, independent):
        elements = RescaledElements(independent.distribution, self.offset, self.unit)
        return tfd.Independent(elements, independent.reinterpreted_batch_ndims)

    def _standard(self, x):
        """Returns u, for an array or a tensor x."""
        if tf.is_tensor(x) and not x.dtype.is_floating:  # in whose type units would be cut off
            x = tf.cast(x, tf.float32)
        dtype = x.dtype.as_numpy_dtype if tf.is_tensor(x) else np.float32
        return (x - np.asarray(self.offset, dtype)) / np.asarray(self.unit, dtype)

    def _moved(self, u):
        return tf.constant(self.offset, u.dtype) + tf.constant(self.unit, u.dtype) * u


def _numbers(name, values):
    """Returns a finite number or a nested list of them, as JSON has them."""
    try:
        array = np.asarray(values, np.float64)
        finite = bool(np.isfinite(array).all()) and array.size > 0
    except (TypeError, ValueError):
        finite = False
    if not finite or isinstance(values, bool):
        fix = f"pass {name}=1.0, or an array of a number for each element"
        raise invalid(f"{name} of finite numbers", f"{name}={values!r}", fix)
    return array.tolist()


def _broadcasts(shape, event_shape):
    """Returns True if numbers of a shape broadcast to an event and to no larger shape."""
    try:
        return np.broadcast_shapes(shape, tuple(event_shape)) == tuple(event_shape)
    except ValueError:
        return False
