"""The error of a failed check, and the frame in which each check runs."""

import contextlib
from collections.abc import Iterator
from typing import Any

from tfvae.errors import InputError, InputTypeError, ShapeError, invalid


class CheckError(AssertionError):
    """A piece that does not keep a promise of its kind.

    Attributes:
        check: the name of the check, such as "density".
    """

    check = ""


def failed(check: str, piece: Any, expected: str, received: str, fix: str) -> CheckError:
    """Returns the error of a failed check, with a message of three parts.

    Args:
        check: the name of the check.
        piece: the piece, or the model.
        expected: the rest of "Expected ...".
        received: what was found.
        fix: the likely remedy, an imperative sentence.
    """
    return _error(check, piece, invalid(expected, received, fix))


@contextlib.contextmanager
def checking(check: str, piece: Any, done: list[str]) -> Iterator[None]:
    """Runs a check in the `with` block, and turns what it raises into its failure.

    Args:
        check: the name of the check.
        piece: the piece, or the model.
        done: the names of the checks so far, to which this one is added.

    Raises:
        CheckError: the check failed, or code of the piece raised an exception.
    """
    try:
        yield
    except CheckError:
        raise
    except ShapeError as error:
        raise _error("shapes", piece, error) from error
    except (InputError, InputTypeError) as error:
        raise _error(check, piece, error) from error
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        received = f"{type(error).__name__}: {lines[0][:500]}".rstrip(".")
        fix = "repair what the traceback of this error leads to"
        raise failed(check, piece, "code that runs to its end", received, fix) from error
    done.append(check)


def _error(check, piece, words):
    error = CheckError(f"The check {check!r} of {_name(piece)} failed. {words}")
    error.check = check
    return error


def _name(piece):
    try:
        parts = [getattr(piece, name) for name in ("posterior", "prior", "likelihood")]
        return f"a model of {', '.join(map(repr, parts))}"
    except AttributeError:
        pass  # not a model
    try:
        return repr(piece)
    except Exception:  # of a piece whose get_config is wrong, which another check explains
        return type(piece).__name__
