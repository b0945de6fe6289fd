"""Refuses arguments that are no pieces: names as texts, classes in place of objects."""

import difflib
import importlib
import inspect
import re
from typing import Any

from tfvae.errors import InputTypeError, invalid

# Of each kind of piece its module, and the base class in it.
_BASES = {
    "posterior": ("posteriors", "Posterior"),
    "prior": ("priors", "Prior"),
    "likelihood": ("likelihoods", "Likelihood"),
    "objective": ("objectives", "Objective"),
    "estimator": ("gradients", "Estimator"),
}


def check(**pieces: Any) -> None:
    """Refuses what is no object of its module.

    Args:
        **pieces: arguments of a model by the kinds of their pieces, such as `likelihood`; None is
            the default.

    Raises:
        InputTypeError: as `check_as` does.
    """
    for kind, value in pieces.items():
        check_as(kind, kind, value)


def check_as(kind: str, name: str, value: Any) -> None:
    """Refuses an argument that is no piece of a kind.

    Args:
        kind: a kind of piece, such as "prior".
        name: name of the argument, for the message.
        value: the value that was passed; None is the default.

    Raises:
        InputTypeError: a text, a class, or an object of another kind. The message has the call
            to pass instead.
    """
    module, base = _BASES[kind]
    if value is None or isinstance(value, _class(module, base)):
        return
    article = "an" if base[0] in "EO" else "a"
    expected = f"{name} to be {article} {base.lower()}, an object of tfvae.{module}"
    fix = f"pass {name}={_call(module, base, value)}"
    raise invalid(expected, f"{name}={_told(value)}", fix, InputTypeError)


def check_model(vae: Any, purpose: str) -> None:
    """Refuses anything but a model.

    Args:
        vae: what was passed in its place.
        purpose: what it is wanted for, such as "to evaluate".

    Raises:
        InputTypeError: anything but a `tfvae.VAE`.
    """
    if not isinstance(vae, importlib.import_module("tfvae.models.vae").VAE):
        fix = "pass the model first, such as tfvae.load_model(path)"
        raise invalid(f"a tfvae.VAE {purpose}", _told(vae), fix, InputTypeError)


def _class(module, base):
    return getattr(importlib.import_module(f"tfvae.{module}"), base)


def _told(value):
    if inspect.isclass(value):
        return f"{value.__name__}, a class"
    return repr(value) if isinstance(value, str) else type(value).__name__


def _call(module: str, base: str, value: Any) -> str:
    """Returns the call of the piece that a value seems to mean, or of any one."""
    if inspect.isclass(value) and issubclass(value, _class(module, base)):
        return f"{value.__name__}(...)" if _needs_arguments(value) else f"{value.__name__}()"

    classes = _classes(module, base)
    near = difflib.get_close_matches(_plain(str(value)), classes, 1) if classes else []
    found = classes[near[0]] if near else next(iter(classes.values()))
    arguments = "..." if _needs_arguments(found) else ""
    return f"tfvae.{module}.{found.__name__}({arguments})"


def _classes(module, base):
    """Returns the pieces of a module by their names in small letters."""
    source = importlib.import_module(f"tfvae.{module}")
    members = inspect.getmembers(source, inspect.isclass)
    base = getattr(source, base)
    return {_plain(name): cls for name, cls in members if issubclass(cls, base) and cls is not base}


def _plain(name):
    return re.sub("[^a-z0-9]", "", name.lower())


def _needs_arguments(cls):
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return any(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)
