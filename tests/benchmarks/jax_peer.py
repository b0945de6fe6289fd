"""The same models by hand in JAX, Flax and optax."""

import math

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from tests.benchmarks import data
from tests.benchmarks.worker import Work, fastest

ROWS = (5000, 1000, 500)  # samples decoded at once, among which its fastest is chosen


class Mlp(nn.Module):
    widths: tuple

    @nn.compact
    def __call__(self, x):
        for width in self.widths[:-1]:
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(self.widths[-1])(x)


class ConvEncoder(nn.Module):
    filters: tuple
    dense: int
    outputs: int

    @nn.compact
    def __call__(self, x):
        for channels in self.filters:
            x = nn.relu(nn.Conv(channels, (4, 4), 2)(x))
        x = nn.relu(nn.Dense(self.dense)(x.reshape(len(x), -1)))
        return nn.Dense(self.outputs)(x)


class ConvDecoder(nn.Module):
    filters: tuple
    dense: int
    side: int

    @nn.compact
    def __call__(self, z):
        small = self.side // 2 ** len(self.filters)
        x = nn.relu(nn.Dense(self.dense)(z))
        x = nn.relu(nn.Dense(small * small * self.filters[-1])(x))
        x = x.reshape(-1, small, small, self.filters[-1])
        for channels in self.filters[-2::-1]:
            x = nn.relu(nn.ConvTranspose(channels, (4, 4), (2, 2))(x))
        return nn.ConvTranspose(1, (4, 4), (2, 2))(x)


def networks(shape):
    """(encoder, decoder)."""
    if shape.network == "conv":
        encoder = ConvEncoder(shape.filters, shape.hidden[0], 2 * shape.latent)
        return encoder, ConvDecoder(shape.filters, shape.hidden[0], shape.side)
    return Mlp((*shape.hidden, 2 * shape.latent)), Mlp((*shape.hidden[::-1], shape.pixels))


def first_parameters(shape):
    keys = jax.random.split(jax.random.key(0))
    x = data.events(shape, np.zeros([1, shape.pixels], np.float32))
    inputs = (x, np.zeros([1, shape.latent]))
    return [part.init(key, y) for part, key, y in zip(networks(shape), keys, inputs)]


def log_likelihood_given(logits, x, batch_axes):
    """log p(x|z) of binary x, summed over all but the first axes of the logits."""
    terms = x * logits - jax.nn.softplus(logits)
    return terms.reshape(*logits.shape[:batch_axes], -1).sum(-1)


def negative_bound(shape, parameters, x, key):
    """-ELBO with the closed-form KL for one sample, -IWAE for more; the mean over the batch."""
    encoder, decoder = networks(shape)
    mean, log_scale = jnp.split(encoder.apply(parameters[0], x), 2, -1)
    noise = jax.random.normal(key, (shape.samples, *mean.shape))
    z = mean + jnp.exp(log_scale) * noise
    logits = decoder.apply(parameters[1], z.reshape(-1, shape.latent))
    logits = logits.reshape(shape.samples, *x.shape)
    log_p = log_likelihood_given(logits, x, 2)
    if shape.samples == 1:
        kl = 0.5 * (mean**2 + jnp.exp(2 * log_scale) - 1 - 2 * log_scale).sum(-1)
        return (kl - log_p[0]).mean()
    log_weights = log_p + (0.5 * noise**2 - 0.5 * z**2 + log_scale).sum(-1)
    return (math.log(shape.samples) - jax.nn.logsumexp(log_weights, 0)).mean()


def stepper(shape):
    """(step, state): one step of Adam on one batch."""
    optimizer = optax.adam(1e-3)
    parameters = first_parameters(shape)

    def step(state, x):
        parameters, moments, key = state
        key, now = jax.random.split(key)
        loss, gradients = jax.value_and_grad(lambda p: negative_bound(shape, p, x, now))(parameters)
        updates, moments = optimizer.update(gradients, moments)
        return (optax.apply_updates(parameters, updates), moments, key), loss

    return step, (parameters, optimizer.init(parameters), jax.random.key(1))


def per_step(shape):
    """A jitted step that takes one NumPy batch; a unit is one epoch."""
    step, state = stepper(shape)
    step = jax.jit(step, donate_argnums=0)
    x = data.events(shape, data.binary(shape.examples))

    def run(epochs):
        nonlocal state
        for _ in range(epochs):
            order = np.random.permutation(len(x))
            for first in range(0, len(x), shape.batch):
                state, loss = step(state, x[order[first : first + shape.batch]])
        loss.block_until_ready()

    return work(run, shape.examples)


def scanned(shape):
    """A whole epoch compiled as one loop; a unit is one epoch."""
    step, state = stepper(shape)
    x = jnp.asarray(data.events(shape, data.binary(shape.examples)))

    def epoch(state, order):
        return jax.lax.scan(lambda state, rows: step(state, x[rows]), state, order)

    epoch = jax.jit(epoch, donate_argnums=0)

    def run(epochs):
        nonlocal state
        for _ in range(epochs):
            state, losses = epoch(state, np.random.permutation(len(x)).reshape(-1, shape.batch))
        losses.block_until_ready()

    return work(run, shape.examples)


def log_likelihood(shape):
    """One image after the other; a unit is one call for all images."""
    x = data.binary(shape.examples)
    run, rows = fastest({rows: estimator(shape, rows, x) for rows in ROWS})
    return work(run, shape.examples, f"{rows} rows at once")


def estimator(shape, rows, x):
    """`run` with this many samples decoded at once."""
    encoder, decoder = networks(shape)
    parameters = first_parameters(shape)

    def log_weights(mean, log_scale, x, key):
        noise = jax.random.normal(key, (rows, shape.latent))
        z = mean + jnp.exp(log_scale) * noise
        log_p = log_likelihood_given(decoder.apply(parameters[1], z), x, 1)
        return log_p + (0.5 * noise**2 - 0.5 * z**2 + log_scale).sum(-1)

    def one(x, key):
        mean, log_scale = jnp.split(encoder.apply(parameters[0], x), 2, -1)
        keys = jax.random.split(key, shape.samples // rows)
        found = jax.lax.map(lambda key: log_weights(mean, log_scale, x, key), keys)
        return jax.nn.logsumexp(found) - math.log(shape.samples)

    every = jax.jit(lambda x, keys: jax.lax.map(lambda pair: one(*pair), (x, keys)))

    def run(calls):
        for seed in range(calls):
            every(x, jax.random.split(jax.random.key(seed), len(x))).block_until_ready()

    return run


def work(run, amount, note=""):
    device = jax.devices()[0]
    name = "CPU" if device.platform == "cpu" else device.device_kind
    versions = {"jax": jax.__version__, "flax": flax.__version__, "optax": optax.__version__}
    return Work(run, amount, name, versions, note)
