"""Makes and reads runs: folders with a trained model, its exported files, pictures and report."""

import contextlib
import dataclasses
import math
import os
import platform
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae import datasets
from tfvae._version import __version__
from tfvae.app import (
    alarms,
    conditions,
    config_file,
    devices,
    early_stopping,
    run_inputs,
    run_model,
    screen,
)
from tfvae.app.run_folder import MODEL as MODEL
from tfvae.app.run_folder import RECONSTRUCTIONS as RECONSTRUCTIONS
from tfvae.app.run_folder import REPORT as REPORT
from tfvae.app.run_folder import SAMPLES as SAMPLES
from tfvae.app.run_folder import SAVED_MODEL as SAVED_MODEL
from tfvae.app.run_folder import TFLITE as TFLITE
from tfvae.app.run_folder import Unfinished, check_place, opened, write_report
from tfvae.app.run_model import load as load
from tfvae.app.run_outputs import draw_samples as draw_samples
from tfvae.app.run_outputs import export as export
from tfvae.app.run_outputs import export_app as export_app
from tfvae.app.run_outputs import export_web as export_web
from tfvae.app.run_outputs import sample as sample
from tfvae.app.run_page import finite
from tfvae.app.run_page import write_page as write_page
from tfvae.app.settings import Settings, describe, load_data
from tfvae.errors import invalid

_BATCHES = (1, 256)  # of the file of a table
_MEASURED = 1000  # held-out examples that files are measured with

if TYPE_CHECKING:
    from tfvae.evaluation import Report


def train(
    settings: Settings, say: Callable[[str], object] = print, *, overwrite: bool = False
) -> dict[str, Any] | None:
    """Trains, evaluates and exports a model, and draws samples from the exported file.

    The run is made in a folder beside its own, `.NAME.unfinished`, and takes its place when all of
    it is there. One that is stopped before can be gone on with, see `resume`.

    Args:
        settings: what to train on, and how.
        say: called with a line of text at each step.
        overwrite: True to replace a run that is there by the finished one, and to throw away an
            unfinished one.

    Returns:
        The report, a dictionary, which is also in `report.json`; None in a worker beside the chief,
        which writes the run.

    Raises:
        InputError: data or settings that cannot work, before any step or file; a model that
            cannot be evaluated or exported.
        InputTypeError: data that are not numbers, before any step or file.
        WriteError: a run or anything else in the place of the run, or a disk that is full.
    """
    return _train(settings, say, overwrite, None)


def resume(
    run: str | os.PathLike[str], say: Callable[[str], object] = print
) -> dict[str, Any] | None:
    """Goes on with a run that was stopped, to the same weights as if it had not been.

    Args:
        run: the folder that it was to have.
        say: called with a line of text at each step.

    Returns:
        The report, as `train` returns it.

    Raises:
        InputError: no unfinished run, other data than before, or as `train`.
    """
    unfinished = Unfinished(run)
    was_done = unfinished.is_done()
    unfinished.settle()
    begun = unfinished.begun()
    if begun is None and was_done:
        return opened(run)
    if begun is None:
        received = "a finished one" if (unfinished.out / REPORT).is_file() else "none"
        fix = "give the --out of a tfvae train that was stopped"
        raise invalid(f"an unfinished run of {run}", received, fix)
    settings = run_inputs.of_unfinished(begun, run)
    say(f"Going on with {run}, which was stopped.")
    return _train(settings, say, begun["overwrite"], begun)


def _train(settings, say, overwrite, begun):
    """Makes a run, anew or from where an unfinished one was stopped."""
    started = time.time()
    settings, dataset, kept_back, reason = run_inputs.chosen(settings)
    unfinished = Unfinished(settings.out)
    check_place(unfinished.out, overwrite)
    say(describe(dataset, settings, reason))
    if kept_back is not None:
        say(f"{len(kept_back[0]):,} other training examples are kept back, to tell when to stop.")

    with screen.waiting("Loading TensorFlow"):
        strategy = devices.strategy(settings.strategy)
        vae = run_model.compiled(settings, dataset, strategy)
    if strategy is not None:
        say(devices.described(strategy))
    evaluated_on = held_out(dataset, settings.num_examples)
    if not devices.is_chief(strategy):
        _fit(vae, dataset, kept_back, settings, unfinished, say)
        _evaluated(vae, evaluated_on, dataset.y_test, settings.num_samples, settings.seed)
        return None

    used = run_inputs.used(dataset, evaluated_on, begun, say)
    call = {"settings": dataclasses.asdict(settings), "overwrite": overwrite, "data": used}
    with unfinished.work(call, overwrite, resume=begun is not None) as out:
        began = time.time()
        history = _fit(vae, dataset, kept_back, settings, unfinished, say)
        seconds = {"fit": round(time.time() - began, 1)}
        with _says_where_the_training_is(unfinished.checkpoints, settings.out):
            vae.save(out / MODEL)
        with _says_where_the_training_is(out / MODEL, settings.out):
            report = _measured(vae, dataset, evaluated_on, settings, out, say)
            counts = {"train": len(dataset.x_train), "held_out": len(dataset.x_test)}
            report["data"] = {"note": dataset.note, **counts, **used}
            report["alarms"] = alarms.of_run(
                report["evaluation"], history, len(dataset.x_train), len(evaluated_on)
            )
            (out / config_file.NAME).write_text(config_file.text(settings), encoding="utf-8")
            report["history"] = finite(history)
            report["seconds"] = {**seconds, "all": round(time.time() - started, 1)}
            write_page(out, report, vae, dataset)
            return write_report(out, report)


