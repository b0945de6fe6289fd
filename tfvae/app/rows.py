"""Writes the rows that the model of a table draws, and compares them with held-out ones."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae import _files
from tfvae.datasets.column_kinds import BINARY, CATEGORY
from tfvae.datasets.table import Table

if TYPE_CHECKING:
    import pandas as pd

ROWS = 2000  # that are drawn at the end of a training


def drawn(file: Path, table: Table, count: int, seed: int) -> "pd.DataFrame":
    """Returns rows that an exported file draws.

    Args:
        file: the `.tflite`.
        table: the columns.
        count: how many rows.
        seed: seed of the rows.
    """
    from tfvae.export import Sampler

    return table.to_frame(np.asarray(Sampler(file).sample(count, seed=seed, draw=True)))


def save(rows: "pd.DataFrame", out: str | os.PathLike[str]) -> None:
    """Writes rows as a CSV file.

    Args:
        rows: the rows.
        out: the file, which must not be there.

    Raises:
        WriteError: a path that cannot be written, or that is there.
    """
    target = _files.Target(out, "rows of tfvae", lambda path: "another file")
    with _files.whole_file(target) as file:
        rows.to_csv(file, index=False, lineterminator="\n")


def compared(table: Table, x: np.ndarray, rows: "pd.DataFrame") -> list[dict[str, Any]]:
    """Compares drawn rows with held-out ones, column by column.

    Args:
        table: the columns.
        x: held-out rows, `[N, E]`.
        rows: drawn rows.

    Returns:
        For each column its `name` and `kind`, and `distance`: of numbers the largest difference of
        the two cumulative distributions (Kolmogorov-Smirnov), of other values half the sum of the
        differences of their shares (total variation); from 0, alike, to 1. Of numbers also the
        means `held_out` and `drawn`.
    """
    real = table.to_frame(x)
    found: list[dict[str, Any]] = []
    for column in table.columns:
        pair = real[column.name].dropna(), rows[column.name].dropna()
        about: dict[str, Any] = {"name": column.name, "kind": column.kind}
        if column.kind in (BINARY, CATEGORY):
            about["distance"] = _total_variation(*pair, column.labels)
        else:
            a, b = (np.sort(values.to_numpy(np.float64)) for values in pair)
            means = {"held_out": float(a.mean()), "drawn": float(b.mean())} if len(a) else {}
            about |= {"distance": _kolmogorov(a, b), **means}
        found.append(about)
    return found


def _total_variation(a, b, labels):
    if not len(a):
        return None
    differences = [abs(float(np.mean(a == label)) - float(np.mean(b == label))) for label in labels]
    return 0.5 * sum(differences)


def _kolmogorov(a, b):
    if not len(a):
        return None
    at = np.concatenate([a, b])
    below = [np.searchsorted(part, at, side="right") / len(part) for part in (a, b)]
    return float(np.abs(below[0] - below[1]).max())
