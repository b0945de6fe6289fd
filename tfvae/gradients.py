"""Gradient estimators: which gradient a loss gets. They never change its value.

With z = g(eps; x) and log_weights[k, b] = log p(x, z) - log q(z|x), in which log q depends
on the encoder twice: through z, and through the parameters of its density. Estimators
differ in how they treat those two.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from tfvae._backend import keras, register
from tfvae.errors import invalid
from tfvae.terms import no_density

# Values of z over which an expectation is summed rather than estimated, by default.
MAX_VALUES = 64


class Latents(NamedTuple):
    """What an estimator draws: the `[K, B, D]` latents, how likely they are, and what they come from."""

    z: Any
    log_q: Any
    q: Any
    weights: Any = None


def default(posterior, latent_dim):
    """The estimator of a posterior for which none is chosen."""
    if posterior.reparameterized:
        return Pathwise()
    values = posterior.values(latent_dim)
    return ScoreFunction() if values is None or len(values) > MAX_VALUES else Enumeration()


class Estimator:
    """The base: what is held constant in the forward pass, and what the backward pass does.

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

    def latents(self, vae, params, num_samples, seed):
        """`Latents` of q(z|x) by the encoder's output: `num_samples` draws under an int32 pair `seed`."""
        q = vae.posterior.distribution(params)
        if not vae.posterior.has_density:
            return Latents(_copies(q.sample(num_samples, seed=seed)), None, q)
        # Together, since a flow knows the density of its own draws without inverting itself.
        z, log_q = q.experimental_sample_and_log_prob(num_samples, seed=seed)
        return Latents(_copies(z), log_q, q)

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


@register
class Pathwise(Estimator):
    """The gradient through z and through log q alike: the reparameterization trick [1], section 2.3.

    References:
        [1] Kingma & Welling, Auto-Encoding Variational Bayes. ICLR 2014. arXiv:1312.6114.
    """


@register
class StickingTheLanding(Estimator):
    """The gradient through z alone: the score of log q, of mean zero, is left out [1], algorithm 1.

    Its variance vanishes as q(z|x) nears the posterior. Right for the ELBO; for bounds
    with a logarithm of a mean it is biased in the encoder, see `DoublyReparameterized`.

    References:
        [1] Roeder et al., Sticking the Landing. NeurIPS 2017. arXiv:1703.09194.
    """

    stops_density = True

    def _check(self, objective, posterior, latent_dim):
        super()._check(objective, posterior, latent_dim)
        if not objective.linear or not posterior.has_density:
            raise invalid(
                "an objective linear in the log-weights for StickingTheLanding",
                f"{objective!r}, for whose encoder it is biased",
                "use gradients.DoublyReparameterized()",
            )

    def latents(self, vae, params, num_samples, seed):
        return _density_held(vae, params, num_samples, seed)


@register
class DoublyReparameterized(Estimator):
    """DReG [1], equation 8: the encoder's gradient through z, with squared normalized weights.

    The gradient that arrives at `z_kb` is multiplied by the normalized weight `w_kb` on its
    way on to the encoder. Decoder and learned prior keep the gradient of the IWAE bound.

    References:
        [1] Tucker et al., Doubly Reparameterized Gradient Estimators. ICLR 2019. arXiv:1810.04152.
    """

    stops_density = True

    def _check(self, objective, posterior, latent_dim):
        super()._check(objective, posterior, latent_dim)
        if not objective.importance_weighted:
            raise invalid(
                "IWAE as the objective of DoublyReparameterized",
                repr(objective),
                "use objectives.IWAE(num_samples=K), or gradients.StickingTheLanding() with this one",
            )

    def latents(self, vae, params, num_samples, seed):
        return _density_held(vae, params, num_samples, seed)

    def gradients(self, tape, losses, terms, variables, of_encoder):
        (loss,) = losses
        weights = tf.stop_gradient(tf.nn.softmax(terms.log_weights, axis=0))[..., None]  # [K, B, 1]
        z = tf.nest.flatten(terms.z)
        at_z, whole = tape.gradient(loss, z), tape.gradient(loss, variables)
        # What reaches the encoder through z is scaled; all else, the prior's share included, is kept.
        corrections = [(weights - 1.0) * gradient for gradient in at_z]
        through_z = tape.gradient(z, variables, output_gradients=corrections)
        return [_add(a, b) for a, b in zip(whole, through_z)]


