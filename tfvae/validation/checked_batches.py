"""A `PyDataset` that checks the batches of another one as they pass."""

from collections.abc import Callable
from typing import Any

from tfvae._keras.backend import keras


class CheckedBatches(keras.utils.PyDataset):
    """The batches of another `PyDataset`, each of them checked when it is made.

    Args:
        batches: the other one.
        check: called with each batch; it raises if it refuses one.
    """

    @classmethod
    def of(cls, batches: keras.utils.PyDataset, check: Callable[[Any], None]) -> Any:
        """Returns the checked batches, or those of other processes as they are.

        Args:
            batches: the `PyDataset`.
            check: called with each batch.
        """
        # A process of its own would be given a copy of the model, which the check holds.
        return batches if batches.use_multiprocessing else cls(batches, check)

    def __init__(self, batches: keras.utils.PyDataset, check: Callable[[Any], None]) -> None:
        """Takes the other's number of workers and length of queue."""
        super().__init__(batches.workers, max_queue_size=batches.max_queue_size)
        self._batches, self._check = batches, check

    def __getitem__(self, index: int) -> Any:
        batch = self._batches[index]
        self._check(batch)
        return batch

    @property
    def num_batches(self) -> int | None:
        """The other's number of batches."""
        return self._batches.num_batches

    def on_epoch_begin(self) -> None:
        """Tells the other that an epoch begins."""
        self._batches.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """Tells the other that an epoch has ended."""
        self._batches.on_epoch_end()
