"""Mixtures, and a mixture of normals."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import random
from tfvae._keras.backend import keras, register
from tfvae.ops import scales
from tfvae.priors.base import Prior
from tfvae.validation import arguments

tfd = tfp.distributions


class Mixture(Prior):
    """The base class of mixtures, p(z) = sum_c weight_c component_c(z).

    It holds the choice of the component, which all mixtures share.
    """

    def choose(self, noise: random.Stream, weights: tf.Tensor) -> tf.Tensor:
        """Draws the component of each sample, by inversion of the cumulative weights.

        Args:
            noise: a stream of B samples.
            weights: probabilities of the components, `[C]`, or `[B, C]` of each sample.

        Returns:
            Numbers of the components, int32 `[B]`.
        """
        u = noise.fold_in(random.TAGS["component"]).uniform(1)  # [B, 1]
        passed = u >= tf.cumsum(weights, axis=-1)[..., :-1]
        return tf.reduce_sum(tf.cast(passed, tf.int32), axis=1)


@register
class GaussianMixture(Mixture):
    """The mixture p(z) = sum_c softmax(logits)_c N(loc_c, diag(scale_c^2)), all learned.

    Args:
        num_components: C.
        spread: standard deviation of the first locations.

    Raises:
        InputError: fewer than one component, or a spread that is not positive.

    References:
        [1] Dilokthanakul et al., Deep Unsupervised Clustering with Gaussian Mixture VAEs. 2016.
            arXiv:1611.02648.
    """

    def __init__(self, num_components: int = 10, spread: float = 1.0, **kwargs: Any) -> None:
        """Checks the number of components and the spread."""
        super().__init__(**kwargs)
        self.num_components = arguments.whole_number("num_components", num_components, 1)
        self.spread = arguments.positive_number("spread", spread)

    def build(self, latent_dim: int) -> None:
        """Creates logits `[C]`, and locations and scales `[C, D]`, for a latent of D numbers."""
        self.latent_dim = int(latent_dim)
        shape = (self.num_components, self.latent_dim)
        initial = keras.initializers.RandomNormal(stddev=self.spread, seed=0)

        self.logits = self.add_weight(
            shape=(self.num_components,), initializer="zeros", name="logits"
        )
        self.loc = self.add_weight(shape=shape, initializer=initial, name="loc")
        # Since softplus(0.5413) = 1, every scale starts at 1.
        self.raw_scale = self.add_weight(
            shape=shape, initializer=keras.initializers.Constant(0.5413), name="raw_scale"
        )
        self.built = True

    def distribution(self, y: tf.Tensor | None = None) -> tfp.distributions.Distribution:
        """Returns the mixture over `[D]`. y is not used."""
        components = tfd.Independent(tfd.Normal(tf.cast(self.loc, tf.float32), self._scale()), 1)
        return tfd.MixtureSameFamily(
            tfd.Categorical(logits=tf.cast(self.logits, tf.float32)), components
        )

    def sample(self, noise: random.Stream, y: tf.Tensor | None = None) -> tf.Tensor:
        """Draws a component for each sample, then z from its normal.

        Args:
            noise: a stream of B samples.
            y: not used.

        Returns:
            z, `[B, D]`.
        """
        chosen = self.choose(noise, tf.nn.softmax(tf.cast(self.logits, tf.float32)))
        loc, scale = tf.cast(self.loc, tf.float32), self._scale()
        return tf.gather(loc, chosen) + tf.gather(scale, chosen) * noise.normal(self.latent_dim)

    def _scale(self):
        return scales.of(tf.cast(self.raw_scale, tf.float32))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {
            **super().get_config(),
            "num_components": self.num_components,
            "spread": self.spread,
        }