@register
class ScoreFunction(Estimator):
    """REINFORCE with a leave-one-out baseline; for the IWAE bound this is VIMCO [2], equation 10.

    For samples without a gradient. Each sample's log-probability is pushed by how much the
    loss would have been worse without it, the others' mean in its place:

        signal_k = loss - loss(log_weights with row k replaced by the mean of the others)

    References:
        [1] Williams, Simple statistical gradient-following algorithms. Machine Learning 8, 1992.
        [2] Mnih & Rezende, Variational inference for Monte Carlo objectives. ICML 2016. arXiv:1602.06725.
    """

    def _check(self, objective, posterior, latent_dim):
        if not posterior.has_density:
            raise no_density(posterior)
        if objective.num_samples < 2:
            raise invalid(
                "at least two latents per example for ScoreFunction, whose baseline leaves one out",
                repr(objective),
                "set the objective's num_samples to 2 or more",
            )
        if objective.has_encoder_loss or objective.needs_sample_gradients:
            raise invalid("one loss that is a function of the log-weights", repr(objective), "use gradients.Pathwise()")

    def latents(self, vae, params, num_samples, seed):
        q = vae.posterior.distribution(params)
        z = tf.nest.map_structure(tf.stop_gradient, q.sample(num_samples, seed=seed))
        return Latents(z, q.log_prob(z), q)

    def losses(self, objective, terms, step):
        loss = objective(terms, step)
        count = objective.num_samples
        surrogate = tf.zeros_like(loss)
        for k in range(count):
            without = objective(_leave_out(terms, k, count), step)
            surrogate += tf.stop_gradient(loss - without) * terms.log_posterior[k]
        return [loss + surrogate - tf.stop_gradient(surrogate)]


@register
class Enumeration(Estimator):
    """The bound itself, and its exact gradient: z runs through all its values, weighted by q(z|x).

    For posteriors over classes with few values in all; the decoder runs once for each of
    them. The objective's `num_samples` plays no part.

    Args:
        max_values: more values than this are refused.
    """

    exact = True

    def __init__(self, max_values=1024):
        self.max_values = max_values

    def _check(self, objective, posterior, latent_dim):
        values = posterior.values(latent_dim)
        if values is None or len(values) > self.max_values:
            raise invalid(
                f"a posterior whose z has at most {self.max_values} values, for Enumeration",
                f"{posterior!r} of latent size {latent_dim}" + ("" if values is None else f", {len(values)} values"),
                "use gradients.ScoreFunction() for many classes, gradients.Pathwise() for real vectors",
            )
        if not objective.of_expectations:
            raise invalid("an objective made of expectations under q, such as ELBO()", repr(objective), "use ELBO()")

    def latents(self, vae, params, num_samples, seed):
        q = vae.posterior.distribution(params)
        values = vae.posterior.values(vae.latent_sizes)  # [S, D]
        z = tf.tile(tf.constant(values)[:, None], [1, tf.shape(params)[0], 1])
        log_q = q.log_prob(z)
        return Latents(z, log_q, q, tf.exp(log_q))

    def get_config(self):
        return {"max_values": self.max_values}


def _density_held(vae, params, num_samples, seed):
    """Draws whose log q has a gradient through z alone: every weight of the model is held constant in it."""
    q = vae.posterior.distribution(params)
    z = _copies(q.sample(num_samples, seed=seed))
    held = [(v, tf.stop_gradient(v.value)) for v in vae.trainable_variables]
    with keras.StatelessScope(state_mapping=held):
        density = vae.posterior.distribution(tf.nest.map_structure(tf.stop_gradient, params))
        return Latents(z, density.log_prob(z), q)


def _copies(z):
    """z as tensors of their own, so that a gradient that arrives at one layer has not come through another."""
    return tf.nest.map_structure(tf.identity, z)


def _leave_out(terms, k, count):
    """`terms` with row k of each log-probability replaced by the mean of the other rows."""

    def replace(rows):
        others = (tf.reduce_sum(rows, axis=0) - rows[k]) / (count - 1)
        return tf.concat([rows[:k], others[None], rows[k + 1 :]], axis=0)

    rows = {name: replace(getattr(terms, name)) for name in ("log_likelihood", "log_prior", "log_posterior")}
    return terms._replace(**rows)


def _add(a, b):
    if a is None or b is None:
        return b if a is None else a
    return a + b
