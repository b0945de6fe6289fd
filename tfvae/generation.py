"""How a model draws: samples of the counter-based stream, and reconstructions."""

import numpy as np
import tensorflow as tf

from tfvae import random
from tfvae.stream_range import as_int32, check_range
from tfvae.training.objective_step import ObjectiveTrainer

_SAMPLE_PAGE = 256  # samples decoded at once


class Generator(ObjectiveTrainer):
    """The pictures of a model that has a `prior`, a `posterior`, a `likelihood` and two networks."""

    def sample(self, n, seed=None, y=None, *, start=0, draw=False):
        """Samples number `start ... start + n - 1` under `seed`, `[n, *event]`.

        z ~ p(z) by the counter-based stream, then the mean of p(x|z): the same picture for
        the same seed here, in the SavedModel, and in the TFLite file.

        Args:
            n: how many.
            seed: -2^31 ... 2^32 - 1; default drawn from NumPy's global generator.
            y: conditions `[n, ...]` of a conditional model.
            start: number of the first sample.
            draw: draw x ~ p(x|z) instead of taking its mean.

        Raises:
            InputError: a count, start or seed that leaves the stream.
        """
        return self._pages(n, seed, y, start, lambda noise, y: self.generate(noise, y, draw=draw)[1])

    def sample_latent(self, n, seed=None, y=None, *, start=0):
        """The z behind `sample` of the same arguments, `[n, D]`, or a list of layers."""
        return self._pages(n, seed, y, start, self.prior.sample)

    def generate(self, noise, y=None, *, draw=False):
        """(z, x) for the samples of `noise`, a `random.Stream`: the one sampler there is."""
        z = self.prior.sample(noise, y)
        params = self.decode_batch(self.prior.for_decoder(z), y, training=False)
        if draw:
            return z, self.likelihood.draw(params, noise.fold_in(random.TAGS["draw"]))
        return z, self.likelihood.mean(params)

    def reconstruct(self, x, y=None):
        """The mean of p(x|z) at the mean of q(z|x) (`Posterior.location`), `[B, *event]`: deterministic."""
        y = self.condition(y)
        z = self.posterior.location(self.encoder_params(self.events(x), y, training=False))
        return self.likelihood.mean(self.decode_batch(self.prior.for_decoder(z), y, training=False))

    def call(self, inputs):
        """`reconstruct`, so that `predict(x)` does what it says; `[x, y]` when conditional."""
        return self.reconstruct(*inputs) if self.condition_shape is not None else self.reconstruct(inputs)

    def _pages(self, n, seed, y, start, drawn):
        """What `drawn(noise, y)` gives for the samples, a page at a time."""
        seed = as_int32(np.random.randint(2**31) if seed is None else seed)
        check_range(start, n, sum(tf.nest.flatten(self.latent_sizes)))
        n, start = int(n), int(start)
        y = self.condition(y)
        pages = []
        for first in range(0, n, _SAMPLE_PAGE):
            rows = tf.range(first, min(first + _SAMPLE_PAGE, n))
            noise = random.Stream(random.seed_key(seed), rows + as_int32(start))
            pages.append(drawn(noise, None if y is None else tf.gather(y, rows)))
        return tf.nest.map_structure(lambda *parts: tf.concat(parts, axis=0), *pages)
