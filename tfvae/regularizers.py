"""Additions to a bound, for what is not a function of the log-weights.

`ELBO() + 10.0 * MMD()` is an objective: its loss is the sum, and `elbo`, `rate` and
`distortion` are logged as for any other.
"""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import keras, register
from tfvae._keras.stateful import Stateful
from tfvae.errors import invalid
from tfvae.objectives import Objective
from tfvae.ops import weighting
from tfvae.random import seed_for
from tfvae.validation import arguments

tfd = tfp.distributions


class Regularizer(Stateful):
    """A penalty on the latents of a batch, times `weight`. It may hold variables, as an objective may.

    Attributes:
        needs_density, needs_factorized: as those of an objective.
    """

    needs_density = False
    needs_factorized: tuple = ()

    def __init__(self, weight=1.0):
        self.weight = arguments.real_number("weight", weight)

    def __call__(self, terms):
        """`Terms` -> the penalty of the batch, a scalar, or that of each example, `[B]`, before the weight.

        A scalar is made with `terms.mean_over_examples`, so that an example of weight 0 has no part in it.
        """
        raise NotImplementedError

    def __rmul__(self, factor):
        return type(self).from_config({**self.get_config(), "weight": factor * self.weight})

    __mul__ = __rmul__

    def __radd__(self, objective):
        return Regularized(objective, [self])

    def __add__(self, objective):
        return (
            objective + self if isinstance(objective, Objective) else Regularized(objective, [self])
        )

    def get_config(self):
        return {"weight": self.weight}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"


@register
class Regularized(Objective):
    """An objective and the regularizers added to it; written `objective + regularizer`.

    Raises:
        InputError: what is added to is no objective.
    """

    needs_sample_gradients = True

    def __init__(self, objective, regularizers):
        if not isinstance(objective, Objective):
            raise invalid(
                "an objective to add a regularizer to",
                repr(objective),
                "write ELBO() + 10.0 * MMD()",
            )
        super().__init__(objective.num_samples)
        self.objective = objective
        self.regularizers = list(regularizers)
        self.has_encoder_loss = objective.has_encoder_loss
        self.needs_density = objective.needs_density or any(
            r.needs_density for r in self.regularizers
        )
        self.needs_factorized = sum(
            (r.needs_factorized for r in self.regularizers), objective.needs_factorized
        )

    def __call__(self, terms, step=0):
        return self.objective(terms, step) + self._penalty(terms)

    def encoder_loss(self, terms, step=0):
        loss = self.objective.encoder_loss(terms, step)
        return None if loss is None else loss + self._penalty(terms)

    def update(self, terms, step=0):
        self.objective.update(terms, step)

    def __add__(self, regularizer):
        return Regularized(self.objective, [*self.regularizers, regularizer])

    def _penalty(self, terms):
        return tf.add_n([r.weight * _of_batch(r(terms), terms) for r in self.regularizers])

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "objective": serialize(self.objective),
            "regularizers": [serialize(r) for r in self.regularizers],
        }