def _fit(vae, dataset, kept_back, settings, unfinished, say):
    """Trains a model, and returns the numbers of each epoch by name."""
    from tfvae.app.training_line import TrainingLine
    from tfvae.callbacks import Checkpoint, Interrupted
    from tfvae.training import replicas, workers
    from tfvae.training.alarm import NonFiniteLoss

    trained_on, batch_size = dataset.x_train, settings.batch_size
    y, validation = conditions.given(vae, dataset.y_train), kept_back
    if kept_back is not None and vae.condition_shape is None:
        validation = kept_back[0]
    steps = math.ceil(len(trained_on) / batch_size)
    stops = [] if kept_back is None else [early_stopping.callback(settings.early_stopping)]
    try:
        # The chief has settled by now what the others are to go on from.
        workers.of_all(replicas.strategy_of(vae), [0])
        with screen.waiting("Compiling the first step") as advance:
            watchers = [Checkpoint(unfinished.checkpoints), TrainingLine(advance, steps), *stops]
            fitted = vae.fit(
                trained_on, y, batch_size=batch_size, epochs=settings.epochs, callbacks=watchers,
                verbose=0, validation_data=validation,
            )  # fmt: skip
    except workers.LostWorkerError as error:
        how = f"start all workers again, with --resume {settings.out}"
        raise invalid("all workers to train to the end", "one that is gone", how) from error
    except NonFiniteLoss:
        unfinished.drop()
        raise
    except Interrupted as error:
        how = f"To go on: tfvae train --resume {settings.out}"
        raise Interrupted(f"The training was stopped and is kept. {how}") from error

    for words in filter(None, map(early_stopping.told, stops)):
        say(words)
    return getattr(fitted, "history", {})


def _evaluated(vae, x, y, num_samples, seed):
    """Evaluates a model on examples, which workers share, under the first of the conditions y."""
    from tfvae import evaluation

    y = conditions.given(vae, y)
    y = None if y is None else y[: len(x)]
    with evaluation.by_all_workers(), screen.waiting("Evaluating") as advance:
        return evaluation.evaluate(vae, x, num_samples, seed, y, progress=advance)


def _measured(vae, dataset, evaluated_on, settings, out, say):
    """Evaluates, exports and draws, and returns what the report says of it."""
    say(f"Evaluating {_count(settings.num_examples, dataset)} held-out examples ...")
    y_test = dataset.y_test
    found = _evaluated(vae, evaluated_on, y_test, settings.num_samples, settings.seed)
    say("Exporting ...")
    # Rows are drawn by the thousand, and 256 at once take a few times as long as one.
    batch_size = 1 if dataset.table is None else _BATCHES
    exported = export(vae, out, batch_size, data_y=conditions.given(vae, y_test))
    with screen.waiting("Drawing samples"):
        columns = draw_samples(vae, dataset, out, settings.seed)
    table = dataset.table and dataset.table.to_dict()
    return {
        "settings": dataclasses.asdict(settings),
        "versions": versions(),
        "evaluation": found.to_dict(),
        "export": exported,
        "classes": list(dataset.classes),
        **({"table": table, "columns": columns} if table else {}),
    }


@contextlib.contextmanager
def _says_where_the_training_is(path, out):
    """Adds to an error in a context that the training is not lost."""
    try:
        yield
    except Exception as error:
        raise invalid(
            "a trained model that can be evaluated and exported to the end",
            f"{type(error).__name__}: {str(error).strip()[:1000]}",
            f"mend the cause, then tfvae train --resume {out}; what was trained is in {path}",
        ) from error


def evaluate(
    run: str | os.PathLike[str],
    num_samples: int,
    num_examples: int,
    data_dir: str | os.PathLike[str] | None = None,
    data: str | None = None,
) -> "Report":
    """Evaluates the model of a run on its held-out data, or on other data.

    Args:
        run: folder of the run.
        num_samples: importance samples per example.
        num_examples: held-out examples to evaluate, from the first; 0 for all.
        data_dir: folder of named data sets; default the one of the run.
        data: name or path of other data.

    Returns:
        The estimates, in nats per example.

    Raises:
        InputError: a folder that is no run, or data that cannot be read.
    """
    vae, settings, found, y = run_model.with_examples(run, data, data_dir)
    return _evaluated(vae, found.x[: num_examples or None], y, num_samples, settings.seed)


def held_out_of(
    settings: Settings, data_dir: str | os.PathLike[str] | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns held-out examples of a run, to calibrate and measure files with.

    Args:
        settings: the settings of the run.
        data_dir: folder of named data sets; default the one of the run.

    Returns:
        The first 1,000 of them at most, `[N, *event]`, and their conditions `[N, ...]`, or None
        for a model without.

    Raises:
        InputError: data that cannot be read.
    """
    dataset = load_data(settings, data_dir)
    y = None if settings.condition is None else dataset.y_test
    return held_out(dataset, _MEASURED), None if y is None else y[:_MEASURED]


def held_out(dataset: datasets.Dataset, num_examples: int) -> np.ndarray:
    """Returns the first held-out examples.

    Args:
        dataset: the data.
        num_examples: how many; 0 for all.
    """
    return dataset.x_test[: num_examples or None]


def versions() -> dict[str, str]:
    """Returns the versions of all software that could change a number of the report."""
    import keras
    import tensorflow
    import tensorflow_probability

    packages = {
        "keras": keras,
        "tensorflow": tensorflow,
        "tensorflow_probability": tensorflow_probability,
        "numpy": np,
    }

    found = {name: module.__version__ for name, module in packages.items()}
    return {"tfvae": __version__, "python": platform.python_version(), **found}


def _count(num_examples, dataset):
    """Returns how many held-out examples are evaluated, in words."""
    return (
        f"{min(num_examples or len(dataset.x_test), len(dataset.x_test)):,} "
        f"of {len(dataset.x_test):,}"
    )
