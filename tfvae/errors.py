"""One form for every refusal: what was expected, what was received, how to fix it."""

import contextlib
from collections.abc import Iterator


class InputError(ValueError):
    """A value the package cannot work with."""


class ShapeError(InputError):
    """A distribution of another event or batch than the model's."""


class WriteError(InputError):
    """A place that cannot be written, or holds what is not the package's own. It is as it was."""


class InputTypeError(TypeError):
    """A value of a kind the package cannot work with."""


def invalid(
    expected: str, received: str, fix: str, error: type[Exception] = InputError
) -> Exception:
    """Returns the exception to raise, with a message of three parts.

    Args:
        expected: the rest of "Expected ...": what the package needs.
        received: what it was given: shape, dtype, range, offending index.
        fix: the likely remedy, an imperative sentence.
        error: `InputError` (a `ValueError`) or `InputTypeError` (a `TypeError`).

    Returns:
        An exception of the class `error`.
    """
    return error(f"Expected {expected}. Received: {received}. Fix: {fix}.")


@contextlib.contextmanager
def of_file(name: str) -> Iterator[None]:
    """Names a file in the refusals of what it holds, which know the content alone.

    Args:
        name: the path of the file.

    Yields:
        Nothing.

    Raises:
        InputError: as the body, with the name in the message.
        InputTypeError: the same.
    """
    try:
        yield
    except (InputError, InputTypeError) as error:
        if name in str(error):
            raise
        raise type(error)(
            str(error).replace(". Received: ", f" in {name}. Received: ", 1)
        ) from error
