"""Writes the page of a run that has just been trained."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfvae.app import screen

if TYPE_CHECKING:
    from tfvae.datasets import Dataset
    from tfvae.models.vae import VAE


def write_page(out: Path, report: dict[str, Any], vae: "VAE", dataset: "Dataset") -> None:
    """Writes the page of a run, `report.html`.

    Args:
        out: folder of the run, with all other files but the report.
        report: the report.
        vae: the model.
        dataset: its data.
    """
    from tfvae.app.report_page import page

    with screen.waiting(f"Writing {page.NAME}"):
        page.write(out / page.NAME, out, report, vae, dataset)


def finite(history: Mapping[str, Sequence[float]]) -> dict[str, list[float | None]]:
    """Returns the numbers of each epoch by name, None for those that JSON does not have.

    Args:
        history: the numbers.
    """
    return {
        name: [float(value) if math.isfinite(value) else None for value in values]
        for name, values in history.items()
    }
