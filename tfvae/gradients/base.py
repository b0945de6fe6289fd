"""What a gradient estimator does."""

import contextlib
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae._keras.backend import keras
from tfvae._keras.stateful import Stateful
from tfvae.errors import invalid
from tfvae.objectives.terms import no_density
from tfvae.ops import networks
from tfvae.ops.networks import in_mode


class Latents(NamedTuple):
    """What an estimator draws: the `[K, B, D]` latents, how likely they are, and what they come from."""

    z: Any
    log_q: Any
    q: Any
    weights: Any = None


class Estimator(Stateful):
    """The base: what is held constant in the forward pass, and what the backward pass does.

    It may hold variables, as an objective may. `losses` and `gradients` are called in training alone, so that
    a baseline that follows the loss is assigned in `losses`.

    Attributes:
        stops_density: log q is taken with its parameters held constant.
        exact: the latents are all there are, in evaluation as well.
    """

    stops_density = False
    exact = False

    def check(self, objective, posterior, latent_dim):
        """Refuses an objective or a posterior the estimator is wrong for.

        Raises:
            InputError: naming both.
        """
        if objective.needs_density and not posterior.has_density:
            raise no_density(posterior)
        self._check(objective, posterior, latent_dim)

    def _check(self, objective, posterior, latent_dim):
        if not posterior.reparameterized:
            raise invalid(
                f"a posterior with reparameterized samples for {type(self).__name__}",
                f"{type(posterior).__name__}, whose samples have no gradient",
                "use gradients.ScoreFunction(), or gradients.Enumeration() where z has few values",
            )

    def latents(self, vae, params, num_samples, seed, training=False):
        """Returns the `Latents` of q(z|x) by the encoder's output.

        Args:
            vae: the model.
            params: the encoder's output.
            num_samples: how many to draw for each example.
            seed: int32 pair.
            training: whether networks of the posterior run as in training.
        """
        q = in_mode(vae.posterior.distribution, params, training=training)
        if not vae.posterior.has_density:
            return Latents(copies(q.sample(num_samples, seed=seed)), None, q)
        # Together, since a flow knows the density of its own draws without inverting itself.
        z, log_q = q.experimental_sample_and_log_prob(num_samples, seed=seed)
        return Latents(copies(z), log_q, q)

    def losses(self, objective, terms, step):
        """The losses to differentiate, each `[B]`: the model's, and the encoder's where it has its own."""
        encoder_loss = objective.encoder_loss(terms, step)
        loss = objective(terms, step)
        return [loss] if encoder_loss is None else [loss, encoder_loss]

    def gradients(self, tape, losses, terms, variables, of_encoder):
        """One gradient per variable.

        Args:
            tape: a persistent tape that saw the losses.
            losses: the means of `losses`, scalars.
            terms: the `Terms` they came from.
            variables: tensors or variables to differentiate by.
            of_encoder: for each, whether q(z|x) is made by it.
        """
        gradients = tape.gradient(losses[0], variables)
        if len(losses) == 1:
            return gradients
        theirs = tape.gradient(losses[1], variables)
        return [e if mine else m for m, e, mine in zip(gradients, theirs, of_encoder)]

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def __repr__(self):
        return f"{type(self).__name__}()"


@contextlib.contextmanager
def once_more(vae, states, held=()):
    """Within it, networks run as they did when `random_states` gave `states`: what they drop is the same.

    They leave nothing behind, neither penalties nor statistics that have moved: those are of the first pass.

    Args:
        vae: the model.
        states: of its random generators before the first pass.
        held: `[(variable, value), ...]` to go by in place of the variables' own values.
    """
    with networks.beside_the_batch(vae), keras.StatelessScope(state_mapping=[*states, *held]):
        yield


def random_states(vae):
    """Returns `[(variable, value), ...]` of the random generators in a model's layers."""
    found = [v for v in vae.non_trainable_variables if v.path.endswith("seed_generator_state")]
    return [(v, tf.identity(v.value)) for v in found]


def copies(z):
    """z as tensors of their own, so that a gradient that arrives at one layer has not come through another."""
    return tf.nest.map_structure(tf.identity, z)
