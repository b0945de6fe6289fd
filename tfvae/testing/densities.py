"""Checks that a log-probability is normalized, and that draws follow it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tfvae.pieces import ONE_HOT, SIMPLEX, SPHERE
from tfvae.testing import statistics
from tfvae.testing.failure import failed

COUNT = 20_000  # draws, and points of an integral
_TOLERANCE = 0.02  # of an integral, beside five standard errors


class Subject(NamedTuple):
    """A distribution to check, its values as rows of numbers.

    Attributes:
        piece: the piece, for messages.
        support: the set in which the values lie, in words, or "numbers" or "values" of data.
        log_prob: the log-probability, `[N, D] -> [N]`, in nats.
        draws: `{the method that drew them: [N, D]}`.
    """

    piece: Any
    support: str
    log_prob: Callable[[np.ndarray], np.ndarray]
    draws: dict[str, np.ndarray]


def check_density(subject: Subject) -> "statistics.Mass | None":
    """Checks that a density or a probability sums to one.

    Over real vectors and spheres it is integrated by importance sampling; of values that can be
    counted, the probabilities of those that were drawn are added. Of points of a simplex it is
    not checked.

    Args:
        subject: the distribution.

    Returns:
        The integral, or None where there is none.

    Raises:
        CheckError: the sum differs from 1 by more than 0.02 and 5 standard errors, or a
            log-probability is not a number.
    """
    for name, draws in subject.draws.items():
        if not np.isfinite(draws).all():
            received = f"{int((~np.isfinite(draws)).sum())} of {draws.size} are not"
            fix = f"keep {name} from dividing by zero, or from the log of 0"
            raise failed("draws", subject.piece, f"finite numbers from {name}", received, fix)

    if subject.support == SIMPLEX or not subject.draws:
        return None
    if subject.support in (ONE_HOT, "values"):
        _check_probabilities(subject)
        return None

    found = _integral(subject)
    if not abs(found.value - 1.0) <= _TOLERANCE + 5 * found.error:
        raise _not_one(subject, f"{found.value:.4f}, within {found.error:.4f}")
    return found


def check_draws(subject: Subject, mass: "statistics.Mass | None") -> None:
    """Checks that draws follow the density, in each coordinate and in the log-density itself.

    By Kolmogorov and Smirnov at a level of 1e-5, against the points of the integral; where there
    is none, each method's draws against those of the last one.

    Args:
        subject: the distribution.
        mass: the integral, as `check_density` returns it.

    Raises:
        CheckError: draws of another distribution.
    """
    if subject.support in (ONE_HOT, "values"):
        for name, draws in subject.draws.items():
            _check_counts(subject, name, draws)
        return

    names = list(subject.draws)
    for name in names if mass is not None else names[:-1]:
        draws = subject.draws[name]
        points = subject.draws[names[-1]] if mass is None else mass.points
        weights = None if mass is None else mass.weights
        ours, theirs = _coordinates(subject, draws), _coordinates(subject, points)
        for what, a, b in zip(_words(draws), ours.T, theirs.T):
            distance = statistics.distance(a, b, weights)
            if distance > 1.0:
                raise _other_draws(subject, name, f"{what} is {distance:.1f} times as far")


def check_mean(subject: Subject, mean: Any, tolerance: float) -> None:
    """Checks that a likelihood's mean is that of its draws, within 5 standard errors.

    Args:
        subject: the distribution of one event.
        mean: what the likelihood says, `[1, *event]`.
        tolerance: allowed beside the standard errors; of numbers above 1 as their share.

    Raises:
        CheckError: another mean.
    """
    mean = np.ravel(mean)
    for name, draws in subject.draws.items():
        errors = draws.std(axis=0) / np.sqrt(len(draws))
        wrong = np.abs(draws.mean(axis=0) - mean) > 5 * errors + tolerance * np.maximum(
            1, np.abs(mean)
        )
        if wrong.any():
            received = f"{mean[wrong][0]:.5g} where the draws of {name} have "
            received += f"{draws.mean(axis=0)[wrong][0]:.5g}"
            fix = "return E[x|z] in the units of x"
            raise failed("mean", subject.piece, "the mean of the draws", received, fix)


def _integral(subject):
    draws = np.concatenate([values[:COUNT] for values in subject.draws.values()])
    if subject.support == SPHERE:
        return statistics.sphere(_checked(subject), draws.shape[1], COUNT, seed=1)
    return statistics.mass(_checked(subject), draws, COUNT, seed=1)


def _checked(subject):
    def log_prob(points):
        found = subject.log_prob(points)
        wrong = np.isnan(found) | (found == np.inf)
        if wrong.any():
            received = f"{found[wrong][0]} at {points[wrong][0].tolist()}"
            fix = "give -inf where the density is 0, and a number elsewhere"
            raise failed("density", subject.piece, "a log-density below infinity", received, fix)
        return found

    return log_prob


def _coordinates(subject, draws):
    """The numbers of each draw, and its log-density beside them, `[N, D + 1]`."""
    return np.concatenate([draws, subject.log_prob(draws)[:, None]], axis=1)


def _words(draws):
    return [*(f"number {i}" for i in range(draws.shape[1])), "the log-density"]


def _check_probabilities(subject):
    for draws in subject.draws.values():
        values, counts = np.unique(draws, axis=0, return_counts=True)
        total = np.exp(_checked(subject)(values).astype(np.float64)).sum()
        missing, chance = statistics.unseen(counts)
        if not abs(total + missing - 1.0) <= chance + 1e-3:
            raise _not_one(subject, f"{total:.4f} over the {len(values)} values that were drawn")


def _check_counts(subject, name, draws):
    values, counts = np.unique(draws, axis=0, return_counts=True)
    expected = len(draws) * np.exp(subject.log_prob(values).astype(np.float64))
    times = statistics.off_by_chance(counts, expected)
    if times > 1.0:
        raise _other_draws(subject, name, f"a value's share is {times:.1f} times as far off")


def _not_one(subject, received):
    return failed(
        "density",
        subject.piece,
        "a density or probability that sums to 1",
        received,
        "keep every constant of the log-density, and where z is a map of other numbers the log "
        "of its Jacobian; or let the draws reach all of the density",
    )


def _other_draws(subject, name, received):
    return failed(
        "draws",
        subject.piece,
        f"draws by {name} that follow the density",
        f"draws of which {received} as chance allows",
        "use the same location, scale and weights in both, and noise of its own for each purpose",
    )
