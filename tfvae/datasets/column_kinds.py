"""Says of what kind a column of a table is: real, positive, binary, category or count."""

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tfvae.errors import InputTypeError, invalid

if TYPE_CHECKING:
    import pandas as pd

REAL, POSITIVE, BINARY, CATEGORY, COUNT, SKIP = KINDS = (
    "real", "positive", "binary", "category", "count", "skip",
)  # fmt: skip

_FEW = 20  # different whole numbers that are taken for categories
_REPEATED = 5  # times that each of them occurs at least, on average
_MAX_CATEGORIES = 200  # categories of a column
_LARGEST_COUNT = 1000  # a draw takes time in proportion to it
_SKEWED = 1.0  # of a column for which logarithms are tried


class Kind(NamedTuple):
    """The kind of a column.

    Attributes:
        name: one of `KINDS`.
        reason: why, the rest of a sentence that begins with "since".
    """

    name: str
    reason: str


def of_frame(frame: "pd.DataFrame", given: Mapping[str, str] | None = None) -> dict[str, Kind]:
    """Returns the kind of each column, by name.

    Args:
        frame: the table.
        given: kinds that are known, by the column's name. Others are found by the values.

    Raises:
        InputError: kinds of columns that are not there, words that are no kind, columns without a
            value, or of too many texts.
        InputTypeError: columns of neither numbers nor texts.
    """
    names = [str(name) for name in frame.columns]
    if not names or len(set(names)) < len(names):
        raise invalid("a table of columns with different names", f"{names}", "rename the columns")

    given = dict(given or {})
    for name, kind in given.items():
        _check_given(name, kind, names)
        if kind != SKIP:
            _check_values(name, frame.iloc[:, names.index(name)].dropna())
    return {
        name: Kind(given[name], "it was asked for") if name in given else _found(name, column)
        for name, (_, column) in zip(names, frame.items())
    }


def _check_given(name, kind, names):
    for value, known, what in ((name, names, "columns"), (kind, KINDS, "kinds")):
        if value not in known:
            near = difflib.get_close_matches(value, known, 1)
            fix = f"is it {near[0]}?" if near else f"use {'=KIND and '.join(names[:3])}=KIND"
            raise invalid(f"one of the {what} {', '.join(known)}", f"{value!r}", fix)


def _found(name, column):
    import pandas as pd

    values = column.dropna()
    if len(values) == 0:
        fix = f"leave it out with {name}=skip"
        raise invalid(f"values in the column {name!r}", "none", fix)
    if pd.api.types.is_bool_dtype(values):
        return Kind(BINARY, "it is true or false")
    _check_values(name, values)
    if pd.api.types.is_numeric_dtype(values):
        return of_numbers(name, values.to_numpy(np.float64, na_value=np.nan))
    return _of_texts(name, values)


def _check_values(name, values):
    """Refuses a column of neither numbers nor texts, such as one of dates."""
    import pandas as pd

    is_complex = pd.api.types.is_complex_dtype(values)
    is_date = pd.api.types.is_datetime64_any_dtype(values)
    known = (str, bool, int, float)
    are_known = pd.api.types.is_numeric_dtype(values) or all(
        issubclass(kind, known) for kind in values.map(type).unique()
    )
    if is_complex or is_date or not are_known:
        fix = f"make numbers or texts of it, or leave it out with {name}=skip"
        expected = f"numbers or texts in the column {name!r}"
        raise invalid(expected, str(values.dtype), fix, InputTypeError)


def _of_texts(name, values):
    count = values.nunique()
    if count > _MAX_CATEGORIES or count > max(_FEW, len(values) / 2):
        fix = f"leave it out with {name}=skip, or join rare categories"
        received = f"{count:,} different texts in {len(values):,} rows"
        several = f"at most {_MAX_CATEGORIES} categories, each of them several times"
        raise invalid(f"{several}, in the column {name!r}", received, fix)
    if count == 2:
        return Kind(BINARY, "it has two different values")
    return Kind(CATEGORY, f"it has {count} different texts")


def of_numbers(name: str, x: np.ndarray) -> Kind:
    """Returns the kind of a column of numbers.

    Args:
        name: the column, for a message.
        x: its values, `[N]`, none missing.

    Raises:
        InputError: infinite values.
    """
    if not np.isfinite(x).all():
        fix = "repair them, or leave them out as missing"
        raise invalid(f"finite numbers in the column {name!r}", "infinite ones", fix)

    if len(x) >= _FEW and (np.diff(x) == 1).all():
        return Kind(SKIP, "it numbers the rows")
    different = np.unique(x)
    whole = bool((x == np.round(x)).all())
    if len(different) == 2:
        return Kind(BINARY, "it has two different values")
    if whole and 2 < len(different) <= min(_FEW, len(x) / _REPEATED):
        return Kind(CATEGORY, f"it has {len(different)} different whole numbers")
    if whole and 0 <= x.min() <= 1 and x.max() <= _LARGEST_COUNT and x.var() > x.mean():
        return Kind(COUNT, f"it has whole numbers from {x.min():.0f}, spread wider than their mean")
    if x.min() > 0 and _skew(x) > _SKEWED and abs(_skew(np.log(x))) < _skew(x) / 2:
        return Kind(POSITIVE, "it has positive numbers, a few of them large")
    return Kind(
        REAL, "it has real numbers" if not whole else "it has whole numbers of a wide range"
    )


def _skew(x):
    if x.std() <= 1e-12 * np.abs(x).max():  # it never varies
        return 0.0
    return float(np.mean(((x - x.mean()) / x.std()) ** 3))
