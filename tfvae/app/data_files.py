"""Writes numbers as files, by the end of their name: `.npz`, `.csv` or `.parquet`.

A file is written whole or not at all. Of what is there already, only a `.npz` that was written
here is replaced: tables hold no mark by which they could be known.
"""

import contextlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae import _files
from tfvae.errors import invalid

if TYPE_CHECKING:
    import pandas as pd

PICTURE = ".png"
_MARK = b"written by tfvae"  # the comment of an archive
_WORDS = {
    ".png": "a picture of tfvae",
    ".npz": "a .npz of tfvae",
    ".csv": "a new table",
    ".parquet": "a new table",
}


def suffix_of(out: str, allowed: Sequence[str]) -> str:
    """Returns the end of a file's name, in small letters, once it is known that it can be written.

    Args:
        out: the file.
        allowed: the ends that a command can write, such as ".npz".

    Raises:
        InputError: another end, or a package that is needed and not installed.
        WriteError: a place that is taken, or that is none on this machine.
    """
    suffix = Path(out).suffix.lower()
    if suffix not in allowed:
        known = f"{', '.join(allowed[:-1])} or {allowed[-1]}" if len(allowed) > 1 else allowed[0]
        raise invalid(f"--out to be a file that ends in {known}", f"{out}", "rename it")
    if suffix == ".parquet":
        _pyarrow()
    if suffix != PICTURE:
        target = _target(out)
        _files.check_target(_files.local(out), "a file", target.what, target.foreign)
    return suffix


def save(out: str, columns: Mapping[str, np.ndarray]) -> None:
    """Writes arrays of N rows each.

    In a table an array of several numbers a row becomes several columns, named by its name and
    their numbers.

    Args:
        out: the file, `.npz`, `.csv` or `.parquet`.
        columns: arrays `[N, ...]` by name.

    Raises:
        InputError: a package that is needed and not installed.
        WriteError: a place that is taken, or that cannot be written.
    """
    suffix = Path(out).suffix.lower()
    with _files.whole_file(_target(out)) as file:
        if suffix == ".npz":
            _save_archive(file, columns)
        elif suffix == ".csv":
            with file.open("w", encoding="utf-8", newline="") as stream:
                _write_csv(stream, _flat(columns))
        else:
            pyarrow = _pyarrow()
            pyarrow.parquet.write_table(pyarrow.table(_flat(columns)), file)


def save_pages(
    out: str, count: int, shape: Sequence[int], pages: Iterable[np.ndarray], name: str = "x"
) -> None:
    """Writes one array of many rows page by page, so that memory holds one page at a time.

    Args:
        out: the file, `.npz` or `.csv`.
        count: the rows of all pages together, N.
        shape: the shape of a row.
        pages: float32 arrays `[n, *shape]`, in their order.
        name: name of the array.

    Raises:
        WriteError: a place that is taken, or that cannot be written.
    """
    with _files.whole_file(_target(out)) as file:
        if Path(out).suffix.lower() == ".csv":
            with file.open("w", encoding="utf-8", newline="") as stream:
                stream.write(",".join(_names(name, int(np.prod(shape)))) + "\n")
                for page in pages:
                    np.savetxt(stream, page.reshape(len(page), -1), fmt="%.7g", delimiter=",")
            return

        header = {"descr": "<f4", "fortran_order": False, "shape": (count, *shape)}
        with _archive(file) as archive, archive.open(f"{name}.npy", "w", force_zip64=True) as part:
            np.lib.format.write_array_header_1_0(part, header)
            for page in pages:
                part.write(np.ascontiguousarray(page, "<f4").tobytes())


def save_frames(out: str, pages: "Iterable[pd.DataFrame]") -> None:
    """Writes the rows of a table page by page, so that memory holds one page at a time.

    Args:
        out: the file, `.csv` or `.parquet`.
        pages: the rows, in their order.

    Raises:
        InputError: a package that is needed and not installed.
        WriteError: a place that is taken, or that cannot be written.
    """
    with _files.whole_file(_target(out)) as file:
        if Path(out).suffix.lower() == ".csv":
            for number, page in enumerate(pages):
                page.to_csv(file, mode="a", header=number == 0, index=False, lineterminator="\n")
            return

        pyarrow, writer = _pyarrow(), None
        for page in pages:
            rows = pyarrow.Table.from_pandas(page, preserve_index=False)
            writer = writer or pyarrow.parquet.ParquetWriter(file, rows.schema)
            writer.write_table(rows)
        if writer:
            writer.close()


def _target(out):
    suffix = Path(out).suffix.lower()
    return _files.Target(out, _WORDS[suffix], _foreign_archive if suffix == ".npz" else _foreign)


def _foreign(path):
    return "a file, which is never replaced"


def _foreign_archive(path):
    with contextlib.suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        if archive.comment == _MARK:
            return None
    return "another file"


@contextlib.contextmanager
def _archive(file) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(file, "w") as archive:
        archive.comment = _MARK
        yield archive


def _save_archive(file, columns):
    with _archive(file) as archive:
        for name, values in columns.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as part:
                np.lib.format.write_array(part, np.asarray(values), allow_pickle=False)


def _write_csv(stream, columns):
    import csv

    writer = csv.writer(stream)
    writer.writerow(columns)
    writer.writerows(zip(*(_cells(values) for values in columns.values())))


def _cells(values):
    """Returns the cells of a column: numbers in at most 7 digits if they are float32."""
    if values.dtype == np.float32:
        return [f"{value:.7g}" for value in values]
    return values.tolist()


def _flat(columns: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Returns the columns of a table, with one number a row in each."""
    found = {}
    for name, values in columns.items():
        if values.ndim == 1:
            found[name] = values
            continue
        flat = values.reshape(len(values), -1)
        found |= dict(zip(_names(name, flat.shape[1]), flat.T))
    return found


def _names(name, count):
    return [f"{name}{i}" for i in range(count)]


def _pyarrow():
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        fix = "pip install pyarrow, or write a .npz or .csv"
        raise invalid("pyarrow, which writes .parquet", "it is not installed", fix) from error
    return pyarrow
