"""Penalties on the latents, which are added to an objective.

`ELBO() + 10.0 * MMD()` is an objective. Its loss is the sum, and `elbo`, `rate` and `distortion`
are logged as for any other objective.
"""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import keras, register
from tfvae._keras.stateful import Stateful
from tfvae.errors import InputTypeError, invalid
from tfvae.objectives import Objective
from tfvae.ops import weighting
from tfvae.ops.independent import is_independent
from tfvae.pieces import as_call
from tfvae.random import seed_for
from tfvae.validation import arguments

if TYPE_CHECKING:
    from tfvae.objectives import Terms

tfd = tfp.distributions


class Regularizer(Stateful):
    """A penalty on the latents of a batch, times a weight.

    It may hold variables, as an objective may.

    Args:
        weight: factor of the penalty.

    Attributes:
        needs_density: True if the penalty needs log q(z|x), which not every posterior has.
        needs_factorized: which of "posterior" and "prior" must be independent over the latents.

    Raises:
        InputError: a weight that is not a finite number.
    """

    needs_density = False
    needs_factorized: tuple[str, ...] = ()

    def __init__(self, weight: float = 1.0) -> None:
        """Checks and keeps the weight."""
        self.weight = arguments.real_number("weight", weight)

    def __call__(self, terms: "Terms") -> tf.Tensor:
        """Returns the penalty of a batch before the weight: a scalar, or one number per example.

        To make a scalar, take `terms.mean_over_examples`, which leaves out examples of weight 0.

        Args:
            terms: the `Terms` of the batch.

        Returns:
            `[]` or `[B]`.
        """
        raise NotImplementedError

    def __rmul__(self, factor: float) -> "Regularizer":
        """Returns a regularizer of the same settings with the weight times a factor."""
        return type(self).from_config({**self.get_config(), "weight": factor * self.weight})

    __mul__ = __rmul__

    def __radd__(self, objective: Objective) -> "Regularized":
        """Returns the objective with this regularizer added."""
        return Regularized(objective, [self])

    def __add__(self, objective: Objective) -> "Regularized":
        """Returns the objective with this regularizer added."""
        return (
            objective + self if isinstance(objective, Objective) else Regularized(objective, [self])
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, for `.keras` files."""
        return {"weight": self.weight}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Regularizer":
        """Returns the regularizer that `get_config` described."""
        return cls(**config)

    def __repr__(self) -> str:
        """Returns the class and its settings, as they would be written in code."""
        return as_call(self)


@register
class Regularized(Objective):
    """An objective with regularizers added to it; written `objective + regularizer`.

    Args:
        objective: the objective.
        regularizers: the regularizers.

    Raises:
        InputError: the regularizers are added to something else than an objective.
    """

    needs_sample_gradients = True

    def __init__(self, objective: Objective, regularizers: Iterable[Regularizer]) -> None:
        """Keeps the parts, and derives from them the loss's needs."""
        if not isinstance(objective, Objective):
            raise invalid(
                "an objective to add a regularizer to",
                repr(objective),
                "write ELBO() + 10.0 * MMD()",
            )

        super().__init__(objective.num_samples)
        self.objective = objective
        self.regularizers = arguments.listed("regularizers", regularizers)
        for each in self.regularizers:
            if not isinstance(each, Regularizer):
                fix = "write ELBO() + 10.0 * MMD()"
                raise invalid("regularizers of tfvae.regularizers", repr(each), fix, InputTypeError)

        self.has_encoder_loss = objective.has_encoder_loss
        self.needs_density = objective.needs_density or any(
            r.needs_density for r in self.regularizers
        )
        self.needs_factorized = sum(
            (r.needs_factorized for r in self.regularizers), objective.needs_factorized
        )

    def __call__(self, terms: "Terms", step: int | tf.Tensor = 0) -> tf.Tensor:
        """Returns the loss of the objective plus the weighted penalties.

        Args:
            terms: the `Terms` of the batch.
            step: the number of training steps so far, for schedules of the objective.

        Returns:
            `[B]`.
        """
        return self.objective(terms, step) + self._penalty(terms)

    def encoder_loss(self, terms: "Terms", step: int | tf.Tensor = 0) -> tf.Tensor | None:
        """Returns the encoder's own loss plus the weighted penalties.

        Args:
            terms: the `Terms` of the batch.
            step: as in `__call__`.

        Returns:
            `[B]`, or None if the objective has no loss for the encoder alone.
        """
        loss = self.objective.encoder_loss(terms, step)
        return None if loss is None else loss + self._penalty(terms)

    def update(self, terms: "Terms", step: int | tf.Tensor = 0) -> None:
        """Updates the variables of the objective that are not trained by the loss.

        Args:
            terms: the `Terms` of the batch.
            step: as in `__call__`.
        """
        self.objective.update(terms, step)

    def __add__(self, regularizer: Regularizer) -> "Regularized":
        """Returns the objective with one more regularizer."""
        return Regularized(self.objective, [*self.regularizers, regularizer])

    def _penalty(self, terms):
        return tf.add_n([r.weight * _of_batch(r(terms), terms) for r in self.regularizers])

    def get_config(self) -> dict[str, Any]:
        """Returns the configurations of the parts, for `.keras` files."""
        serialize = keras.saving.serialize_keras_object
        return {
            "objective": serialize(self.objective),
            "regularizers": [serialize(r) for r in self.regularizers],
        }


@register
class MMD(Regularizer):
    """Maximum mean discrepancy between the aggregate posterior and the prior.

    This is the unbiased estimate [3] from one latent per example and as many draws of the prior.
    The kernel is the inverse multiquadratic one of [1], at several scales s: the sum over s of
    C / (C + |a - b|^2) with C = 2 D s. For fewer than two examples there are no pairs, and the
    penalty is 0.

    A learned prior gets the gradient too: through its draws where these have one, else by the
    score of its density, as for the weights of a mixture. A prior p(z|y) is drawn from once for
    the y of each example. The penalty then compares the mean of q(z|x) over the batch with that
    of p(z|y), and leaves out pairs of a latent and a draw that share one y.

    WAE-MMD [1] is `ELBO(beta=0.0) + w * MMD()`. InfoVAE [2] is `ELBO(beta=1 - alpha) + w * MMD()`
    with w = alpha + lambda - 1.

    References:
        [1] Tolstikhin et al., Wasserstein Auto-Encoders. ICLR 2018. arXiv:1711.01558, section 4.
        [2] Zhao et al., InfoVAE. AAAI 2019. arXiv:1706.02262, equation 6.
        [3] Gretton et al., A Kernel Two-Sample Test. JMLR 13, 2012, equation 3.
    """

    SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

    def __call__(self, terms: "Terms") -> tf.Tensor:
        """Returns the discrepancy of the batch, a scalar."""
        # The first latent of each example, [B, D].
        z = tf.concat(
            tf.nest.flatten(tf.nest.map_structure(lambda part: part[0], terms.z)), axis=-1
        )
        prior, score, conditional = _draw(terms.prior, tf.shape(z)[:1], terms.seed)

        weights = terms.example_weights
        weights = tf.ones_like(z[:, 0]) if weights is None else weights
        # Each example of other weight than 0 has one draw of the prior beside it, of weight 1.
        z, partners = weighting.present(z, weights), tf.cast(weights != 0.0, tf.float32)

        within = _mean_of_pairs(self._kernel(z, z), weights, weights)
        within_prior = _mean_of_pairs(
            self._kernel(prior, prior) * score[:, None] * score, partners, partners
        )
        between = _mean_of_pairs(
            self._kernel(z, prior) * score, weights, partners, own=not conditional
        )
        return tf.where(tf.reduce_sum(partners) > 1.0, within + within_prior - 2.0 * between, 0.0)

    def _kernel(self, a, b):
        squares = tf.reduce_sum((a[:, None] - b[None]) ** 2, axis=-1)  # [B, B]
        widths = [2.0 * a.shape[-1] * scale for scale in self.SCALES]
        return tf.add_n([width / (width + squares) for width in widths])


@register
class LatentNorm(Regularizer):
    """The mean of |z|^2 / 2 over the batch.

    It keeps deterministic latents from growing without bound. With `posteriors.Deterministic`
    and a decoder of regularized weights this is the regularized autoencoder of [1].

    References:
        [1] Ghosh et al., From Variational to Deterministic Autoencoders. ICLR 2020.
            arXiv:1903.12436, equation 10.
    """

    def __call__(self, terms: "Terms") -> tf.Tensor:
        """Returns the mean of the batch, a scalar."""
        norms = [tf.reduce_sum(z**2, axis=-1) / 2.0 for z in tf.nest.flatten(terms.z)]  # [K, B]
        return terms.mean_over_examples(tf.reduce_mean(tf.add_n(norms), axis=0))


@register
class TotalCorrelation(Regularizer):
    """The total correlation KL(q(z) || prod_j q(z_j)) of the aggregate posterior q(z) [1].

    It is estimated by minibatch-weighted sampling: the aggregate posterior is the mixture of the
    batch's q(z|x_b), by the weights of its examples. beta-TC-VAE [1] is
    `ELBO() + (beta - 1) * TotalCorrelation()`.

    Of B examples each density has 1 / (N B) in it, once in q(z) and D times in the product of the
    q(z_j), so that the value holds the constant (D - 1) log(N B). By default N is 1: the value is
    the total correlation of the batch's own mixture, and with the N of [1], the number of
    training examples, it is (D - 1) log N more.

    Args:
        weight: factor of the penalty.
        dataset_size: N of equation S3 in [1]. It moves the value, not the gradient.

    Raises:
        InputError: a weight that is not finite, or a dataset_size below 1; in a model, a
            posterior that is not independent over the latents.

    References:
        [1] Chen et al., Isolating Sources of Disentanglement in VAEs. NeurIPS 2018.
            arXiv:1802.04942.
    """

    needs_density = True
    needs_factorized = ("posterior",)

    def __init__(self, weight: float = 1.0, dataset_size: int = 1) -> None:
        """Checks and keeps the settings."""
        super().__init__(weight)
        self.dataset_size = arguments.whole_number("dataset_size", dataset_size, 1)

    def __call__(self, terms: "Terms") -> tf.Tensor:
        """Returns log q(z) - sum_j log q(z_j) at the first latent of each example.

        Args:
            terms: the `Terms` of the batch.

        Returns:
            `[B]`, in nats.

        Raises:
            InputError: a posterior that is not independent over the latents.
        """
        if not is_independent(terms.posterior):
            raise invalid(
                "a posterior that is independent over the latents, for TotalCorrelation",
                type(terms.posterior).__name__,
                "use DiagonalNormal()",
            )

        pairs = terms.posterior.distribution.log_prob(terms.z[0][:, None])  # [B of z, B of q, D]
        shares = _log_shares(pairs, terms.example_weights) - math.log(self.dataset_size)  # [B of q]
        joint = tf.reduce_logsumexp(tf.reduce_sum(pairs, axis=-1) + shares, axis=1)  # [B]
        marginals = tf.reduce_sum(tf.reduce_logsumexp(pairs + shares[:, None], axis=1), axis=-1)
        return joint - marginals

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "dataset_size": self.dataset_size}


