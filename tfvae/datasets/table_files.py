"""Reads tables from CSV and Parquet files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tfvae._files.places import local
from tfvae.datasets import readers
from tfvae.datasets.dataset import Dataset, parts
from tfvae.datasets.table import Table
from tfvae.errors import invalid, of_file

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".tsv", ".parquet")


def load(path: Path, kinds: Mapping[str, str] | None = None, least: int = 2) -> Dataset:
    """Loads a table, and holds a random sixth of its rows out.

    Args:
        path: a file with one of `SUFFIXES`, whose first row has the names of the columns.
        kinds: kinds of columns that are known, see `Table.of`.
        least: how many rows there must be.

    Returns:
        The rows as arrays, and the table.

    Raises:
        InputError: a file that cannot be read, or a column that cannot be used; the message
            names it.
        InputTypeError: a column of neither numbers nor texts.
    """
    frame = read_table(path)
    train, test, note = parts(str(path), len(frame), least)
    with of_file(str(path)):
        table = Table.of(frame, kinds, measured_on=train.tolist())
        x = table.to_array(frame)
    left_out = "; ".join(f"{name} left out, {reason}" for name, reason in table.left_out)
    note = "; ".join(filter(None, [left_out, note]))
    return Dataset(str(path), x[train], x[test], note=note, table=table, was_split=True)


def read_table(path: str | os.PathLike[str]) -> "pd.DataFrame":
    """Reads the table of a file.

    Args:
        path: a `.csv`, with commas or semicolons, a `.tsv`, or a `.parquet`.

    Raises:
        InputError: a file that cannot be read, or pandas or pyarrow that is not installed.
        InputTypeError: no path.
    """
    path = local(path)
    try:
        readers.regular(path)
        return _parquet(path) if path.suffix == ".parquet" else _csv(path)
    except ImportError as error:
        fix = "pip install 'tfvae[tables]'"
        raise invalid(
            f"pandas, and pyarrow for Parquet, to read {path}", str(error), fix
        ) from error
    except Exception as error:  # of pandas, pyarrow or the disk
        received = f"{type(error).__name__}: {str(error).strip()[:200]}"
        fix = "save it with pandas' to_csv(path, index=False) or to_parquet(path)"
        if isinstance(error, UnicodeDecodeError):
            fix = "save it as UTF-8"
        raise invalid(f"{path} to be a table that pandas reads", received, fix) from error


def _csv(path):
    import pandas as pd

    mark = "\t" if path.suffix == ".tsv" else ","
    # Read whole: by blocks, a column has the types of each block.
    frame = pd.read_csv(path, sep=mark, low_memory=False)
    if len(frame.columns) == 1 and ";" in str(frame.columns[0]):
        frame = pd.read_csv(path, sep=";", low_memory=False)
    if not isinstance(frame.index, pd.RangeIndex):
        raise ValueError("rows of more cells than the first row has names")
    return frame


def _parquet(path):
    import pandas as pd
    import pyarrow.parquet

    groups = pyarrow.parquet.ParquetFile(path).metadata
    size = sum(groups.row_group(i).total_byte_size for i in range(groups.num_row_groups))
    readers.check_unpacked(size, os.path.getsize(path))
    return pd.read_parquet(path)
