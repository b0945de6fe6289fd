"""Priors p(z|y) whose parameters a network makes from y."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import random
from tfvae._keras.backend import keras, register
from tfvae.ops import networks
from tfvae.ops.networks import in_mode
from tfvae.posteriors.base import Posterior
from tfvae.posteriors.normal import DiagonalNormal
from tfvae.priors.mixture import Mixture
from tfvae.validation import arguments, compatibility, conditions, piece_arguments

serialize = keras.saving.serialize_keras_object
tfd = tfp.distributions


@register
class Conditional(Mixture):
    """The prior p(z|y) of a conditional model [1], by a network from y to its parameters [2].

    It is of the kind of a posterior, with y in place of x: `posteriors.DiagonalNormal()` makes
    it N(loc(y), diag(scale(y)^2)), and the rate of a posterior of the same kind has its closed
    form. With several components it is the mixture of them whose weights depend on y as well.

    Of P = `family.params_size(D)`, the network gives `[B, P]`; of C > 1 components it gives
    `[B, C + C P]`, first the logits of the components. For labels, a table is enough:

        network = keras.Sequential([keras.Input((), dtype="int32"), keras.layers.Embedding(10, P)])
        vae = tfvae.mlp_vae(shape, D, condition=10, prior=Conditional(network))

    Args:
        network: Keras network `[B, *condition] -> [B, P]`. It takes y as the encoder does.
        family: a posterior of one layer with a density; default `DiagonalNormal()`. The model's
            own posterior lies over the same set.
        num_components: C.

    Raises:
        InputError: fewer than one component; in a model, a family that has no density or several
            layers, a network with another input than y or another number of outputs, or a model
            without conditions.

    References:
        [1] Sohn et al., Learning Structured Output Representation using Deep Conditional
            Generative Models. NeurIPS 2015, section 4.
        [2] Khemakhem et al., Variational Autoencoders and Nonlinear ICA. AISTATS 2020.
            arXiv:1907.04809, equation 7.
    """

    def __init__(
        self,
        network: keras.Model | keras.Layer,
        family: Posterior | None = None,
        num_components: int = 1,
        **kwargs: Any,
    ) -> None:
        """Checks the number of components, and takes from the family what the model asks for."""
        super().__init__(**kwargs)
        piece_arguments.check_as("posterior", "family", family)
        self.network, self.networks_of_y = network, [network]
        self.family = family or DiagonalNormal()
        self.num_components = arguments.whole_number("num_components", num_components, 1)
        self.support, self.unbounded_params = self.family.support, self.family.unbounded_params
        self.factorized = self.family.factorized and self.num_components == 1

    def build(self, latent_dim: int) -> None:
        """Builds the family, and checks it and the size of the network's output.

        Args:
            latent_dim: D.

        Raises:
            InputError: a family that has no density or several layers, or another number of
                outputs; the message has both.
        """
        compatibility.check_conditional(self, latent_dim)
        self.family.build_once(latent_dim)
        self.built = True

    def distribution(
        self, y: tf.Tensor | None = None, training: bool = False
    ) -> tfp.distributions.Distribution:
        """Returns p(z|y), of batch `[B]` over `[D]`.

        Args:
            y: conditions `[B, *condition]`.
            training: True if the network runs as in training.

        Raises:
            InputError: no y.
        """
        logits, params = self._params(y, training)
        each = in_mode(self.family.distribution, params, training=training)
        return each if logits is None else tfd.MixtureSameFamily(tfd.Categorical(logits), each)

    def sample(self, noise: random.Stream, y: tf.Tensor | None = None) -> tf.Tensor:
        """Draws a component for each sample if there are several, then z from it.

        Args:
            noise: a stream of B samples.
            y: conditions `[B, *condition]`.

        Returns:
            z, `[B, D]`.

        Raises:
            InputError: no y.
        """
        logits, params = self._params(y)
        if logits is not None:
            chosen = self.choose(noise, tf.nn.softmax(logits))
            params = tf.gather(params, chosen, batch_dims=1)
        return self.family.sample(params, noise)

    def _params(self, y, training=False):
        """Returns logits `[B, C]` and params `[B, C, P]`; of one component None and `[B, P]`."""
        conditions.check_presence(y, ())
        params = networks.float32(self.network(y, training=training))
        if self.num_components == 1:
            return None, params
        logits, params = tf.split(params, [self.num_components, -1], axis=-1)
        return logits, tf.stack(tf.split(params, self.num_components, axis=-1), axis=1)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments, with network and family serialized."""
        parts = {"network": serialize(self.network), "family": serialize(self.family)}
        return {**super().get_config(), **parts, "num_components": self.num_components}
