"""Keeps how far a training is, so that one that is killed goes on bit for bit."""

import contextlib
import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae._files.places import local
from tfvae._keras.backend import keras
from tfvae.callbacks import file, state
from tfvae.callbacks.interrupt import Interrupt, Interrupted
from tfvae.callbacks.signature import differences, signature
from tfvae.errors import InputTypeError, WriteError, invalid
from tfvae.training import replicas, workers
from tfvae.training.keeper import Keeper
from tfvae.validation import arguments

if TYPE_CHECKING:
    from tfvae.training.compiled_fit import CompiledFit
    from tfvae.training.epoch_reader import EpochReader

_LOG = logging.getLogger("tfvae")
_NAME = re.compile(r"checkpoint-(\d{6})\.tfvae")
_KEPT = 2  # files, so that one is whole while the other is written
_SHARE = 100  # checkpoints take one part in so many of the time


class Checkpoint(keras.callbacks.Callback):
    """Keeps how far `fit` is in files, and goes on from the last of them.

    `vae.fit(x, epochs=100, callbacks=[Checkpoint("kept")])` can be killed at any moment. The same
    call, in a new process with a new model of the same arguments, goes on where the last file was
    written, and ends at the weights, history and optimizer of a training that was never stopped:
    bit for bit on one CPU. The arguments of `fit` stay those of the whole training. A training
    that has ended does not train again.

    Under a `MirroredStrategy` it is the same. Of the workers of a `MultiWorkerMirroredStrategy` the
    chief writes the files, which all of them read: the folder is one that they share. A worker
    that is killed ends the others with an error of TensorFlow; started again, all go on.

    Ctrl-C ends the training after the step that runs and a checkpoint, with `Interrupted`; a
    second one ends it at once.

    Args:
        folder: the folder of the files, of this training alone. The last two are kept.
        minutes: a checkpoint is written after so many minutes, also within an epoch; later where
            that would take more than 1 % of the time. 0 writes one after each compiled call.
        epochs: a checkpoint is written after so many epochs. By default after each epoch at whose
            end that takes less than 1 % of the time since the last.

    Raises:
        InputError: minutes or epochs out of range.
        WriteError: a folder that is no place on this machine.
    """

    def __init__(
        self, folder: str | os.PathLike[str], minutes: float = 5.0, epochs: int | None = None
    ) -> None:
        """Keeps the arguments; files are read and written in `fit`."""
        super().__init__()
        self.folder = local(folder)
        self.minutes = arguments.real_number("minutes", minutes, 0.0)
        self.epochs = None if epochs is None else arguments.whole_number("epochs", epochs, 1)

    def set_model(self, model: keras.Model) -> None:
        """Takes the model that is trained.

        Raises:
            InputTypeError: a model that the loop of this package does not train.
        """
        if not hasattr(model, "loop_hooks"):
            fix = "use keras.callbacks.BackupAndRestore"
            raise invalid("a tfvae.VAE to train", type(model).__name__, fix, InputTypeError)
        super().set_model(model)

    def keeper(
        self,
        model: "CompiledFit",
        reader: "EpochReader",
        callbacks: keras.callbacks.CallbackList,
        call: dict[str, Any],
    ) -> Keeper:
        """Returns what keeps a training, see `tfvae.training.keeper.Keeper`.

        Args:
            model: the model that is trained.
            reader: the reader of the training's batches.
            callbacks: all callbacks of the training, which have begun it.
            call: the arguments of `fit`, by name.
        """
        return _Keeper(self, model, reader, callbacks, signature(model, reader, call))


