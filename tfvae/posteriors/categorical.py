"""Posteriors over classes, and their relaxation."""

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae._keras.backend import keras, register
from tfvae.distributions import simplex
from tfvae.pieces import ONE_HOT, SIMPLEX
from tfvae.posteriors.base import Posterior
from tfvae.validation import arguments

if TYPE_CHECKING:
    import tensorflow as tf
    import tensorflow_probability as tfp

    from tfvae.random import Stream


class _Classes(Posterior):
    """The shared part of posteriors by logits `[B, D]`, for G groups of `num_classes` classes."""

    unbounded_params = "logits"

    def __init__(self, num_classes: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes = (
            None if num_classes is None else arguments.whole_number("num_classes", num_classes, 2)
        )

    def build(self, latent_dim: int) -> None:
        """Takes the number of classes from the latent size if none was given.

        Args:
            latent_dim: D.

        Raises:
            InputError: a number of classes that does not divide D.
        """
        self._classes = simplex.check_classes(self.num_classes, latent_dim)
        self.built = True

    def params_size(self, latent_dim: int) -> int:
        """Returns D, one logit for each number of the latent."""
        return latent_dim

    def encode_outputs(self, params: "tf.Tensor") -> "dict[str, tf.Tensor]":
        """Returns `{"loc": [B, D]}`, without a scale."""
        return {"loc": self.point_estimate(params)}

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "num_classes": self.num_classes}


@register
class Categorical(_Classes):
    """The posterior over G independent classes, each a one-hot vector of C numbers; D = G C.

    A draw has no gradient. If z has few values, `gradients.Enumeration` sums the bound over
    all of them exactly. Otherwise `gradients.ScoreFunction` estimates the gradient. The encoder
    gives the logits, `[B, D]`. `location` is the most probable class.

    Args:
        num_classes: C; default D, one group.

    Raises:
        InputError: fewer than 2 classes, or a number that does not divide D.

    References:
        [1] Mnih & Rezende, Variational inference for Monte Carlo objectives. ICML 2016.
            arXiv:1602.06725.
    """

    support = ONE_HOT
    reparameterized = False

    def distribution(self, params: "tf.Tensor") -> "tfp.distributions.Distribution":
        """Returns independent categoricals over one-hot vectors, for logits `[B, D]`."""
        return simplex.one_hot(params, self._classes)

    def sample(self, params: "tf.Tensor", noise: "Stream") -> "tf.Tensor":
        """Draws one class for each group.

        Args:
            params: logits, `[B, D]`.
            noise: a stream of B samples.

        Returns:
            One-hot vectors side by side, `[B, D]`.
        """
        return simplex.draw_one_hot(params, self._classes, noise)

    def point_estimate(self, params: "tf.Tensor") -> "tf.Tensor":
        """Returns the most probable class of each group as one-hot vectors, `[B, D]`."""
        return simplex.argmax(params, self._classes)

    def num_values(self, latent_dim: int) -> int | None:
        """Returns C^G, or None if it is above 2^20."""
        count = int(self._classes) ** (latent_dim // self._classes)
        return count if count <= 2**20 else None

    def enumerate_support(self, latent_dim: int) -> np.ndarray | None:
        """Returns every combination of classes.

        Args:
            latent_dim: D.

        Returns:
            One-hot vectors, float32 `[S, D]` with S = C^G, or None if S is above 2^20.
        """
        if self.num_values(latent_dim) is None:
            return None
        groups = latent_dim // self._classes
        classes = np.array(list(itertools.product(range(self._classes), repeat=groups)))
        return np.eye(self._classes, dtype=np.float32)[classes].reshape(len(classes), latent_dim)


@register
class RelaxedCategorical(_Classes):
    """The posterior over G independent Concrete [1] or Gumbel-softmax [2] variables; D = G C.

    Each variable has C classes, and z lies on the simplex. Its density is the Concrete one, of
    equation 10 in [1]. Bound and NLL therefore belong to the relaxed model, whose prior is
    `priors.RelaxedCategorical`. The encoder gives the logits, `[B, D]`.

    The temperature is a weight that is not trained. Anneal it with a callback:
    `keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs:
    vae.posterior.temperature.assign(...))`.

    Args:
        num_classes: C; default D, one group.
        initial_temperature: the first temperature, positive.

    Raises:
        InputError: fewer than 2 classes, a number that does not divide D, or a temperature that
            is not positive.

    References:
        [1] Maddison et al., The Concrete Distribution. ICLR 2017. arXiv:1611.00712.
        [2] Jang et al., Categorical Reparameterization with Gumbel-Softmax. ICLR 2017.
            arXiv:1611.01144.
    """

    support = SIMPLEX

    def __init__(
        self, num_classes: int | None = None, initial_temperature: float = 0.67, **kwargs: Any
    ) -> None:
        """Checks the temperature and the number of classes."""
        super().__init__(num_classes, **kwargs)
        self.initial_temperature = arguments.positive_number(
            "initial_temperature", initial_temperature
        )

    def build(self, latent_dim: int) -> None:
        """Creates the temperature, a weight that is not trained.

        Args:
            latent_dim: D.

        Raises:
            InputError: a number of classes that does not divide D.
        """
        super().build(latent_dim)
        initial = keras.initializers.Constant(self.initial_temperature)
        self.temperature = self.add_weight(
            shape=(), initializer=initial, trainable=False, name="temperature"
        )

    def distribution(self, params: "tf.Tensor") -> "tfp.distributions.Distribution":
        """Returns Concrete distributions at the present temperature, for logits `[B, D]`."""
        return simplex.Relaxed(params, self.temperature.value, self._classes)

    def sample(self, params: "tf.Tensor", noise: "Stream") -> "tf.Tensor":
        """Draws one point of the simplex for each group.

        Args:
            params: logits, `[B, D]`.
            noise: a stream of B samples.

        Returns:
            Points of the simplex side by side, `[B, D]`.
        """
        return simplex.draw_relaxed(params, self.temperature.value, self._classes, noise)

    def point_estimate(self, params: "tf.Tensor") -> "tf.Tensor":
        """Returns the probabilities of the classes of each group, `[B, D]`."""
        return simplex.softmax(params, self._classes)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "initial_temperature": self.initial_temperature}
