"""The base class of all gradient estimators, and what they share."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf

from tfvae._keras.backend import keras
from tfvae._keras.stateful import Stateful
from tfvae.distributions import simplex
from tfvae.errors import invalid
from tfvae.objectives.terms import no_density
from tfvae.ops import networks
from tfvae.ops.networks import in_mode

if TYPE_CHECKING:
    import tensorflow_probability as tfp

    from tfvae.models.vae import VAE
    from tfvae.objectives import Objective, Terms
    from tfvae.posteriors import Posterior


class Latents(NamedTuple):
    """The latents that an estimator draws, and their distribution.

    Attributes:
        z: the latents, `[K, B, D]`, or a list of layers.
        log_q: log q(z|x), `[K, B]`, in nats, or None for a posterior without a density.
        q: the distribution q(z|x), of batch `[B]`.
        weights: the probability q(z|x) of each latent, `[K, B]`, where the latents are all
            values of z; None where they are a sample.
        log_z: log z, `[K, B, D]`, for latents on the simplex, from which z is computed; None
            for all others.
    """

    z: tf.Tensor | list[tf.Tensor]
    log_q: tf.Tensor | None
    q: "tfp.distributions.Distribution"
    weights: tf.Tensor | None = None
    log_z: tf.Tensor | None = None


class Estimator(Stateful):
    """The base: it chooses what is constant in the forward pass, and runs the backward pass.

    An estimator may hold variables, as an objective may. `losses` and `gradients` are called in
    training alone, so a baseline that follows the loss is assigned in `losses`.

    Attributes:
        stops_density_gradient: True if log q is computed with its parameters held constant.
        exact: True if the latents are all values of z, in evaluation as well.
    """

    stops_density_gradient = False
    exact = False

    def check(
        self, objective: "Objective", posterior: "Posterior", latent_dim: int | list[int]
    ) -> None:
        """Refuses an objective or a posterior for which the estimator is wrong.

        Args:
            objective: the loss that is to be differentiated.
            posterior: the posterior whose latents are drawn.
            latent_dim: D, or a list of the sizes of the layers.

        Raises:
            InputError: the objective or the posterior does not fit, which the message names.
        """
        if objective.needs_density and not posterior.has_density:
            raise no_density(posterior)
        self._check(objective, posterior, latent_dim)

    def _check(self, objective, posterior, latent_dim):
        if objective.needs_reparameterized and not posterior.reparameterized:
            raise invalid(
                f"a posterior with reparameterized samples for {type(self).__name__}",
                f"{type(posterior).__name__}, whose samples have no gradient",
                "use gradients.ScoreFunction(), or gradients.Enumeration() where z has few values",
            )

    def latents(
        self,
        vae: "VAE",
        params: tf.Tensor | list[tf.Tensor],
        num_samples: int,
        seed: tf.Tensor,
        training: bool = False,
    ) -> Latents:
        """Draws latents of q(z|x).

        Args:
            vae: the model.
            params: the encoder's output, `[B, P]`, or a list of outputs for layers.
            num_samples: K, latents per example.
            seed: int32 pair.
            training: True to run networks of the posterior as in training.

        Returns:
            The `Latents`.
        """
        q = in_mode(vae.posterior.distribution, params, training=training)
        if not vae.posterior.has_density:
            return Latents(drawn(q, num_samples, seed)[0], None, q)
        if isinstance(q, simplex.Relaxed):
            z, log_z = drawn(q, num_samples, seed)
            return Latents(z, q.log_prob_by_log(log_z), q, log_z=log_z)

        # In one call, since a flow knows the density of its own draws without inverting itself.
        z, log_q = q.experimental_sample_and_log_prob(num_samples, seed=seed)
        return Latents(detached_identities(z), log_q, q)

    def losses(
        self, objective: "Objective", terms: "Terms", step: int | tf.Tensor
    ) -> list[tf.Tensor]:
        """Returns the losses to differentiate.

        Args:
            objective: the objective that is trained.
            terms: the `Terms` of the batch.
            step: the number of training steps so far.

        Returns:
            The model's loss, and the encoder's if it has one of its own; each `[B]`, in nats.
        """
        encoder_loss = objective.encoder_loss(terms, step)
        loss = objective(terms, step)
        return [loss] if encoder_loss is None else [loss, encoder_loss]

    def gradients(
        self,
        tape: tf.GradientTape,
        losses: Sequence[tf.Tensor],
        terms: "Terms",
        variables: Sequence[tf.Tensor],
        of_encoder: Sequence[bool],
    ) -> list[tf.Tensor | None]:
        """Returns one gradient per variable.

        Args:
            tape: a persistent tape that recorded the losses.
            losses: the means over the batch of what `losses` returned, scalars.
            terms: the `Terms` from which the losses were computed.
            variables: tensors or variables to differentiate by.
            of_encoder: for each variable, True if q(z|x) depends on it.

        Returns:
            The gradients; None for a variable on which its loss does not depend.
        """
        gradients = tape.gradient(losses[0], variables)
        if len(losses) == 1:
            return gradients

        theirs = tape.gradient(losses[1], variables)
        return [e if mine else m for m, e, mine in zip(gradients, theirs, of_encoder)]

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, for `.keras` files."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Estimator":
        """Returns the estimator that `get_config` described."""
        return cls(**config)

    def __repr__(self) -> str:
        """Returns the class, as it would be written in code without arguments."""
        return f"{type(self).__name__}()"


@contextlib.contextmanager
def once_more(
    vae: "VAE",
    states: Sequence[tuple[keras.Variable, tf.Tensor]],
    held: Sequence[tuple[keras.Variable, tf.Tensor]] = (),
) -> Iterator[None]:
    """Lets networks run a second time in the `with` block, with the same dropout as the first.

    The second pass leaves nothing behind: penalties and moving statistics stay those of the
    first pass.

    Args:
        vae: the model.
        states: the states of its random generators before the first pass, from `random_states`.
        held: `(variable, value)` pairs, the values to use in place of the variables' own.
    """
    with networks.beside_the_batch(vae), keras.StatelessScope(state_mapping=[*states, *held]):
        yield


def random_states(vae: "VAE") -> list[tuple[keras.Variable, tf.Tensor]]:
    """Returns `(variable, value)` of each random generator in the layers of a model."""
    found = [v for v in vae.non_trainable_variables if v.path.endswith("seed_generator_state")]
    return [(v, tf.identity(v.value)) for v in found]


def drawn(
    q: "tfp.distributions.Distribution", num_samples: int, seed: tf.Tensor
) -> tuple[tf.Tensor | list[tf.Tensor], tf.Tensor | None]:
    """Draws latents of q, without their density.

    Args:
        q: the distribution q(z|x), of batch `[B]`.
        num_samples: K, latents per example.
        seed: int32 pair.

    Returns:
        z `[K, B, D]`, or a list of layers, and log z where q has it, else None.
    """
    if not isinstance(q, simplex.Relaxed):
        return detached_identities(q.sample(num_samples, seed=seed)), None
    log_z = q.sample_log(num_samples, seed)
    return tf.exp(log_z), log_z


def detached_identities(z: tf.Tensor | list[tf.Tensor]) -> tf.Tensor | list[tf.Tensor]:
    """Returns latents as tensors of their own.

    The gradient that arrives at one layer has then not come through another layer.
    """
    return tf.nest.map_structure(tf.identity, z)
