"""Priors over classes, and their relaxation."""

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfvae import random
from tfvae._keras.backend import register
from tfvae.distributions import simplex
from tfvae.pieces import ONE_HOT, SIMPLEX
from tfvae.priors.base import Prior
from tfvae.validation import arguments

if TYPE_CHECKING:
    import tensorflow_probability as tfp


@register
class Categorical(Prior):
    """The prior over G independent classes, each a one-hot vector of C numbers; D = G C.

    Args:
        num_classes: C; default D, one group.
        learn_weights: True to learn the probabilities of the classes. Otherwise they are equal.

    Raises:
        InputError: fewer than 2 classes, or a number that does not divide D.
    """

    support = ONE_HOT

    def __init__(
        self, num_classes: int | None = None, *, learn_weights: bool = False, **kwargs: Any
    ) -> None:
        """Checks the number of classes."""
        super().__init__(**kwargs)
        self.num_classes = (
            None if num_classes is None else arguments.whole_number("num_classes", num_classes, 2)
        )
        self.learn_weights = learn_weights

    def build(self, latent_dim: int) -> None:
        """Creates the logits of the classes, `[D]`.

        Args:
            latent_dim: D.

        Raises:
            InputError: a number of classes that does not divide D.
        """
        self.latent_dim = latent_dim
        self._classes = simplex.check_classes(self.num_classes, latent_dim)
        self.logits = self.add_weight(
            shape=(latent_dim,), initializer="zeros", trainable=self.learn_weights, name="logits"
        )
        self.built = True

    def distribution(self, y: tf.Tensor | None = None) -> "tfp.distributions.Distribution":
        """Returns independent categoricals over one-hot vectors, `[D]`. y is not used."""
        return simplex.one_hot(self._logits(), self._classes)

    def sample(self, noise: random.Stream, y: tf.Tensor | None = None) -> tf.Tensor:
        """Draws one class for each group.

        Args:
            noise: a stream of B samples.
            y: not used.

        Returns:
            One-hot vectors side by side, `[B, D]`.
        """
        noise = noise.fold_in(random.TAGS["component"])
        return simplex.draw_one_hot(self._logits()[None], self._classes, noise)

    def _logits(self):
        return tf.cast(self.logits, tf.float32)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "learn_weights": self.learn_weights,
        }


@register
class RelaxedCategorical(Categorical):
    """The prior over G independent Concrete variables of C classes [1]; D = G C.

    It goes with `posteriors.RelaxedCategorical`.

    Args:
        num_classes: C; default D, one group.
        temperature: positive. [1] uses 0.5 in section 5, beside 0.67 for the posterior.
        learn_weights: True to learn the probabilities of the classes. Otherwise they are equal.

    Raises:
        InputError: fewer than 2 classes, a number that does not divide D, or a temperature that
            is not positive.

    References:
        [1] Maddison et al., The Concrete Distribution. ICLR 2017. arXiv:1611.00712.
    """

    support = SIMPLEX

    def __init__(
        self,
        num_classes: int | None = None,
        temperature: float = 0.5,
        *,
        learn_weights: bool = False,
        **kwargs: Any,
    ) -> None:
        """Checks the temperature and the number of classes."""
        super().__init__(num_classes, learn_weights=learn_weights, **kwargs)
        self.temperature = arguments.positive_number("temperature", temperature)

    def distribution(self, y: tf.Tensor | None = None) -> "tfp.distributions.Distribution":
        """Returns Concrete distributions over the simplexes, `[D]`. y is not used."""
        return simplex.Relaxed(self._logits(), self.temperature, self._classes)

    def sample(self, noise: random.Stream, y: tf.Tensor | None = None) -> tf.Tensor:
        """Draws one point of the simplex for each group.

        Args:
            noise: a stream of B samples.
            y: not used.

        Returns:
            Points of the simplex side by side, `[B, D]`.
        """
        noise = noise.fold_in(random.TAGS["component"])
        return simplex.draw_relaxed(self._logits(), self.temperature, self._classes, noise)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "temperature": self.temperature}
