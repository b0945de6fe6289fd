"""What is asked of the workers of a strategy: processes that train together."""

import contextlib
import contextvars
from collections.abc import Iterator, Sequence

import tensorflow as tf

from tfvae._keras import internals
from tfvae.errors import InputError, invalid

_LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)
_SHARING: contextvars.ContextVar[bool] = contextvars.ContextVar("evaluations_shared", default=False)


class LostWorkerError(InputError):
    """What ended since another worker is gone. The last checkpoint of a training is not lost."""


@contextlib.contextmanager
def told_of_lost(strategy: tf.distribute.Strategy | None, work: str = "train") -> Iterator[None]:
    """Says in a context which of TensorFlow's errors come of a worker that is gone.

    Args:
        strategy: the strategy, or None.
        work: what the workers do together, for the message.

    Raises:
        LostWorkerError: such an error.
    """
    try:
        yield
    except _LOST as error:
        if not are_in(strategy):
            raise
        raise invalid(
            f"all workers to {work} to the end",
            f"{type(error).__name__}: {error.message.strip().splitlines()[0][:300]}",
            "start all workers again; with a tfvae.callbacks.Checkpoint they go on from the last",
            LostWorkerError,
        ) from error


def is_chief(strategy: tf.distribute.Strategy | None) -> bool:
    """Returns True for the one process that writes files: the only one, or the chief of workers."""
    if not are_in(strategy):
        return True
    resolver = strategy.cluster_resolver  # type: ignore[union-attr]
    has_chief = "chief" in resolver.cluster_spec().jobs
    is_first = resolver.task_type == "worker" and resolver.task_id == 0
    return resolver.task_type == "chief" or (is_first and not has_chief)


def are_in(strategy: tf.distribute.Strategy | None) -> bool:
    """Returns True if a strategy is one of several processes."""
    return strategy is not None and internals.has_workers(strategy)


@contextlib.contextmanager
def by_all_workers() -> Iterator[None]:
    """Lets the workers of a `MultiWorkerMirroredStrategy` share the examples of an evaluation.

    All workers enter it, and make the same calls of `tfvae.evaluation` in it with the same model
    and data. Each estimates a share of the examples, and all return the numbers of one device.
    Without it each worker evaluates what it is given, and waits for no other. It changes nothing
    for models of one process.
    """
    token = _SHARING.set(True)
    try:
        yield
    finally:
        _SHARING.reset(token)


def share_evaluations() -> bool:
    """Returns True within `by_all_workers`."""
    return _SHARING.get()


def on_any(strategy: tf.distribute.Strategy | None, *flags: bool) -> list[bool]:
    """Returns for each flag whether it is True in any worker; all workers have to ask.

    Args:
        strategy: the strategy, or None.
        *flags: the flags of this process.
    """
    return [any(column) for column in zip(*of_all(strategy, [int(f) for f in flags]))]


def of_all(strategy: tf.distribute.Strategy | None, numbers: Sequence[int]) -> list[list[int]]:
    """Returns the numbers of each replica's worker, of this process alone without workers.

    Args:
        strategy: the strategy, or None.
        numbers: the numbers of this process.
    """
    if not are_in(strategy):
        return [list(numbers)]
    given = strategy.experimental_distribute_values_from_function(  # type: ignore[union-attr]
        lambda _: tf.constant([list(numbers)], tf.int64)
    )
    return strategy.gather(given, axis=0).numpy().tolist()  # type: ignore[union-attr]
