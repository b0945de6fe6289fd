"""Tables: columns of several kinds, as arrays that a model learns from, and back."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae.datasets import column_kinds
from tfvae.datasets.column_kinds import BINARY, CATEGORY, COUNT, POSITIVE, REAL, SKIP, Kind
from tfvae.errors import InputTypeError, invalid
from tfvae.validation import lost_digits

if TYPE_CHECKING:
    import pandas as pd


_LARGEST_WHOLE = 2**53  # beyond it every float64 is a whole number


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: its name.
        kind: "real", "positive", "binary", "category" or "count".
        reason: why it is of that kind, the rest of a sentence that begins with "since".
        labels: the values of a category, or the two of a binary column.
        offset: the mean of real numbers, or of the logarithms of positive ones; else 0.
        unit: their standard deviation; else 1.
        missing: True if cells are missing.
        whole: True if real or positive numbers are all whole.
        ends: the least and the greatest of real or positive numbers.
        typical: the shares of a category's values, the share of a binary column's second one, or
            the mean and the variance of counts.
    """

    name: str
    kind: str
    reason: str = ""
    labels: tuple[Any, ...] = ()
    offset: float = 0.0
    unit: float = 1.0
    missing: bool = False
    whole: bool = False
    ends: tuple[float, ...] = ()
    typical: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """Elements of the column in an array: as many as a category has values, else 1."""
        return len(self.labels) if self.kind == CATEGORY else 1