def _of_batch(penalty, terms):
    """Returns a penalty `[]` or `[B]` as a scalar, by the mean over examples."""
    penalty = tf.convert_to_tensor(penalty)
    return terms.mean_over_examples(penalty) if penalty.shape.rank else penalty


def _draw(prior, count, seed):
    """Draws one z for each example from a prior.

    Args:
        prior: p(z), or p(z|y) of batch `[B]`.
        count: B, `[1]`.
        seed: of the terms.

    Returns:
        z `[B, D]`, with the layers side by side; factors `[B]` of 1, whose gradient is the score
        of what has no gradient through z; and whether p depends on the example.
    """
    seed, score = seed_for(seed, "penalty"), None
    if isinstance(prior, tfd.JointDistribution):
        # Only its draws tell which layers depend on the example.
        single = prior.sample(seed=seed)
        per_example = [len(part.shape) > 1 for part in tf.nest.flatten(single)]
        conditional, shape = any(per_example), [] if all(per_example) else count
    else:
        conditional = bool(prior.batch_shape.rank)
        shape = [] if conditional else count

    if isinstance(prior, tfd.MixtureSameFamily) and _has_gradient(prior.components_distribution):
        seeds = tfp.random.split_seed(seed)
        chosen = prior.mixture_distribution.sample(shape, seed=seeds[0])  # [B]
        each = prior.components_distribution.sample(shape, seed=seeds[1])  # [B, C, D]
        z = tf.gather(each, chosen, axis=1, batch_dims=1)
        score = prior.mixture_distribution.log_prob(chosen)
    else:
        z = prior.sample(shape, seed=seed)
        if not _has_gradient(prior):
            z = tf.nest.map_structure(tf.stop_gradient, z)
            score = prior.log_prob(z)

    z = tf.concat(tf.nest.flatten(z), axis=-1)
    factors = tf.ones(count) if score is None else tf.exp(score - tf.stop_gradient(score))
    return z, factors, conditional


