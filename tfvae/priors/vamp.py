"""The VampPrior: a mixture of posteriors at pseudo-inputs."""

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import keras, register
from tfvae.errors import invalid
from tfvae.ops import networks
from tfvae.priors.mixture import Mixture
from tfvae.validation import arguments

if TYPE_CHECKING:
    from tfvae.models.vae import VAE
    from tfvae.random import Stream

tfd = tfp.distributions


@register
class VampPrior(Mixture):
    """The mixture p(z) = 1/C sum_c q(z|u_c) of posteriors at pseudo-inputs u [1], equation 9.

    The pseudo-inputs are learned. They start as examples of the first data that `fit` sees,
    chosen by the seed, and stay within the likelihood's range of values. In a conditional model
    each keeps the condition of its example, and p(z) is the same for every y.

    On pseudo-inputs the encoder runs as in evaluation. Its penalties (`activity_regularizer`,
    `add_loss`) count for x alone.

    Args:
        num_components: C.
        seed: seed of the choice of examples.

    Raises:
        InputError: fewer than one component, a seed that is not from 0 to 2^32 - 1, or a posterior
            that has no density or several layers.

    References:
        [1] Tomczak & Welling, VAE with a VampPrior. AISTATS 2018. arXiv:1705.07120.
    """

    starts_from_data = True

    def __init__(self, num_components: int = 100, seed: int = 0, **kwargs: Any) -> None:
        """Checks the number of components and the seed."""
        super().__init__(**kwargs)
        self.num_components = arguments.whole_number("num_components", num_components, 1)
        self.seed = arguments.seed("seed", seed)

    def bind_to(self, vae: "VAE") -> None:
        """Takes encoder, posterior and likelihood of the model.

        Args:
            vae: the model.

        Raises:
            InputError: a posterior that has no density or several layers, or a second model with
                another encoder, posterior or likelihood.
        """
        if not vae.posterior.has_density or isinstance(vae.latent_sizes, list):
            fix = "use GaussianMixture(), or ExPostMixture() after training"
            raise invalid(
                "a posterior of one layer with a density, for VampPrior", repr(vae.posterior), fix
            )

        encoder, posterior, likelihood = parts = vae.encoder, vae.posterior, vae.likelihood
        if self.built:
            self._check_same(parts)
            return

        self.event_shape, self.condition_shape = vae.event_shape, vae.condition_shape
        self.support = posterior.support
        low, high = likelihood.value_range or (None, None)
        # Functions, since Keras would track a layer held here as a part of the prior.
        self._parts = lambda: parts
        self._posterior = lambda: posterior

        def encode(x, y):
            x = x if low is None else tf.clip_by_value(x, low, high)
            with networks.beside_the_batch(encoder):
                return vae.encoder_params(x, None if y is None else vae.condition(y), False)

        self._encode = encode

    def _check_same(self, parts):
        """Refuses the parts of a second model, since they would change p(z) of the first."""
        others = [type(new).__name__ for new, own in zip(parts, self._parts()) if new is not own]
        if others:
            raise invalid(
                "VampPrior in one model, whose encoder makes its components, "
                "or in models that share encoder and pieces",
                f"a second model with another {' and '.join(others)}",
                "make a new VampPrior() for each model",
            )

    def build(self, latent_dim: int) -> None:
        """Creates the pseudo-inputs `[C, *event]`, and their conditions if there are any."""
        self.latent_dim = int(latent_dim)
        shape = (self.num_components, *self.event_shape)
        initial = keras.initializers.RandomUniform(0.0, 1.0, seed=self.seed)
        self.pseudo_inputs = self.add_weight(shape=shape, initializer=initial, name="pseudo_inputs")
        self.initialized = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="initialized"
        )

        if self.condition_shape is not None:
            shape = (self.num_components, *self.condition_shape)
            self.pseudo_conditions = self.add_weight(
                shape=shape, initializer="zeros", trainable=False, name="conditions"
            )
        self.built = True

    def initialize(self, x: np.ndarray | None, y: np.ndarray | None = None) -> None:
        """Sets the pseudo-inputs to chosen examples, unless an earlier call did.

        A missing element, NaN, begins at the mean of the others, since no gradient leads from it.

        Args:
            x: examples, `[N, *event]`, or None, which changes nothing.
            y: their conditions, `[N, ...]`, if the model is conditional.
        """
        if x is None or self.initialized > 0:  # a generator has no examples to give away
            return
        rng = np.random.default_rng(self.seed)
        rows = rng.choice(len(x), self.num_components, replace=len(x) < self.num_components)
        self.pseudo_inputs.assign(_filled(np.asarray(x, np.float32)[rows]))
        if self.condition_shape is not None:
            self.pseudo_conditions.assign(np.asarray(y, np.float32)[rows])
        self.initialized.assign(1.0)

    def distribution(self, y: tf.Tensor | None = None) -> tfp.distributions.Distribution:
        """Returns the mixture of the posteriors at the pseudo-inputs, over `[D]`. y is not used."""
        uniform = tfd.Categorical(logits=tf.zeros([self.num_components]))
        return tfd.MixtureSameFamily(uniform, self._posterior().distribution(self._params()))

    def sample(self, noise: "Stream", y: tf.Tensor | None = None) -> tf.Tensor:
        """Draws a pseudo-input for each sample, then z from its posterior.

        Args:
            noise: a stream of B samples.
            y: not used.

        Returns:
            z, `[B, D]`.
        """
        return self._sample(noise, self._params())

    def for_export(self) -> "_FrozenVamp":
        """Returns the sampler of the components as they are now, which needs no encoder."""
        return _FrozenVamp(self)

    def _sample(self, noise, params):
        chosen = self.choose(noise, tf.fill([self.num_components], 1.0 / self.num_components))
        return self._posterior().sample(tf.gather(params, chosen), noise)

    def _params(self):
        y = None if self.condition_shape is None else self.pseudo_conditions.value
        return self._encode(tf.cast(self.pseudo_inputs, tf.float32), y)  # [C, P]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "num_components": self.num_components, "seed": self.seed}


class _FrozenVamp:
    """The sampler of a VampPrior with its components computed, so that it needs no encoder."""

    def __init__(self, prior):
        self._prior, self._params = prior, prior._params().numpy()

    def sample(self, noise: "Stream", y: tf.Tensor | None = None) -> tf.Tensor:
        """Draws as `VampPrior.sample` does.

        Args:
            noise: a stream of B samples.
            y: not used.

        Returns:
            z, `[B, D]`.
        """
        return self._prior._sample(noise, tf.constant(self._params))


def _filled(examples):
    """Returns examples with the mean of those that have an element where it is missing."""
    missing = np.isnan(examples)
    known = np.where(missing, 0.0, examples)
    mean = known.sum(axis=0) / np.maximum((~missing).sum(axis=0), 1)
    return np.where(missing, mean, examples)
