"""Draws whether a model's probabilities can be believed: its likelihood's, and its weights'."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfvae.errors import invalid
from tfvae.plots import events, figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tfvae.models.vae import VAE

_EXAMPLES = 512
_DRAWS = 31  # of x for each latent; a rank then has 32 places
_VALUES = 200_000  # that are compared
_BINS = 16
_AT_ONCE = 2**23  # numbers decoded or drawn at once


class _Predicted(NamedTuple):
    """What the likelihood predicts of examples, each array flat.

    Attributes:
        probabilities: of a 1, where elements are 0 or 1.
        outcomes: those elements.
        ranks: the place of every other element among draws, from 0 to 1.
    """

    probabilities: np.ndarray
    outcomes: np.ndarray
    ranks: np.ndarray


@figures.styled
def calibration(
    vae: "VAE", x: npt.ArrayLike, y: npt.ArrayLike | None = None, *, seed: int = 0
) -> "Figure":
    """Draws whether p(x|z) says what happens, for one z ~ q(z|x) of each example.

    If the model is right, z and x are as if drawn from p(z) p(x|z). Then of the elements to which
    it gives a probability of 0.3 three in ten are 1, and three in ten of the numbers lie below
    their 0.3-quantile: the curve is the diagonal. A curve of numbers that is an S, flat in the
    middle, tells of a scale too small; steep in the middle, of one too large. Quantiles are those
    of 31 draws of x; equal values are put in random order.

    Args:
        vae: the model.
        x: examples `[N, *event]`, held out ones; the first 512 count, of large ones
            fewer.
        y: conditions `[N, ...]` of a conditional model.
        seed: the seed of the latents and draws.

    Returns:
        The figure: the curve, and how often each probability or each rank among the draws occurs.

    Raises:
        InputError: examples that the model does not take, or a likelihood that cannot draw.
        InputTypeError: anything but a model.
    """
    from tfvae.plots import model_calls

    most = max(1, min(_EXAMPLES, _AT_ONCE // (_DRAWS * math.prod(vae.event_shape))))
    x = model_calls.checked(vae, x, y)[:most]
    y = None if y is None else np.asarray(y)[: len(x)]
    found = _predicted(vae, x, y, seed)
    figure, axes = figures.new(1, 2, (2.4, 2.4))
    axes[0].plot([0, 1], [0, 1], color=figures.QUIET, linewidth=0.8)
    if len(found.probabilities):
        _draw_probabilities(axes, found)
    if len(found.ranks):
        _draw_ranks(axes, found.ranks)
    axes[0].set(xlabel="predicted", ylabel="observed", xlim=(0, 1), ylim=(0, 1))
    axes[0].legend(loc="upper left")
    axes[1].set(xlabel="probability" if len(found.probabilities) else "rank", yticks=[])
    axes[1].set_title("how often")
    return figure


@figures.styled
def weight_health(
    vae: "VAE",
    x: npt.ArrayLike,
    y: npt.ArrayLike | None = None,
    *,
    num_samples: int = 256,
    seed: int = 0,
) -> "Figure":
    """Draws whether the estimate of log p(x) can be trusted.

    Left, on how many of the importance samples it rests for each example (the square of the sum
    of the weights over the sum of their squares): few, and it is too low. Right, the estimate by
    the number of samples: if it still rises at the end, more samples are needed.

    Args:
        vae: the model.
        x: examples `[N, *event]`, held out ones; the first 512 count.
        y: conditions `[N, ...]` of a conditional model.
        num_samples: importance samples of each example.
        seed: their seed.

    Returns:
        The figure.

    Raises:
        InputError: examples that the model does not take, or a posterior without a density.
        InputTypeError: anything but a model.
    """
    from tfvae.plots import model_calls
    from tfvae.validation import arguments

    num_samples = arguments.whole_number("num_samples", num_samples, 2)
    x = model_calls.checked(vae, x, y)[:_EXAMPLES]
    log_weights = _log_weights(vae, x, y, num_samples, seed)  # [K, N]
    shares = np.exp(log_weights - log_weights.max(axis=0))
    effective = shares.sum(axis=0) ** 2 / (shares**2).sum(axis=0)

    figure, axes = figures.new(1, 2, (2.4, 2.4))
    bins = np.geomspace(1, num_samples, 25)
    axes[0].hist(effective, bins, color=figures.COLOURS[0])
    axes[0].axvline(float(np.median(effective)), color=figures.COLOURS[1], linestyle="--")
    axes[0].set(xscale="log", xlabel=f"effective samples of {num_samples}", ylabel="examples")
    figures.plain_ticks(axes[0].xaxis)
    axes[0].set_title(f"median {np.median(effective):.3g}")
    _draw_bound(axes[1], log_weights)
    return figure


def _predicted(vae, x, y, seed):
    """Returns what the likelihood predicts of examples at one latent of each."""
    import tensorflow as tf

    z = tf.nest.map_structure(lambda part: part[0], vae.terms(x, 1, seed=seed, y=y).z)
    condition = None if y is None else vae.condition(y)
    params = vae.decode_batch(vae.prior.decoder_input(z), condition, training=False)
    is_outcome = np.broadcast_to(_is_outcome(vae), x.shape) & ~np.isnan(x)
    is_number = ~np.broadcast_to(_is_outcome(vae), x.shape) & ~np.isnan(x)
    probabilities = np.asarray(vae.likelihood.mean(params))[is_outcome]
    ranks = _ranks(vae, params, x, seed)[is_number] if is_number.any() else np.zeros(0)
    generator = np.random.default_rng(seed)
    chosen, others = (_chosen(len(part), generator) for part in (probabilities, ranks))
    return _Predicted(probabilities[chosen], x[is_outcome][chosen], ranks[others])


def _is_outcome(vae):
    """Returns which elements of an event are 0 or 1, and their mean a probability."""
    if events.kind_of(vae) != events.ROWS:
        name = type(events.base_of(vae.likelihood)).__name__
        return np.full(vae.event_shape, name in ("Bernoulli", "Categorical"))
    found = np.zeros(vae.event_shape, bool)
    for column in events.features(vae):
        found[column.place] = bool(column.labels)
    return found


def _ranks(vae, params, x, seed):
    """Returns the place of each element among draws at its latent, `[N, *event]`."""
    import tensorflow as tf

    from tfvae import random

    # All draws of an example lie side by side, in one call.
    rows = tf.range(len(x) * _DRAWS)
    noise = random.Stream(random.seed_key(seed), rows).fold_in(random.TAGS["draw"])
    try:
        drawn = vae.likelihood.draw(tf.repeat(params, _DRAWS, axis=0), noise)
    except NotImplementedError as error:
        received = f"{type(vae.likelihood).__name__}, which has no draw"
        raise invalid("a likelihood that can draw", received, "define draw") from error
    drawn = np.asarray(drawn).reshape(len(x), _DRAWS, *x.shape[1:])
    below, equal = (drawn < x[:, None]).sum(axis=1), (drawn == x[:, None]).sum(axis=1)
    uniform = np.random.default_rng(seed).random(x.shape)
    return (below + uniform * (equal + 1)) / (_DRAWS + 1)


def _chosen(count, generator):
    """Returns which of many values are compared."""
    return generator.permutation(count)[:_VALUES]


def _draw_probabilities(axes, found):
    """Draws how many elements are 1 of those with about the same probability."""
    order = np.argsort(found.probabilities)
    parts = np.array_split(order, min(_BINS, max(1, len(order) // 20)))
    points = [(found.probabilities[part].mean(), found.outcomes[part].mean()) for part in parts]
    colour = figures.COLOURS[0]
    axes[0].plot(*np.transpose(points), "o-", color=colour, markersize=4, label="0 and 1")
    axes[1].hist(found.probabilities, np.linspace(0, 1, 21), color=colour)


def _draw_ranks(axes, ranks):
    """Draws which share of the numbers lies below each quantile."""
    levels = np.linspace(0, 1, 101)
    observed = np.searchsorted(np.sort(ranks), levels, side="right") / len(ranks)
    colour = figures.COLOURS[1]
    axes[0].plot(levels, observed, color=colour, label="numbers")
    axes[1].hist(ranks, np.linspace(0, 1, 21), histtype="step", color=colour, linewidth=1.5)


def _log_weights(vae, x, y, num_samples, seed) -> np.ndarray:
    """Returns log importance weights, float64 `[K, N]`, some examples at a time."""
    size = max(1, _AT_ONCE // (num_samples * math.prod(vae.event_shape)))
    parts: list[Any] = []
    for first in range(0, len(x), size):
        rows = slice(first, first + size)
        condition = None if y is None else np.asarray(y)[rows]
        parts.append(vae.log_weights(x[rows], num_samples, seed=seed, y=condition))
    return np.concatenate(parts, axis=1).astype(np.float64)


def _draw_bound(axes, log_weights):
    """Draws the mean estimate of log p(x) from the first k samples."""
    counts = np.arange(1, len(log_weights) + 1)
    estimates = np.logaddexp.accumulate(log_weights, axis=0) - np.log(counts)[:, None]
    means = estimates.mean(axis=1)
    gains = estimates[-1] - estimates  # what the last samples have added
    errors = gains.std(axis=1) / math.sqrt(max(1, gains.shape[1] - 1))
    axes.fill_between(counts, means - errors, means + errors, color=figures.COLOURS[0], alpha=0.25,
                      linewidth=0)  # fmt: skip
    axes.plot(counts, means, color=figures.COLOURS[0])
    axes.set(xscale="log", xlabel="importance samples", ylabel="nats")
    figures.plain_ticks(axes.xaxis)
    axes.set_title("estimate of log p(x)")
