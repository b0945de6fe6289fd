"""Loads what a run holds: its model, its settings, and the examples to use them on."""

import math
import os
from typing import TYPE_CHECKING, Any

from tfvae import _files
from tfvae.app import devices, given_data, rows, screen
from tfvae.app.run_folder import MODEL, REPORT, TFLITE, opened
from tfvae.app.settings import Settings, build
from tfvae.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import tensorflow as tf

    from tfvae import datasets
    from tfvae.app.given_data import Examples
    from tfvae.models.vae import VAE


def compiled(
    settings: Any, dataset: "datasets.Dataset", strategy: "tf.distribute.Strategy | None" = None
) -> "VAE":
    """Returns the model of a run, with new weights, ready to be trained.

    Args:
        settings: the settings, without open ones.
        dataset: the data, which it has to be able to learn from.
        strategy: the devices that train it, or None for one.

    Raises:
        InputError: settings or data that cannot work.
    """
    from tfvae._keras.backend import keras
    from tfvae.validation import data_checks

    keras.utils.set_random_seed(settings.seed)
    with devices.scope(strategy):
        vae = build(settings, dataset)
    for name in ("x_train", "x_test"):
        data_checks.check_events(getattr(dataset, name), vae.likelihood, vae.event_shape, name)

    steps = settings.epochs * math.ceil(len(dataset.x_train) / settings.batch_size)
    with devices.scope(strategy):
        schedule = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)
        vae.compile(keras.optimizers.Adam(schedule))
    return vae


def load(run: str | os.PathLike[str], but: "Sequence[str]" = ()) -> "tuple[VAE, Settings]":
    """Loads the model and the settings of a run.

    Args:
        run: folder of the run.
        but: files of it that may be damaged, see `run_folder.opened`.

    Returns:
        The model, and its settings.

    Raises:
        InputError: a folder that is no run, or whose files are damaged or of two runs.
    """
    report = opened(run, but=but)
    run = _files.local(run)

    with screen.waiting("Loading TensorFlow"):
        from tfvae.models.files import load_model

    try:
        with screen.waiting("Loading the model"):
            return load_model(run / MODEL), Settings(**report["settings"])
    except Exception as error:  # of zipfile, HDF5 or Keras
        reason = f"{type(error).__name__}: {str(error).strip()[:200]}"
        raise invalid(
            f"readable files {MODEL} and {REPORT} in {run}", reason, "train the run again"
        ) from error


def with_examples(
    run: str | os.PathLike[str],
    data: str | None,
    data_dir: str | os.PathLike[str] | None,
    check: "Callable[[VAE, Settings], None] | None" = None,
) -> "tuple[VAE, Settings, Examples, Any]":
    """Loads a run and the examples to work on.

    Args:
        run: folder of the run.
        data: name or path of the data; None for what the run has held out.
        data_dir: folder of named data sets; default the one of the run.
        check: raises an error if the model is none to work with, before the data are read.

    Returns:
        The model, the settings of the run, the examples, and the conditions of the examples or
        None if the model has none.

    Raises:
        InputError: a folder that is no run, or examples that its model does not take.
    """
    vae, settings = load(run)

    # Below, so that TensorFlow is loaded where that is shown.
    from tfvae.validation import data_checks

    if check is not None:
        check(vae, settings)
    table = rows.table_of(_files.local(run) / TFLITE)
    with screen.waiting("Reading the data"):
        found = given_data.examples(settings, vae.event_shape, data, data_dir, table)
    data_checks.check_events(found.x, vae.likelihood, vae.event_shape)
    return vae, settings, found, found.y if vae.condition_shape is not None else None
