"""Tells how far a training is: in a line that moves, and in a log by one line an epoch."""

import time
from typing import Any

from tfvae._keras.backend import keras
from tfvae.app import screen


class TrainingLine(keras.callbacks.Callback):
    """Tells how far a training is, and leaves the training as it is.

    Args:
        advance: tells how many of how many steps are done, see `screen.waiting`.
        steps_per_epoch: batches of one epoch.

    Attributes:
        only_watches: True, so that many steps run in one call.
    """

    only_watches = True

    def __init__(self, advance: screen.Advance, steps_per_epoch: int) -> None:
        """Has seen nothing yet."""
        super().__init__()
        self._advance, self._steps = advance, steps_per_epoch
        self._epoch, self._began = 0, time.monotonic()
        self._started, self._loss = self._began, ""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes which epoch begins.

        Args:
            epoch: number of the epoch, from 0.
            logs: numbers by name.
        """
        self._epoch, self._began = epoch, time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves the line. The logs stay unread, since that would wait for the step.

        Args:
            batch: number of the step in the epoch, from 0.
            logs: numbers by name.
        """
        epochs = self.params["epochs"]
        done = self._epoch * self._steps + batch + 1
        text = f"Training, epoch {self._epoch + 1} of {epochs}{self._loss}"
        self._advance(done, epochs * self._steps, text)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Prints the line of an epoch, unless a line moves in its place.

        Args:
            epoch: number of the epoch, from 0.
            logs: numbers by name.
        """
        logs = logs or {}
        self._loss = f", loss {logs['loss']:.4g}" if "loss" in logs else ""
        if screen.keeps_lines():
            seconds = screen.duration(time.monotonic() - self._began)
            numbers = "  ".join(f"{name} {value:.4g}" for name, value in _in_order(logs))
            screen.say(f"Epoch {epoch + 1}/{self.params['epochs']}  {numbers}  {seconds}")

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Prints what the moving line ended at, which is gone then."""
        if not screen.keeps_lines() and self._loss:
            took = screen.duration(time.monotonic() - self._started)
            screen.say(f"Trained to the end of epoch {self._epoch + 1} in {took}{self._loss}")


def _in_order(logs):
    """Returns the numbers of an epoch, the loss first."""
    return sorted(logs.items(), key=lambda item: (item[0] != "loss", item[0].startswith("val_")))
