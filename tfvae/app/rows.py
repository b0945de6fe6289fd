"""Writes the rows that the model of a table draws, and compares them with held-out ones."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae.app import data_files, screen
from tfvae.app.run_folder import REPORT
from tfvae.datasets.column_kinds import BINARY, CATEGORY, COUNT, REAL
from tfvae.datasets.table import Column, Table
from tfvae.errors import invalid

if TYPE_CHECKING:
    import pandas as pd

    from tfvae.export import Sampler

DRAWN = 2000  # rows at the end of a training
_PAGE = 4096  # rows at once
_SUFFIXES = (".csv", ".parquet")
_KINDS = {
    "Categorical": CATEGORY,
    "Bernoulli": BINARY,
    "NegativeBinomial": COUNT,
    "Poisson": COUNT,
}


def table_of(file: Path) -> Table | None:
    """Returns the columns of a table whose model a file holds; None of any other model.

    Args:
        file: the `.tflite`. In the folder of a run the report knows the columns better.

    Raises:
        InputError: a file or sidecar that cannot be read.
    """
    from tfvae._files.listing import read_json
    from tfvae.export.sidecar import sidecar_path

    report = read_json(file.with_name(REPORT)) or {}
    if report.get("table"):
        return Table.from_dict(report["table"])
    columns = (read_json(sidecar_path(file)) or {}).get("columns")
    return Table(tuple(map(_column, columns))) if columns else None


def _column(told):
    """Returns a column by what the sidecar tells of it."""
    kind = _KINDS.get(told["likelihood"], REAL)
    labels = told.get("labels") or list(range(told["width"] if kind == CATEGORY else 2))
    return Column(told["name"], kind, labels=tuple(labels))


def sample(file: Path, table: Table, count: int, seed: int, out: str) -> None:
    """Writes rows that an exported file draws.

    Args:
        file: the `.tflite`.
        table: the columns.
        count: how many rows. Memory holds a page of them at a time.
        seed: seed of the rows.
        out: the file to write, `.csv` or `.parquet`.

    Raises:
        InputError: a picture asked for.
        WriteError: a file that is there, or that cannot be written.
    """
    from tfvae.export import Sampler

    if Path(out).suffix.lower() not in _SUFFIXES:
        raise invalid("rows of a table in a .csv or .parquet", out, "give --out rows.csv")
    data_files.suffix_of(out, _SUFFIXES)
    pages = _pages(Sampler(file), table, count, seed)
    data_files.save_frames(out, pages)


def _pages(sampler: "Sampler", table: Table, count: int, seed: int) -> "Iterator[pd.DataFrame]":
    with screen.waiting("Drawing rows") as advance:
        for first in range(0, count, _PAGE):
            size = min(_PAGE, count - first)
            x = sampler.sample(size, seed=seed, start=first, draw=True)
            yield table.to_frame(np.asarray(x))
            advance(first + size, count)


def write(
    file: Path, table: Table, held_out: np.ndarray, out: str | os.PathLike[str], seed: int
) -> list[dict[str, Any]]:
    """Writes the rows of a run, and compares them with held-out ones.

    Args:
        file: the `.tflite`.
        table: the columns.
        held_out: held-out rows, `[N, E]`.
        out: the `.csv` to write.
        seed: seed of the rows.

    Returns:
        What `compared` returns.
    """
    import pandas as pd

    from tfvae.export import Sampler

    drawn = pd.concat(_pages(Sampler(file), table, DRAWN, seed), ignore_index=True)
    data_files.save_frames(str(out), [drawn])
    return compared(table, held_out, drawn)


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