class _Keeper(Keeper):
    """Keeps one training in the files of a `Checkpoint`."""

    def __init__(self, checkpoint, model, reader, callbacks, training):
        self._checkpoint, self._model, self._reader = checkpoint, model, reader
        self._training, self._strategy = training, replicas.strategy_of(model)
        self._memory = state.Memory(callbacks.callbacks)
        self._interrupt = Interrupt()
        self._found: Any = None
        self._saved, self._cost = time.monotonic(), 0.0

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Notes Ctrl-C in a context, to end the training after its step."""
        with self._interrupt.noted():
            yield

    def first_epoch(self, stated):
        self._found = newest(self._checkpoint.folder, self._training)
        _check_same(self._strategy, self._checkpoint.folder, self._found)
        if self._found is None:
            return stated

        content, _ = self._found
        epochs = self._checkpoint.params["epochs"]
        if content["within"] and content["epoch"] < epochs:
            return content["epoch"]
        self._restore()
        self._model.stop_training = content["stopped"]
        # Early stopping has ended the training, which is not to go on.
        return epochs if content["stopped"] else content["epoch"] + 1

    def enter_epoch(self):
        if self._found is None or not self._found[0]["within"]:
            return 0, {}

        content, _ = self._found
        self._restore()
        self._model.after_steps(content["done"])
        return content["done"], content["logs"]

    def after_call(self, epoch, done, logs):
        stops = self._model.stop_training  # which ends the epoch now, and then is kept
        if self._agreed(self._elapsed() >= self._limit()) and not stops:
            found = {name: float(value) for name, value in logs.items() if np.ndim(value) == 0}
            within = {"within": True, "stopped": False, "done": done, "logs": found}
            self._save({"epoch": epoch, **within})

    def after_epoch(self, epoch, is_last):
        if self._agreed(is_last or self._is_due(epoch)):
            stopped = bool(self._model.stop_training)
            self._save({"epoch": epoch, "within": False, "stopped": stopped})

    def _agreed(self, is_due):
        """Returns True if a checkpoint is due, or Ctrl-C came, in any of the workers.

        They write it together, since some of their state is a sum over them.
        """
        flags = workers.on_any(self._strategy, is_due, self._interrupt.came)
        is_due, self._interrupt.came = flags
        return is_due or self._interrupt.came

    def _is_due(self, epoch):
        every = self._checkpoint.epochs
        if every is None:
            return self._elapsed() >= _SHARE * self._cost
        return (epoch + 1) % every == 0 or self._elapsed() >= self._limit()

    def _limit(self):
        """Returns the seconds after which a checkpoint is written: more where one takes long."""
        seconds = 60.0 * self._checkpoint.minutes
        return max(seconds, _SHARE * self._cost) if seconds else 0.0

    def _elapsed(self):
        return time.monotonic() - self._saved

    def _save(self, content):
        """Writes a checkpoint; where that fails the training goes on, since it is not lost."""
        started = time.monotonic()
        arrays = state.values(self._model)
        content |= {"training": self._training, "variables": len(arrays)}
        content |= {"reader": self._reader.position(), "callbacks": self._memory.kept(arrays)}
        content |= {"planned": self._model.training_programs().planned()}
        try:
            if workers.is_chief(self._strategy):
                write_next(self._checkpoint.folder, content, arrays)
        except WriteError as error:
            if self._interrupt.came:
                raise
            _LOG.warning("The training goes on without this checkpoint. %s", error)
        self._saved = time.monotonic()
        self._cost = self._saved - started
        if self._interrupt.came:
            told = "in" if content["within"] else "after"
            raise Interrupted(
                f"The training was stopped {told} epoch {content['epoch'] + 1} and is kept in "
                f"{self._checkpoint.folder}. The same call of fit goes on from there."
            )

    def _restore(self):
        content, arrays = self._found
        self._found = None
        state.assign(self._model, arrays[: content["variables"]])
        self._memory.restore(content["callbacks"], arrays)
        self._reader.go_to(content["reader"])
        self._model.training_programs().plan_again(content.get("planned", []))


def _check_same(strategy, folder, found):
    """Refuses workers that would go on from different places."""
    content = {} if found is None else found[0]
    here = [content.get("epoch", -1), content.get("done", -1)]
    others = workers.of_all(strategy, here)
    if any(there != here for there in others):
        raise invalid(
            "the same newest checkpoint in all workers",
            f"epoch and step {here} in {folder} of this one, {others} in all of them",
            "give all workers one folder, which they share",
        )


def numbered(folder: Path) -> list[Path]:
    """Returns the checkpoints in a folder, the newest first."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted((path for path in found if _NAME.fullmatch(path.name)), reverse=True)


def write_next(folder: Path, content: dict[str, Any], arrays: list[Any]) -> Path:
    """Writes the next checkpoint into a folder, and removes all but the last two.

    Args:
        folder: the folder.
        content: as `file.write` takes it.
        arrays: as `file.write` takes them.

    Returns:
        The file.

    Raises:
        WriteError: it cannot be written.
    """
    before = numbered(folder)
    number = int(_NAME.fullmatch(before[0].name)[1]) + 1 if before else 1  # type: ignore[index]
    path = folder / f"checkpoint-{number:06d}.tfvae"
    file.write(path, content, arrays)
    for old in before[_KEPT - 1 :]:
        old.unlink(missing_ok=True)
    return path


def newest(folder: Path, training: dict[str, Any]) -> tuple[dict[str, Any], list[Any]] | None:
    """Reads the newest checkpoint of a training that is whole, and says which ones are not.

    Args:
        folder: the folder.
        training: the training's `signature`.

    Returns:
        (content, arrays), or None if there is no checkpoint that is whole.

    Raises:
        InputError: the newest one that is whole is of another training.
    """
    for path in numbered(folder):
        try:
            content, arrays = file.read(path)
        except file.DamagedCheckpointError as error:
            _LOG.warning("%s The one before it is used, if there is one.", error)
            continue

        differing = differences(content["training"], training)
        if differing:
            fix = "choose another folder, or make the same model and call"
            raise invalid(f"{path} to be of this training", differing, fix)
        _LOG.info("The training goes on from %s.", path)
        return content, arrays

    return None