@dataclasses.dataclass(frozen=True)
class Table:
    """The columns of a table, and the way between its rows and arrays.

        table = tfvae.datasets.Table.of(frame)
        x = table.to_array(frame)              # [N, E]
        vae = tfvae.table_vae(table, 8)
        rows = table.to_frame(vae.sample(1000, draw=True))

    A category of n values is a one-hot vector of n elements, any other column one element. Real
    numbers keep their units: `tfvae.table_vae` standardizes within the model. A missing cell is
    NaN.

    Attributes:
        columns: the columns, in the order of the table.
        left_out: columns that are no part of it, each with the reason, such as one that numbers
            the rows.
    """

    columns: tuple[Column, ...]
    left_out: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(
        cls,
        frame: "pd.DataFrame",
        kinds: Mapping[str, str] | None = None,
        measured_on: Sequence[int] | None = None,
    ) -> "Table":
        """Finds out of what kind each column of a table is.

        Args:
            frame: the table.
            kinds: kinds that are known, by the column's name: "real", "positive", "binary",
                "category", "count", or "skip" for a column to leave out.
            measured_on: numbers of the rows from which means and shares are taken; default all.

        Raises:
            InputError: a column that cannot be used; the message names it.
            InputTypeError: no `pandas.DataFrame`, or a column of neither numbers nor texts.
        """
        _check_frame(frame)
        found = column_kinds.of_frame(frame, kinds)
        rows = frame if measured_on is None else frame.iloc[list(measured_on)]
        columns = tuple(
            _column(name, kind, frame.iloc[:, place], rows.iloc[:, place])
            for place, (name, kind) in enumerate(found.items())
            if kind.name != SKIP
        )
        if not columns:
            raise invalid("a column to learn from", "none", "leave fewer columns out")
        left_out = tuple((n, kind.reason) for n, kind in found.items() if kind.name == SKIP)
        return cls(columns, left_out)

    @property
    def size(self) -> int:
        """E, the elements of a row."""
        return sum(column.width for column in self.columns)

    def to_array(self, frame: "pd.DataFrame") -> np.ndarray:
        """Returns the rows of a table as an array.

        Args:
            frame: a table with these columns; others in it are left out.

        Returns:
            float32 `[N, E]`, NaN where a cell is missing.

        Raises:
            InputError: a column that is not there, or a value that its column does not have.
            InputTypeError: no `pandas.DataFrame`.
        """
        _check_frame(frame)
        by_name = {str(name): column for name, column in frame.items()}
        absent = [column.name for column in self.columns if column.name not in by_name]
        if absent:
            received = f"none of the name {absent[0]!r}"
            raise invalid("a table with the columns of the first one", received, "add the column")
        parts = [_encoded(column, by_name[column.name]) for column in self.columns]
        for column, part in zip(self.columns, parts):
            lost_digits.tell(part, f"column {column.name!r} ")
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def to_frame(self, x: np.ndarray) -> "pd.DataFrame":
        """Returns rows of an array as a table.

        Args:
            x: `[N, E]`, such as `vae.sample(n, draw=True)`. Of probabilities the largest counts.

        Returns:
            A table of these columns. Whole numbers are rounded, and real and positive ones kept
            within the ends of the table that this one was made of.

        Raises:
            InputError: another number of elements.
        """
        import pandas as pd

        x = np.asarray(x)
        if x.ndim != 2 or x.shape[1] != self.size:
            raise invalid(f"rows [N, {self.size}]", f"shape {list(x.shape)}", "pass vae.sample(n)")
        blocks = np.split(x, np.cumsum([column.width for column in self.columns])[:-1], axis=1)
        pairs = zip(self.columns, blocks)
        return pd.DataFrame({column.name: _decoded(column, block) for column, block in pairs})

    def to_dict(self) -> dict[str, Any]:
        """Returns the columns as values for JSON, see `from_dict`."""
        columns = [dataclasses.asdict(column) for column in self.columns]
        return {"columns": columns, "left_out": list(self.left_out)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Table":
        """Makes a table from what `to_dict` returned."""
        left_out = tuple(map(tuple, content.get("left_out", ())))
        return cls(tuple(map(_column_from_dict, content["columns"])), left_out)


def _column_from_dict(content):
    lists = {name: tuple(content[name]) for name in ("labels", "ends", "typical")}
    return Column(**{**content, **lists})


def _check_frame(frame):
    if not (hasattr(frame, "iloc") and hasattr(frame, "columns")):
        fix = "read it with pandas.read_csv"
        raise invalid("a pandas.DataFrame", type(frame).__name__, fix, InputTypeError)


def _column(name: str, kind: Kind, column: "pd.Series", rows: "pd.Series") -> Column:
    """Returns a column of a kind.

    Args:
        name: its name.
        kind: its kind.
        column: all of its values.
        rows: the values from which means and shares are taken.
    """
    missing = bool(column.isna().any())
    found = Column(name=name, kind=kind.name, reason=kind.reason, missing=missing)
    if kind.name in (BINARY, CATEGORY):
        labels = _labels(name, kind.name, column)
        shares = [float(np.mean(rows.dropna() == label)) for label in labels]
        typical = shares[1:] if kind.name == BINARY else shares
        return dataclasses.replace(found, labels=labels, typical=tuple(typical))

    values = _numbers(name, column.dropna())
    _check_numbers(name, kind.name, values)
    measured = _numbers(name, rows.dropna())
    measured = measured if len(measured) else values
    if kind.name == COUNT:
        return dataclasses.replace(found, typical=(float(measured.mean()), float(measured.var())))

    logs = np.log(measured) if kind.name == POSITIVE else measured
    unit = float(logs.std()) if logs.std() > 1e-6 * abs(logs.mean()) else 1.0
    whole = bool((values == np.round(values)).all())
    found = dataclasses.replace(found, offset=float(logs.mean()), unit=unit)
    return dataclasses.replace(found, whole=whole, ends=(float(values.min()), float(values.max())))


def _labels(name, kind, column):
    """Returns the different values of a column, in order, as Python's values."""
    values = column.dropna().unique().tolist()
    if kind == BINARY and len(values) > 2:
        fix = f"use {name}=category"
        raise invalid(f"two different values in the column {name!r}", f"{len(values)}", fix)
    values = sorted(values, key=lambda value: (isinstance(value, str), value))
    while len(values) < 2:  # a column that never varies
        values.append(f"not {values[0]}")
    return tuple(values)


def _numbers(name, values):
    try:
        return values.to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        fix = f"use {name}=category"
        raise invalid(f"numbers in the column {name!r}", str(error), fix) from error


def _check_numbers(name, kind, values):
    wrong = {
        REAL: ~np.isfinite(values),
        POSITIVE: ~(np.isfinite(values) & (values > 0)),
        COUNT: ~(np.isfinite(values) & (values >= 0) & (values == np.round(values))),
    }[kind]
    if wrong.any():
        received = f"{values[wrong][0]} and {wrong.sum() - 1} more"
        fix = f"use {name}=real, or repair the values"
        raise invalid(f"values of the kind {kind} in the column {name!r}", received, fix)


def _encoded(column, values):
    """Returns the elements of a column, `[N, width]`."""
    if column.kind not in (BINARY, CATEGORY):
        numbers = _numbers(column.name, values.astype("Float64").fillna(np.nan))
        return numbers[:, None]

    codes = {label: i for i, label in enumerate(column.labels)}
    found = values.map(codes).to_numpy(np.float64, na_value=np.nan, copy=True)
    unknown = np.isnan(found) & values.notna().to_numpy()
    # A file of fewer rows may hold only those texts that pandas reads as numbers.
    texts = {_text(label): code for label, code in codes.items()}
    found[unknown] = [texts.get(_text(value), np.nan) for value in values[unknown]]
    unknown &= np.isnan(found)
    if unknown.any():
        received = repr(values[unknown].iloc[0])
        expected = f"one of {list(column.labels)[:10]} in the column {column.name!r}"
        raise invalid(expected, received, "build a model of all values")
    if column.kind == BINARY:
        return found[:, None]

    vectors = np.eye(column.width)[np.nan_to_num(found).astype(int)]
    vectors[np.isnan(found)] = np.nan
    return vectors


def _text(value):
    """Returns a value as it is written in a file; a whole number without its decimal point."""
    is_whole = isinstance(value, (float, np.floating)) and float(value).is_integer()
    return str(int(value)) if is_whole else str(value)


def _decoded(column, block):
    """Returns the values of a column from its elements `[N, width]`."""
    missing = np.isnan(block).any(axis=1)
    values = _values(column, np.nan_to_num(block))
    if not missing.any():
        return values
    values = values.astype(object if column.kind in (BINARY, CATEGORY) else np.float64)
    values[missing] = None if values.dtype == object else np.nan
    return values


def _values(column, block):
    if column.kind == CATEGORY:
        return np.array(column.labels, object)[block.argmax(axis=1)]
    if column.kind == BINARY:
        return np.array(column.labels, object)[(block[:, 0] >= 0.5).astype(int)]
    if column.kind == COUNT:
        return np.round(block[:, 0]).astype(np.int64)
    numbers = np.clip(block[:, 0], *column.ends) if column.ends else block[:, 0]
    is_exact = column.whole and max(map(abs, column.ends)) <= _LARGEST_WHOLE
    return np.round(numbers).astype(np.int64) if is_exact else numbers
