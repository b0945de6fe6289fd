"""Expected gradients without noise: estimators on nodes of quadrature, references in float64.

Each model has one number a layer and the same x for every example. Example n of a batch has the
n-th node of a Gauss-Hermite rule as its noise (or, for classes, the n-th combination of values),
and the weight of that node. The weighted sum over the batch is then an expectation.

A reference is written by hand from the weights, and uses nothing of the package.
"""

import contextlib
import itertools
import math
from typing import Any, NamedTuple
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

import tfvae
from tests.support.scales import scale_of
from tfvae import flows, likelihoods, posteriors, priors
from tfvae.models import forward_pass
from tfvae.ops import noise

SIZE, SIGMA, CLASSES, CONTEXT, PLANES = 2, 0.8, 3, 1, 2
X = np.array([0.7, -0.4], np.float32)


class Draws(NamedTuple):
    """K log-probabilities for each of N nodes, in float64.

    Attributes:
        log_p_x, log_p_z, log_q: `[K, N]`.
        kl: of q and p in closed form, `[N]`, or None.
        z: the latents of all layers, `[K, N, L]`.
    """

    log_p_x: Any
    log_p_z: Any
    log_q: Any
    kl: Any
    z: Any

    @property
    def log_weights(self):
        return self.log_p_x + self.log_p_z - self.log_q


