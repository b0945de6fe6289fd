"""What the loop asks of a keeper, which keeps how far a training is so that it can go on."""

import contextlib
from typing import TYPE_CHECKING, Any

from tfvae.training import batch_callbacks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tfvae._keras.backend import keras
    from tfvae.training.compiled_fit import CompiledFit
    from tfvae.training.epoch_reader import EpochReader


class Keeper:
    """Keeps nothing, which is what a training without a checkpoint wants."""

    def listening(self) -> contextlib.AbstractContextManager[Any]:
        """Returns a context in which the whole training runs."""
        return contextlib.nullcontext()

    def first_epoch(self, stated: int) -> int:
        """Returns the epoch to begin with, and brings back the state before it.

        Args:
            stated: the epoch to begin with if nothing was kept.
        """
        return stated

    def enter_epoch(self) -> tuple[int, dict[str, Any]]:
        """Brings back the state within an epoch that has just begun.

        Returns:
            (steps, logs): the steps of this epoch that are done, and what the last one returned.
        """
        return 0, {}

    def after_call(self, epoch: int, done: int, logs: dict[str, Any]) -> None:
        """Hears of a compiled call within an epoch.

        Args:
            epoch: the number of the epoch.
            done: the steps of the epoch so far.
            logs: what the last step returned.
        """

    def after_epoch(self, epoch: int, is_last: bool) -> None:
        """Hears of the end of an epoch, after all callbacks.

        Args:
            epoch: the number of the epoch.
            is_last: True if no other epoch follows.
        """


def keeping_callbacks(callbacks: Any) -> list[Any]:
    """Returns the callbacks of a call of `fit` that have a method `keeper`."""
    return [c for c in batch_callbacks.flat(callbacks) if hasattr(c, "keeper")]


def keeper_of(
    model: "CompiledFit",
    reader: "EpochReader",
    callbacks: "keras.callbacks.CallbackList",
    call: dict[str, Any],
) -> Keeper:
    """Returns the keeper of a training: that of its `tfvae.callbacks.Checkpoint`, if any.

    Args:
        model: the model that is trained.
        reader: the reader of the training's batches.
        callbacks: all callbacks of the training.
        call: the arguments of `fit`, by name.
    """
    found: Sequence[Any] = keeping_callbacks(callbacks)
    return found[0].keeper(model, reader, callbacks, call) if found else Keeper()
