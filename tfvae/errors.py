"""One form for every refusal: what was expected, what was received, how to fix it."""


class InputError(ValueError):
    """A value the package cannot work with."""


class InputTypeError(TypeError):
    """A value of a kind the package cannot work with."""


def invalid(expected, received, fix, error=InputError):
    """Returns the exception to raise.

    Args:
        expected: what the package needs, as the rest of "Expected ...".
        received: what it was given: shape, dtype, range, offending index.
        fix: the likely remedy, an imperative sentence.
        error: `InputError` (a `ValueError`) or `InputTypeError` (a `TypeError`).
    """
    return error(f"Expected {expected}. Received: {received}. Fix: {fix}.")
