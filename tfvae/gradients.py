"""Gradient estimators: which gradient a loss gets. They never change its value.

With z = g(eps; x) and log_weights[k, b] = log p(x, z) - log q(z|x), in which log q depends
on the encoder twice: through z, and through the parameters of its density. Estimators
differ in how they treat those two.
"""

import tensorflow as tf

from tfvae._backend import register
from tfvae.errors import invalid


class Estimator:
    """The base: what is held constant in the forward pass, and what the backward pass does.

    Attributes:
        stops_density: log q is taken with its parameters held constant.
        stops_samples: z is held constant.
    """

    stops_density = False
    stops_samples = False

    def check(self, objective, posterior):
        """Refuses an objective or a posterior the estimator is wrong for.

        Raises:
            InputError: naming both.
        """
        if not posterior.reparameterized:
            raise invalid(
                f"a posterior with reparameterized samples for {type(self).__name__}",
                f"{type(posterior).__name__}, whose samples have no gradient",
                "use gradients.ScoreFunction()",
            )

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

    def check(self, objective, posterior):
        super().check(objective, posterior)
        if not objective.linear:
            raise invalid(
                "an objective linear in the log-weights for StickingTheLanding",
                f"{objective!r}, for whose encoder it is biased",
                "use gradients.DoublyReparameterized()",
            )


@register
class DoublyReparameterized(Estimator):
    """DReG [1], equation 8: the encoder's gradient through z, with squared normalized weights.

    The gradient that arrives at `z_kb` is multiplied by the normalized weight `w_kb` on its
    way on to the encoder. Decoder and learned prior keep the gradient of the IWAE bound.

    References:
        [1] Tucker et al., Doubly Reparameterized Gradient Estimators. ICLR 2019. arXiv:1810.04152.
    """

    stops_density = True

    def check(self, objective, posterior):
        super().check(objective, posterior)
        if not objective.importance_weighted:
            raise invalid(
                "IWAE as the objective of DoublyReparameterized",
                repr(objective),
                "use objectives.IWAE(num_samples=K), or gradients.StickingTheLanding() with this one",
            )

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

    stops_samples = True

    def check(self, objective, posterior):
        if objective.num_samples < 2:
            raise invalid(
                "at least two latents per example for ScoreFunction, whose baseline leaves one out",
                repr(objective),
                "set the objective's num_samples to 2 or more",
            )
        if objective.has_encoder_loss or objective.needs_sample_gradients:
            raise invalid("one loss that is a function of the log-weights", repr(objective), "use gradients.Pathwise()")

    def losses(self, objective, terms, step):
        loss = objective(terms, step)
        count = objective.num_samples
        surrogate = tf.zeros_like(loss)
        for k in range(count):
            without = objective(_leave_out(terms, k, count), step)
            surrogate += tf.stop_gradient(loss - without) * terms.log_posterior[k]
        return [loss + surrogate - tf.stop_gradient(surrogate)]


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