@register
class MMD(Regularizer):
    """Maximum mean discrepancy between the aggregate posterior and the prior.

    The unbiased estimate from one latent per example and as many of the prior, with
    the inverse multiquadratic kernels of [1]: sum over s of C / (C + |a - b|^2), C = 2 D s.
    WAE-MMD [1] is `ELBO(beta=0.0) + w * MMD()`; InfoVAE [2] is
    `ELBO(beta=1 - alpha) + w * MMD()` with w = alpha + lambda - 1. Of fewer than two examples,
    which are no pair, it is 0.

    References:
        [1] Tolstikhin et al., Wasserstein Auto-Encoders. ICLR 2018. arXiv:1711.01558, section 4.
        [2] Zhao et al., InfoVAE. AAAI 2019. arXiv:1706.02262, equation 6.
    """

    SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

    def __call__(self, terms):
        # [B, D]
        z = tf.concat(
            tf.nest.flatten(tf.nest.map_structure(lambda part: part[0], terms.z)), axis=-1
        )
        # A prior p(z|y) has a distribution for each example, from which that example's draw is.
        conditional = not isinstance(terms.prior, tfd.JointDistribution) and bool(
            terms.prior.batch_shape.rank
        )
        seed = seed_for(terms.seed, "penalty")
        drawn = (
            terms.prior.sample(seed=seed)
            if conditional
            else terms.prior.sample(tf.shape(z)[0], seed=seed)
        )
        prior = tf.concat(tf.nest.flatten(drawn), axis=-1)
        weights = terms.example_weights
        weights = tf.ones_like(z[:, 0]) if weights is None else weights
        # of the examples there are
        z, partners = weighting.present(z, weights), tf.cast(weights != 0.0, tf.float32)

        within = _mean_of_pairs(self._kernel(z, z), weights, weights)
        within_prior = _mean_of_pairs(self._kernel(prior, prior), partners, partners)
        between = _mean_of_pairs(self._kernel(z, prior), weights, partners, own=not conditional)
        return tf.where(tf.reduce_sum(partners) > 1.0, within + within_prior - 2.0 * between, 0.0)

    def _kernel(self, a, b):
        squares = tf.reduce_sum((a[:, None] - b[None]) ** 2, axis=-1)  # [B, B]
        widths = [2.0 * a.shape[-1] * scale for scale in self.SCALES]
        return tf.add_n([width / (width + squares) for width in widths])


@register
class LatentNorm(Regularizer):
    """|z|^2 / 2, the mean over the batch: what keeps a deterministic latent from growing without bound.

    With `posteriors.Deterministic` and a decoder of regularized weights this is the
    regularized autoencoder of [1], equation 10.

    References:
        [1] Ghosh et al., From Variational to Deterministic Autoencoders. ICLR 2020. arXiv:1903.12436.
    """

    def __call__(self, terms):
        norms = [tf.reduce_sum(z**2, axis=-1) / 2.0 for z in tf.nest.flatten(terms.z)]  # [K, B]
        return terms.mean_over_examples(tf.reduce_mean(tf.add_n(norms), axis=0))


@register
class TotalCorrelation(Regularizer):
    """KL(q(z) || prod_j q(z_j)) of the aggregate posterior, by minibatch-weighted sampling [1].

    The aggregate is the mixture of the batch's q(z|x_j), by the weights of its examples.
    beta-TC-VAE [1] is `ELBO() + (beta - 1) * TotalCorrelation()`.

    Args:
        weight: of the penalty.
        dataset_size: N of equation S3 in [1]; it moves the value, not the gradient. Default:
            the batch stands for the data.

    Raises:
        InputError: a weight that is not finite; when used, a posterior that does not factorize.

    References:
        [1] Chen et al., Isolating Sources of Disentanglement in VAEs. NeurIPS 2018. arXiv:1802.04942.
    """

    needs_density = True
    needs_factorized = ("posterior",)

    def __init__(self, weight=1.0, dataset_size=1):
        super().__init__(weight)
        self.dataset_size = arguments.whole_number("dataset_size", dataset_size, 1)

    def __call__(self, terms):
        if not isinstance(terms.posterior, tfd.Independent):
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

    def get_config(self):
        return {**super().get_config(), "dataset_size": self.dataset_size}


def _of_batch(penalty, terms):
    """A penalty as a scalar, whether it is one or that of each example."""
    penalty = tf.convert_to_tensor(penalty)
    return terms.mean_over_examples(penalty) if penalty.shape.rank else penalty


def _mean_of_pairs(kernel, rows, columns, *, own=False):
    """Mean over pairs, each by the product of their weights, `[B, B] -> []`; those of one example only if `own`."""
    pairs = rows[:, None] * columns
    pairs = pairs if own else tf.linalg.set_diag(pairs, tf.zeros_like(rows))
    return tf.math.divide_no_nan(tf.reduce_sum(pairs * kernel), tf.reduce_sum(pairs))


def _log_shares(pairs, weights):
    """log of each example's share of the batch, `[B]`; equal ones where no example counts, so that they are finite."""
    equal = tf.ones(tf.shape(pairs)[1:2])
    weights = equal if weights is None else tf.where(tf.reduce_sum(weights) > 0.0, weights, equal)
    return tf.math.log(weights / tf.reduce_sum(weights))
