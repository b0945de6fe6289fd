"""Evaluates a model: log p(x) by importance sampling, and the terms of the bound.

All numbers are in nats per example. The estimate of log p(x) is the IWAE bound with many samples
[1]. It is a lower bound in expectation that tightens with their number.

References:
    [1] Burda et al., Importance Weighted Autoencoders. ICLR 2016. arXiv:1509.00519.
    [2] Hoffman & Johnson, ELBO surgery. NeurIPS workshop 2016. (the gap)
"""

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfvae import random
from tfvae._keras import internals
from tfvae.models import locations
from tfvae.models.block_estimates import Estimates as Estimates
from tfvae.models.block_estimates import of_block
from tfvae.objectives.terms import no_density
from tfvae.ops import xla
from tfvae.seeds import as_int32
from tfvae.training import replicas
from tfvae.training.workers import by_all_workers as by_all_workers
from tfvae.validation import arguments, data_checks, piece_arguments

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

ACTIVE_VARIANCE = 0.01  # Burda et al. 2016 [1], section 5.2
# Numbers that the widest layer puts out at once. A CPU's caches must hold them: on two cores
# 25.5 images/s were measured with 1,250 rows of 784, and 23 with 5,000. A GPU wants enough of
# them to be busy.
_AT_ONCE = {"CPU": 2**20, "GPU": 2**26}
_BLOCKS = 32  # of examples in one call
_MAX_NUMBERS = 2**24  # in the examples of one call