def _has_gradient(distribution):
    """Returns True if the gradient of a draw reaches all parameters of its distribution."""
    kinds = tf.nest.flatten(distribution.reparameterization_type)
    return all(kind == tfd.FULLY_REPARAMETERIZED for kind in kinds)


def _mean_of_pairs(kernel, rows, columns, *, own=False):
    """Returns the mean over pairs, each weighted by the product of its two weights.

    Args:
        kernel: the values of the pairs, `[B, B]`.
        rows: weights `[B]`.
        columns: weights `[B]`.
        own: True to count the pairs on the diagonal, which belong to one example.

    Returns:
        A scalar.
    """
    pairs = rows[:, None] * columns
    pairs = pairs if own else tf.linalg.set_diag(pairs, tf.zeros_like(rows))
    return tf.math.divide_no_nan(tf.reduce_sum(pairs * kernel), tf.reduce_sum(pairs))


def _log_shares(pairs, weights):
    """Returns the log of each example's share of the batch, `[B]`.

    Where all weights are 0 the shares are equal, so that the logs are finite.
    """
    equal = tf.ones(tf.shape(pairs)[1:2])
    weights = equal if weights is None else tf.where(tf.reduce_sum(weights) > 0.0, weights, equal)
    return tf.math.log(weights / tf.reduce_sum(weights))
