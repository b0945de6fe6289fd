"""Makes commands of functions: adds the options that all of them have."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from tfvae.app import screen

_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result alone.")]
_Json = Annotated[
    bool,
    typer.Option("--json", help="Print the result as one JSON object, all else as errors."),
]
_Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print more, such as what libraries say.")
]
_KINDS = {"quiet": _Quiet, "json": _Json, "verbose": _Verbose}
COMMON = frozenset(_KINDS)


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Returns a function with `--quiet`, `--json` and `--verbose` among its parameters.

    Args:
        function: what the command does. The three are set in `screen.mode` before it runs.
    """

    @functools.wraps(function)
    def run(*arguments: Any, **options: Any) -> None:
        chosen = [options.pop(name) for name in _KINDS]
        screen.choose(*chosen)
        if screen.mode.quiet and screen.mode.verbose:
            raise typer.BadParameter("--quiet and --verbose ask for opposite things; give one")
        function(*arguments, **options)

    own = inspect.signature(function)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in _KINDS.items()
    ]
    run.__signature__ = own.replace(parameters=[*own.parameters.values(), *added])  # type: ignore
    run.__annotations__ = {**function.__annotations__, **_KINDS}
    return run
