"""Estimators for samples that have a gradient."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import tensorflow as tf

from tfvae._keras.backend import register
from tfvae.distributions import simplex
from tfvae.errors import invalid
from tfvae.gradients.base import Estimator, Latents, drawn, once_more, random_states
from tfvae.ops.networks import in_mode

if TYPE_CHECKING:
    from tfvae.models.vae import VAE
    from tfvae.objectives import Terms


@register
class Pathwise(Estimator):
    """The reparameterization trick [1]: the gradient through z and through log q alike.

    References:
        [1] Kingma & Welling, Auto-Encoding Variational Bayes. ICLR 2014. arXiv:1312.6114,
            section 2.3.
    """


@register
class StickingTheLanding(Estimator):
    """The gradient through z alone: the score of log q, of mean zero, is left out [1].

    Its variance vanishes as q(z|x) approaches p(z|x). It is unbiased for the ELBO. For bounds
    with a logarithm of a mean it is biased in the encoder, see `DoublyReparameterized`.

    References:
        [1] Roeder et al., Sticking the Landing. NeurIPS 2017. arXiv:1703.09194, algorithm 1.
    """

    stops_density_gradient = True

    def _check(self, objective, posterior, latent_dim):
        super()._check(objective, posterior, latent_dim)
        if not objective.linear or not posterior.has_density:
            raise invalid(
                "an objective linear in the log-weights for StickingTheLanding",
                f"{objective!r}, for whose encoder it is biased",
                "use gradients.DoublyReparameterized()",
            )

    def latents(
        self,
        vae: "VAE",
        params: tf.Tensor | list[tf.Tensor],
        num_samples: int,
        seed: tf.Tensor,
        training: bool = False,
    ) -> Latents:
        """Draws latents whose log q has a gradient through z alone.

        Args:
            vae: the model.
            params: the encoder's output, `[B, P]`, or a list of outputs for layers.
            num_samples: K, latents per example.
            seed: int32 pair.
            training: True to run networks of the posterior as in training.

        Returns:
            The `Latents`.
        """
        return _density_held(vae, params, num_samples, seed, training)


@register
class DoublyReparameterized(Estimator):
    """DReG [1]: the encoder's gradient through z, with squared normalized weights.

    The gradient that arrives at `z_kb` is multiplied by the normalized weight `w_kb` before it
    goes on to the encoder. Decoder and learned prior keep the gradient of the IWAE bound.

    References:
        [1] Tucker et al., Doubly Reparameterized Gradient Estimators. ICLR 2019.
            arXiv:1810.04152, equation 8.
    """

    stops_density_gradient = True

    def _check(self, objective, posterior, latent_dim):
        super()._check(objective, posterior, latent_dim)
        if not objective.importance_weighted:
            raise invalid(
                "IWAE as the objective of DoublyReparameterized",
                repr(objective),
                "use objectives.IWAE(num_samples=K), "
                "or gradients.StickingTheLanding() with this one",
            )

    def latents(
        self,
        vae: "VAE",
        params: tf.Tensor | list[tf.Tensor],
        num_samples: int,
        seed: tf.Tensor,
        training: bool = False,
    ) -> Latents:
        """Draws latents whose log q has a gradient through z alone.

        Args:
            vae: the model.
            params: the encoder's output, `[B, P]`, or a list of outputs for layers.
            num_samples: K, latents per example.
            seed: int32 pair.
            training: True to run networks of the posterior as in training.

        Returns:
            The `Latents`.
        """
        return _density_held(vae, params, num_samples, seed, training)

    def gradients(
        self,
        tape: tf.GradientTape,
        losses: Sequence[tf.Tensor],
        terms: "Terms",
        variables: Sequence[tf.Tensor],
        of_encoder: Sequence[bool],
    ) -> list[tf.Tensor | None]:
        """Returns one gradient per variable, with its part through z weighted once more.

        Args:
            tape: a persistent tape that recorded the loss.
            losses: the mean of the loss over the batch, a list of one scalar.
            terms: the `Terms` from which the loss was computed.
            variables: tensors or variables to differentiate by.
            of_encoder: not used.

        Returns:
            The gradients; None for a variable on which the loss does not depend.
        """
        (loss,) = losses
        weights = tf.stop_gradient(tf.nn.softmax(terms.log_weights, axis=0))[..., None]  # [K, B, 1]
        z = tf.nest.flatten(terms.z if terms.log_z is None else terms.log_z)
        at_z, whole = tape.gradient(loss, z), tape.gradient(loss, variables)

        # Only the part that reaches the encoder through z is scaled. All else is kept, also the
        # part of a learned prior.
        corrections = [(weights - 1.0) * gradient for gradient in at_z]
        through_z = tape.gradient(z, variables, output_gradients=corrections)
        return [_add(a, b) for a, b in zip(whole, through_z)]


def _density_held(vae, params, num_samples, seed, training):
    """Draws latents whose log q has a gradient through z alone.

    Every weight of the model is held constant in log q.
    """
    states = random_states(vae)
    q = in_mode(vae.posterior.distribution, params, training=training)
    z, log_z = drawn(q, num_samples, seed)
    held = [(v, tf.stop_gradient(v.value)) for v in vae.trainable_variables]
    with once_more(vae, states, held):
        constant = tf.nest.map_structure(tf.stop_gradient, params)
        density = in_mode(vae.posterior.distribution, constant, training=training)
        return Latents(z, simplex.log_prob(density, z, log_z), q, log_z=log_z)


def _add(a, b):
    """Returns the sum of two gradients, each a tensor, slices of a table (`Embedding`), or None."""
    if a is None or b is None:
        return b if a is None else a
    return tf.convert_to_tensor(a) + tf.convert_to_tensor(b)