@dataclasses.dataclass(frozen=True)
class Report:
    """The result of `evaluate`: means over examples, in nats, and their standard errors.

    A standard error is that of a mean over examples drawn at random. It does not hold the error
    of importance sampling: that of `nll` goes one way, upwards, and shrinks with `num_samples`.

    Attributes:
        num_examples: number of examples.
        num_samples: latents per example.
        seed: the seed of the latents.
        nll: -log p(x), an upper bound in expectation.
        elbo: the evidence lower bound, -(rate + distortion).
        rate: KL(q(z|x) || p(z)).
        distortion: mean of -log p(x|z).
        gap: an estimate of KL(q(z|x) || p(z|x)) that is never negative, see `Estimates`.
        bits_per_dim: nll / (log 2 * mean number of observed dimensions of an example), or None
            if p(x|z) is a density: its value depends on the units of x, and is no code length.
        active_units: number of latents whose posterior mean has a variance over 0.01.
        latent_dim: size of z, of all layers together.
        binarization: how grey data became binary, or None if nothing was done.
        exact: True if the latents are all values that z can take, each weighted by its
            probability, so that nothing is estimated.
        effective_samples: how many of the latents carry log p(x) of the median example, see
            `Estimates`; of few, `nll` is too large. None if exact.
    """

    num_examples: int
    num_samples: int
    seed: int
    nll: float
    nll_stderr: float
    elbo: float
    elbo_stderr: float
    rate: float
    rate_stderr: float
    distortion: float
    distortion_stderr: float
    gap: float
    gap_stderr: float
    bits_per_dim: float | None
    active_units: int
    latent_dim: int
    binarization: str | None
    exact: bool = False
    effective_samples: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name, ready for JSON, which has no NaN: that is None there."""
        return {
            name: None if isinstance(value, float) and np.isnan(value) else value
            for name, value in dataclasses.asdict(self).items()
        }


def log_likelihood(
    vae: "VAE",
    x: np.ndarray | tf.Tensor,
    num_samples: int = 5000,
    seed: int = 0,
    y: np.ndarray | tf.Tensor | None = None,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> np.ndarray:
    """Estimates log p(x) of each example by importance sampling from q(z|x).

    Where z can take no more values than `num_samples`, as of few classes, the result is the sum
    over all of them, and exact.

    Args:
        vae: a `tfvae.VAE`.
        x: `[N, *event]`, within the likelihood's support. Grey data for a likelihood with
            dynamic binarization is binarized by one fixed draw, the same in every call.
        num_samples: latents per example. Memory does not grow with it, nor with N.
        seed: the seed of the latents.
        y: conditions `[N, ...]` of a conditional model.
        progress: called with how many of how many examples are done.

    Returns:
        Float64 NumPy `[N]`, in nats.

    Raises:
        InputError: data that the model does not take, a count below 1, a seed out of range, or
            a posterior without a density.
        InputTypeError: a seed that is not a whole number.
    """
    return estimate(vae, x, num_samples, seed, y, progress=progress).log_likelihood


def evaluate(
    vae: "VAE",
    x: np.ndarray | tf.Tensor,
    num_samples: int = 5000,
    seed: int = 0,
    y: np.ndarray | tf.Tensor | None = None,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> Report:
    """Evaluates a model on data it has not seen.

    Args:
        vae: a `tfvae.VAE`.
        x: as in `log_likelihood`.
        num_samples: latents per example.
        seed: the seed of the latents.
        y: conditions `[N, ...]` of a conditional model.
        progress: as in `log_likelihood`.

    Returns:
        A `Report`.

    Raises:
        InputError: as in `log_likelihood`.
    """
    num_samples = arguments.whole_number("num_samples", num_samples, 1)
    x, note = _prepared(vae, x, y)
    values = _countable(vae, num_samples)
    found = _estimate(vae, x, num_samples, seed, y, progress)

    nll, nll_stderr = mean_and_stderr(-found.log_likelihood)
    elbo, elbo_stderr = mean_and_stderr(found.elbo)
    rate, rate_stderr = mean_and_stderr(found.rate)
    distortion, distortion_stderr = mean_and_stderr(found.distortion)
    gap, gap_stderr = mean_and_stderr(found.gap)

    return Report(
        len(x), values or num_samples, int(seed), nll, nll_stderr, elbo, elbo_stderr,
        rate, rate_stderr, distortion, distortion_stderr, gap, gap_stderr,
        _bits_per_dim(vae, x, nll), _active_units(vae, x, y),
        sum(tf.nest.flatten(vae.latent_sizes)), note, values is not None,
        None if values else float(np.median(found.effective_samples)),
    )  # fmt: skip


def _bits_per_dim(vae, x, nll):
    """Returns bits per dimension, or None if p(x|z) is a density."""
    if not vae.likelihood.discrete:
        return None
    # Missing elements are NaN, and do not count as dimensions.
    return float(nll / (math.log(2) * vae.likelihood.dimensions(vae.event_shape) * np.mean(x == x)))


def active_units(
    vae: "VAE", x: np.ndarray | tf.Tensor, y: np.ndarray | tf.Tensor | None = None
) -> int:
    """Returns the number of latents whose posterior mean has a variance over 0.01 [1].

    Args:
        vae: a `tfvae.VAE`.
        x: `[N, *event]`; the variance is over these examples.
        y: conditions `[N, ...]` of a conditional model.

    Returns:
        The number, over all layers together.

    Raises:
        InputError: data that the model does not take.
    """
    return _active_units(vae, _prepared(vae, x, y)[0], y)


def _active_units(vae, x, y):
    found = locations.side_by_side(locations.point_estimates(vae, x, y))
    return int((found.var(axis=0) > ACTIVE_VARIANCE).sum())


def estimate(
    vae: "VAE",
    x: np.ndarray | tf.Tensor,
    num_samples: int = 5000,
    seed: int = 0,
    y: np.ndarray | tf.Tensor | None = None,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> Estimates:
    """Computes the `Estimates` behind `log_likelihood` and `evaluate`, in one pass.

    Args:
        vae: a `tfvae.VAE`.
        x: as in `log_likelihood`.
        num_samples: latents per example.
        seed: the seed of the latents.
        y: conditions `[N, ...]` of a conditional model.
        progress: as in `log_likelihood`.

    Returns:
        The `Estimates`.

    Raises:
        InputError: as in `log_likelihood`.
    """
    return _estimate(vae, _prepared(vae, x, y)[0], num_samples, seed, y, progress)


def _prepared(vae, x, y):
    """Checks the data; returns x as the likelihood models it, and a note on binarization."""
    piece_arguments.check_model(vae, "to evaluate")
    data_checks.check_condition(x, y, vae)
    return vae.likelihood.prepare_for_evaluation(
        data_checks.check_events(x, vae.likelihood, vae.event_shape)
    )


def _estimate(vae, x, num_samples, seed, y, progress=None):
    num_samples = arguments.whole_number("num_samples", num_samples, 1)
    if not vae.posterior.has_density:
        raise no_density(vae.posterior)

    values = _countable(vae, num_samples)
    num_samples = values or num_samples
    examples, samples = _block(vae, len(x), num_samples)
    width, on_each = replicas.calls_at_once(vae)
    accumulate = vae.compiled_function(
        ("log_weights", samples, values is None, width),
        lambda plan: on_each(_accumulator(vae, samples, values is None, plan)),
    )
    blocks = max(1, min(_BLOCKS, _MAX_NUMBERS // (examples * math.prod(vae.event_shape))))

    def arguments_of(first):
        # The last call is filled up with the first examples, so that all calls have one shape.
        rows = np.arange(first, first + blocks * examples).reshape(blocks, examples) % len(x)
        count = min(blocks, math.ceil((len(x) - first) / examples))
        # As tensors, so that the program is not traced anew for other values.
        numbers = (
            tf.constant([as_int32(seed), first], tf.int32),
            tf.constant(num_samples),
            tf.constant(count),
        )
        given = (
            tf.constant(x[rows], tf.float32),
            None if y is None else tf.constant(np.asarray(y)[rows]),
        )
        return *given, *numbers

    parts = []
    firsts = list(range(0, len(x), blocks * examples))
    for group in (firsts[i : i + width] for i in range(0, len(firsts), width)):
        calls = [arguments_of(first) for first in group]
        for found, (*_, count) in zip(accumulate(calls), calls):
            found = np.moveaxis(found[: int(count)].numpy(), 1, 0)
            parts.append(found.reshape(len(Estimates._fields), -1))
        if progress is not None:
            progress(min(group[-1] + blocks * examples, len(x)), len(x))

    return Estimates(*np.concatenate(parts, axis=1)[:, : len(x)])


def _countable(vae, num_samples):
    """Returns how many values z can take, or None if they are more than `num_samples`."""
    count = vae.posterior.num_values(vae.latent_sizes)
    return count if count is not None and count <= num_samples else None


def mean_and_stderr(values: npt.ArrayLike) -> tuple[float, float]:
    """Returns the mean of values `[N]` and its standard error, which is NaN for one value."""
    values = np.asarray(values, np.float64)
    if len(values) == 1:
        return float(values[0]), math.nan
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def _block(vae, num_examples, num_samples):
    """Returns the number of examples, and of latents of each, to decode at once."""
    rows = max(1, _AT_ONCE[xla.device()] // _widest(vae.decoder))
    samples = math.ceil(num_samples / math.ceil(num_samples / rows))  # chunks of one size
    return max(1, min(num_examples, rows // samples)), samples


def _widest(network):
    """Returns the number of elements per example in the largest output of any layer."""
    layers = getattr(network, "layers", [network])
    outputs = [
        t
        for layer in layers
        for t in tf.nest.flatten(getattr(layer, "output", None))
        if t is not None
    ]
    return max([math.prod(n for n in t.shape[1:] if n) for t in outputs], default=4096)


def _accumulator(vae, samples, sampled, plan):
    """Returns a compiled function of several blocks of examples, which gives their estimates."""

    def accumulate(x, y, seed, num_samples, count):
        """Returns the `Estimates` of the first `count` of M blocks, `[M, 6, B]`."""

        def block(i, found):
            block_seed = random.seed_for(seed + tf.stack([0, i * x.shape[1]]), "likelihood")
            estimates = of_block(
                vae, x[i], None if y is None else y[i], block_seed, num_samples, samples, sampled
            )
            return i + 1, tf.tensor_scatter_nd_update(found, [[i]], [tf.stack(estimates)])

        shape = [x.shape[0], len(Estimates._fields), x.shape[1]]
        start = (0, tf.zeros(shape, tf.float64))
        with xla.tracing_for(plan):
            return tf.while_loop(lambda i, _: i < count, block, start, parallel_iterations=1)[1]

    return internals.last_program(accumulate, jit_compile=plan.whole_step)