def gauss_hermite(dimensions, nodes):
    """Nodes `[N, dimensions]` and weights `[N]` of an expectation under N(0, I)."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    weights = weights / weights.sum()
    grid = np.array(list(itertools.product(points, repeat=dimensions)))
    return grid, np.array(list(itertools.product(weights, repeat=dimensions))).prod(axis=1)


def log_normal(z, loc, scale):
    """Of single numbers, elementwise."""
    return -0.5 * ((z - loc) / scale) ** 2 - tf.math.log(scale) - 0.5 * math.log(2 * math.pi)


def last(tensor):
    return tf.unstack(tensor, axis=-1)


class Kind:
    """A model, its weights, and its log-probabilities by hand.

    Attributes:
        layers: how many numbers z has.
    """

    layers = 1

    def __init__(self, seed=0, **pieces):
        keras.utils.set_random_seed(seed)
        self.vae = self.make(**pieces)
        self.vae(X[None])
        rng = np.random.default_rng(seed + 1)
        for v in self.vae.trainable_variables:
            v.assign(rng.normal(0.0, 0.4, v.shape))

    def weights(self):
        return list(self.vae.trainable_variables)

    def decoder(self):
        layers = keras.layers.Dense(3, "tanh"), keras.layers.Dense(SIZE)
        return keras.Sequential([keras.Input((1,)), *layers])

    def encoder(self, size):
        return keras.Sequential([keras.Input((SIZE,)), keras.layers.Dense(size)])

    def nodes(self, samples, nodes):
        """(noise `[N, K * layers]`, weights `[N]`)."""
        return gauss_hermite(samples * self.layers, nodes)

    def by_hand(self, weights, points, samples):
        """`Draws`, by weights in the order of `weights`, and nodes `[N, K * layers]`."""
        eps = tf.constant(points.reshape(len(points), samples, self.layers))
        return self.draws(weights, tf.transpose(eps, [1, 0, 2]))

    @staticmethod
    def log_p_x(z, hidden, hidden_bias, out, out_bias):
        loc = tf.tanh(z[..., None] @ hidden + hidden_bias) @ out + out_bias
        return tf.reduce_sum(
            log_normal(X.astype(np.float64), loc, tf.constant(SIGMA, tf.float64)), -1
        )

    @contextlib.contextmanager
    def noise(self, points, samples):
        """Lets the posterior draw by the nodes, layer after layer."""
        eps = points.reshape(len(points), samples, self.layers).transpose(2, 1, 0)[..., None]
        given, shape = iter(eps.astype(np.float32)), eps.shape[1:]
        original = noise.normal

        def normal(wanted, seed):
            # TFP also draws samples of its own, of other sizes, to learn shapes.
            found = tf.get_static_value(wanted)
            is_ours = found is not None and np.prod(found) == np.prod(shape)
            return tf.reshape(next(given), found) if is_ours else original(wanted, seed)

        with mock.patch.object(noise, "normal", normal):
            yield


class Diagonal(Kind):
    """q = N(loc, scale^2), p = N(0, 1)."""

    def make(self, **pieces):
        likelihood = likelihoods.Normal(SIGMA)
        return tfvae.VAE(self.encoder(2), self.decoder(), likelihood=likelihood, **pieces)

    def draws(self, weights, eps):
        kernel, bias, *decoder = weights
        loc, raw = last(X[None].astype(np.float64) @ kernel + bias)
        scale, eps = scale_of(raw), eps[..., 0]
        z = loc + scale * eps
        zero, one = tf.zeros_like(z), tf.ones_like(z)
        kl = 0.5 * (scale**2 + loc**2 - 1.0) - tf.math.log(scale)
        log_p_z = log_normal(z, zero, one)
        log_p_x = self.log_p_x(z, *decoder)
        return Draws(log_p_x, log_p_z, log_normal(z, loc, scale), kl + 0 * z[0], z[..., None])


class Flow(Kind):
    """q by planar maps of a normal that depend on x, p a mixture of two normals."""

    def make(self, **pieces):
        posterior = posteriors.Flow(flows.Planar(PLANES), context_size=CONTEXT)
        prior, likelihood = priors.GaussianMixture(2), likelihoods.Normal(SIGMA)
        encoder = self.encoder(2 + CONTEXT)
        return tfvae.VAE(encoder, self.decoder(), posterior, prior, likelihood, **pieces)

    def weights(self):
        vae, flow, prior = self.vae, self.vae.posterior.flow, self.vae.prior
        networks = [*vae.encoder.trainable_variables, *vae.decoder.trainable_variables]
        return [*networks, flow.bias, flow.kernel, prior.logits, prior.loc, prior.raw_scale]

    def draws(self, weights, eps):
        kernel, bias, *decoder, flow_bias, flow_kernel, logits, centres, raw_scales = weights
        loc, raw, context = last(X[None].astype(np.float64) @ kernel + bias)
        scale, z = scale_of(raw), eps[..., 0]
        log_q = log_normal(loc + scale * z, loc, scale)
        z = loc + scale * z
        for part in tf.split(flow_bias + context[:, None] @ flow_kernel, PLANES, axis=-1):
            u, w, b = last(part)
            # Rezende & Mohamed 2015, appendix A.1, with 1 for the softplus at w u = 0.
            u = u + (tf.nn.softplus(w * u + 0.5413) - 1.0 - w * u) / w
            slope = 1.0 + u * w * (1.0 - tf.tanh(w * z + b) ** 2)
            z, log_q = z + u * tf.tanh(w * z + b), log_q - tf.math.log(slope)
        parts = log_normal(z[..., None], centres[:, 0], scale_of(raw_scales[:, 0]))
        log_p_z = tf.reduce_logsumexp(tf.nn.log_softmax(logits) + parts, axis=-1)
        return Draws(self.log_p_x(z, *decoder), log_p_z, log_q, None, z[..., None])


class Hierarchy(Kind):
    """Two layers, a ladder: q(z_2|x) q(z_1|z_2, x) shares the network of p(z_1|z_2)."""

    layers = 2

    def make(self, **pieces):
        x = keras.Input((SIZE,))
        encoder = keras.Model(x, [keras.layers.Dense(2)(x), keras.layers.Dense(2)(x)])
        network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
        posterior, prior = posteriors.Ladder(), priors.Hierarchy([network])
        likelihood = likelihoods.Normal(SIGMA)
        return tfvae.VAE(encoder, self.decoder(), posterior, prior, likelihood, **pieces)

    def weights(self):
        vae = self.vae
        parts = vae.encoder, vae.decoder, vae.prior.networks[0]
        return [v for part in parts for v in part.trainable_variables]

    def draws(self, weights, eps):
        top_kernel, top_bias, kernel, bias, *decoder, down_kernel, down_bias = weights
        x = X[None].astype(np.float64)
        (loc, raw), (own, own_raw) = last(x @ top_kernel + top_bias), last(x @ kernel + bias)
        top = loc + scale_of(raw) * eps[..., 0]
        theirs, their_raw = last(top[..., None] @ down_kernel + down_bias)
        # Sonderby et al. 2016, equations 18 to 20.
        ours, others = scale_of(own_raw) ** -2.0, scale_of(their_raw) ** -2.0
        mean, scale = (own * ours + theirs * others) / (ours + others), (ours + others) ** -0.5
        z = mean + scale * eps[..., 1]
        log_q = log_normal(top, loc, scale_of(raw)) + log_normal(z, mean, scale)
        zero, one = tf.zeros_like(z), tf.ones_like(z)
        log_p_z = log_normal(top, zero, one) + log_normal(z, theirs, scale_of(their_raw))
        return Draws(self.log_p_x(z, *decoder), log_p_z, log_q, None, tf.stack([top, z], -1))


class Classes(Kind):
    """q and p over three classes; nodes are the combinations of K classes."""

    def make(self, **pieces):
        posterior, prior = posteriors.Categorical(), priors.Categorical(learn_weights=True)
        decoder = keras.Sequential([keras.Input((CLASSES,)), keras.layers.Dense(SIZE)])
        likelihood = likelihoods.Normal(SIGMA)
        return tfvae.VAE(self.encoder(CLASSES), decoder, posterior, prior, likelihood, **pieces)

    def weights(self):
        vae = self.vae
        return [
            *vae.encoder.trainable_variables,
            *vae.decoder.trainable_variables,
            vae.prior.logits,
        ]

    def nodes(self, samples, nodes):
        """The combinations, and their probabilities under q."""
        chosen = np.array(list(itertools.product(range(CLASSES), repeat=samples)))
        q = self.vae.encode(X[None]).log_prob(np.eye(CLASSES, dtype=np.float32)[:, None])
        return chosen, np.exp(q.numpy()[:, 0].astype(np.float64))[chosen].prod(axis=1)

    def by_hand(self, weights, points, samples):
        kernel, bias, out, out_bias, logits = weights
        log_q = tf.nn.log_softmax((X[None].astype(np.float64) @ kernel + bias)[0])
        log_p = tf.nn.log_softmax(tf.reshape(logits, [-1]))
        sigma = tf.constant(SIGMA, tf.float64)
        log_p_x = tf.reduce_sum(log_normal(X.astype(np.float64), out + out_bias, sigma), axis=-1)
        kl = tf.reduce_sum(tf.exp(log_q) * (log_q - log_p))
        rows = [tf.gather(values, points.T) for values in (log_p_x, log_p, log_q)]
        return Draws(*rows, kl + tf.zeros(len(points), tf.float64), None)

    @contextlib.contextmanager
    def noise(self, points, samples):
        """Lets the posterior draw the combinations, whatever its probabilities."""
        z = np.eye(CLASSES, dtype=np.float32)[points.T]  # [K, N, CLASSES]
        distribution = self.vae.posterior.distribution

        def known(params):
            q = distribution(params)
            q.sample = lambda *args, **kwargs: tf.constant(z)
            q.experimental_sample_and_log_prob = lambda *args, **kwargs: (z, q.log_prob(z))
            return q

        with mock.patch.object(self.vae.posterior, "distribution", known):
            yield


def expected(kind, estimator, objective, points, weights, step=0):
    """The estimator's expected gradient by each weight: the sum over the nodes."""
    vae = kind.vae
    variables = kind.weights()
    mine = dict(zip(map(id, vae.trainable_variables), vae.loop_hooks.belong_to_encoder()))
    of_encoder = [mine[id(v)] for v in variables]
    values = [v.value for v in variables]
    x, share = np.tile(X, (len(points), 1)), tf.constant(weights, tf.float32)
    with kind.noise(points, objective.num_samples), tf.GradientTape(persistent=True) as tape:
        terms = forward_pass.batch_terms(
            vae, tf.constant(x), None, objective.num_samples, [1, 2], True, estimator, share
        )
        losses = estimator.losses(objective, terms, step)
        means = [tf.reduce_sum(share * loss) for loss in losses]
    found = estimator.gradients(tape, means, terms, values, of_encoder)
    return [np.zeros(v.shape) if g is None else np.asarray(g) for g, v in zip(found, values)]


def reference(kind, loss, samples, points, weights, step=0, encoder_loss=None, *, hold_draws=False):
    """The gradient of the expected loss by each weight, in float64.

    For classes the probabilities of the combinations depend on the weights too, unless the loss
    is to see the draws as constants.
    """
    variables = kind.weights()
    mine = dict(zip(map(id, kind.vae.trainable_variables), kind.vae.loop_hooks.belong_to_encoder()))
    values = [tf.constant(v.numpy(), tf.float64) for v in variables]

    def of(loss):
        with tf.GradientTape() as tape:
            tape.watch(values)
            draws = kind.by_hand(values, points, samples)
            classes = isinstance(kind, Classes) and not hold_draws
            share = tf.exp(tf.reduce_sum(draws.log_q, axis=0)) if classes else weights
            total = tf.reduce_sum(share * loss(draws, step))
        found = tape.gradient(total, values)
        return [np.zeros(v.shape) if g is None else g.numpy() for g, v in zip(found, values)]

    both = of(loss), of(encoder_loss or loss)
    return [both[mine[id(v)]][i] for i, v in enumerate(variables)]
