"""Loads the model of a run."""

import os
from typing import TYPE_CHECKING

from tfvae import _files
from tfvae.app import screen
from tfvae.app.run_folder import MODEL, REPORT, opened
from tfvae.app.settings import Settings
from tfvae.errors import invalid

if TYPE_CHECKING:
    from tfvae.models.vae import VAE


def load(run: str | os.PathLike[str]) -> "tuple[VAE, Settings]":
    """Loads the model and the settings of a run.

    Args:
        run: folder of the run.

    Returns:
        The model, and its settings.

    Raises:
        InputError: a folder that is no run, or whose files are damaged or of two runs.
    """
    report = opened(run)
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
