"""Reads the batches of each epoch in the order, and to the number, that Keras' own loop would."""

import itertools
import warnings
from typing import Any


class EpochReader:
    """The batches of one epoch after the other.

    Without a stated number of steps an epoch is one pass over the source. With one, it is that
    many batches, and the next epoch goes on where it ended; a source that ends is begun anew.

    Args:
        source: of `batch_sources`.
        steps_per_epoch: as `fit` takes it, or None.
    """

    def __init__(self, source, steps_per_epoch=None):
        self.source = source
        self.steps_per_epoch = steps_per_epoch
        self._batches: Any = None
        self._read = 0  # of the current pass

    @property
    def num_steps(self):
        """How many steps an epoch has, or None where that is not known."""
        return self.steps_per_epoch or self.source.num_batches

    def begin_anew(self):
        """Leaves the current pass, so that the next epoch begins another."""
        self._batches = None

    def begin_epoch(self):
        """Turns to the next epoch."""
        if self._batches is None or self.steps_per_epoch is None:
            self._begin_pass()
        self._left = self.num_steps
        self.ended = False

    def has_more(self):
        """Returns True if the epoch has another batch, as far as is known before it is read."""
        if self.ended or self._left == 0:
            return False
        if self._pass_is_over():
            self.ended = True
            _warn_of_early_end()
            return False

        return True

    def take(self, most):
        """Returns up to `most` batches of the epoch as a list, empty where the source has ended."""
        limits = (most, self._left, self._left_of_pass())
        wanted = min(limit for limit in limits if limit is not None)
        batches = list(itertools.islice(self._batches, wanted))
        self._read += len(batches)
        if self._left is not None:
            self._left -= len(batches)
        if len(batches) < wanted:
            self._end_early()
        return batches

    def last_batch_ends_pass(self):
        """Returns True if the last batch taken was the last one of a pass."""
        return self.ended or self._left_of_pass() == 0

    def end_epoch(self):
        """Leaves an epoch; a pass that is over is begun anew with the next one."""
        if self._left_of_pass() == 0:
            self._batches = None

    def _begin_pass(self):
        self._batches = self.source.next_pass()
        self._read = 0

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
        "Your input ran out of data; interrupting training. Make sure that your dataset or generator "
        "can generate at least `steps_per_epoch * epochs` batches. You may need to use the "
        "`.repeat()` function when building your dataset.",
        stacklevel=4,
    )
