"""Reads the batches of each epoch, in the order and number of Keras' own loop."""

import itertools
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfvae.training.batch_sources import DatasetBatches, IndexedArrays


class EpochReader:
    """Reads the batches of one epoch after the other.

    Without `steps_per_epoch` an epoch is one pass over the source. With it an epoch is that many
    batches, and the next epoch goes on where the last one ended. A source that has ended begins
    anew.

    Args:
        source: the source of the batches.
        steps_per_epoch: batches in an epoch, as `fit` takes it, or None.
    """

    def __init__(
        self, source: "IndexedArrays | DatasetBatches", steps_per_epoch: int | None = None
    ) -> None:
        """Starts before the first pass."""
        self.source = source
        self.steps_per_epoch = steps_per_epoch
        self._batches: Any = None
        self._read = 0  # batches of the current pass
        self._passes = 0  # begun so far
        self.ended = False  # of the epoch

    @property
    def num_steps(self) -> int | None:
        """The number of steps in an epoch, or None if it is not known."""
        return self.steps_per_epoch or self.source.num_batches

    def begin_anew(self) -> None:
        """Leaves the current pass, so that the next epoch begins another one."""
        self._batches = None

    def begin_epoch(self) -> None:
        """Begins the next epoch."""
        if self._batches is None or self.steps_per_epoch is None:
            self._begin_pass()
        self._left = self.num_steps
        self.ended = False

    def has_more(self) -> bool:
        """Returns True if the epoch has another batch, as far as is known before it is read.

        Warns of an epoch that ends before its stated number of steps.
        """
        if self.ended or self._left == 0:
            return False
        if self._pass_is_over():
            self.ended = True
            _warn_of_early_end()
            return False

        return True

    def take(self, most: int) -> list[Any]:
        """Returns up to `most` batches of the epoch: none if the source has ended."""
        limits = (most, self._left, self._left_of_pass())
        wanted = min(limit for limit in limits if limit is not None)
        batches = list(itertools.islice(self._batches, wanted))
        self._read += len(batches)
        if self._left is not None:
            self._left -= len(batches)

        if len(batches) < wanted:
            self._end_early()

        return batches

    def last_batch_ends_pass(self) -> bool:
        """Returns True if the last batch taken was the last one of a pass."""
        return self.ended or self._left_of_pass() == 0

    def end_epoch(self) -> None:
        """Ends an epoch. If its pass is over, the next epoch begins another pass."""
        if self._left_of_pass() == 0:
            self._batches = None

    def position(self) -> dict[str, Any]:
        """Returns where the reader is, as values for JSON."""
        return {
            "passes": self._passes,
            "read": None if self._batches is None else self._read,
            "left": getattr(self, "_left", None),
            "ended": self.ended,
            "order": self.source.order,
        }

    def go_to(self, position: dict[str, Any]) -> None:
        """Goes where a reader of the same data was, from before the first pass.

        Arrays go there at once. A `tf.data.Dataset` is read from its start, since its order may
        follow from how often it was read.

        Args:
            position: a result of `position`.
        """
        begun = position["passes"] - (position["read"] is not None)
        self._passes = self.source.skip_passes(begun)
        self._batches = None
        if position["read"] is not None:
            self._begin_pass(position["order"])
            for _ in itertools.islice(self._batches, position["read"]):
                self._read += 1
        self._left = position["left"]
        self.ended = position.get("ended", False)

    def _begin_pass(self, order=None):
        self._batches = self.source.next_pass(order)
        self._read = 0
        self._passes += 1

    def _left_of_pass(self):
        number = self.source.num_batches
        return None if number is None else number - self._read

    def _pass_is_over(self):
        return self.steps_per_epoch is not None and self._left_of_pass() == 0

    def _end_early(self):
        self.ended = True
        self._batches = None
        if self.num_steps is not None:
            _warn_of_early_end()


def _warn_of_early_end():
    warnings.warn(
        "Your input ran out of data; interrupting training. Make sure that your dataset or "
        "generator can generate at least `steps_per_epoch * epochs` batches. You may need to use "
        "the `.repeat()` function when building your dataset.",
        stacklevel=4,
    )
