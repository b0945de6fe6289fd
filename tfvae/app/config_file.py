"""Reads and writes the settings of a training as a TOML file, one key for each option."""

import dataclasses
import difflib
import json
import sys
import types
import typing
from pathlib import Path
from typing import Any

from tfvae import _files
from tfvae._version import __version__
from tfvae.app.settings import Settings
from tfvae.errors import invalid

NAME = "config.toml"  # in the folder of a run

_NAMES = tuple(field.name for field in dataclasses.fields(Settings))
_OF_A_PLACE = ("out",)  # which a run that is repeated is not to take from the first
_WORDS = {int: "a whole number", float: "a number", str: "text in quotes"}


def read(path: str) -> dict[str, Any]:
    """Reads settings by name, for options that are not typed.

    Args:
        path: a TOML file with names of options as keys, `latent_dim` for `--latent-dim`.

    Returns:
        The values, as the options take them.

    Raises:
        InputError: no file, no TOML, an unknown key, or a value of another kind. The message has
            the nearest key.
    """
    return options(parsed(path), path)


def options(values: dict[str, Any], where: str) -> dict[str, Any]:
    """Checks values of options, and returns them as the options take them.

    Args:
        values: values of TOML by name.
        where: the file, or a part of it, for messages.

    Raises:
        InputError: an unknown key, or a value of another kind. The message has the nearest key.
    """
    kinds = typing.get_type_hints(Settings)
    for name, value in values.items():
        if name not in _NAMES:
            near = difflib.get_close_matches(name.replace("-", "_"), _NAMES, n=1)
            fix = f"write {near[0]}" if near else f"remove it, or take one of {', '.join(_NAMES)}"
            raise invalid(f"names of options of tfvae train in {where}", f"{name}", fix)
        if not _is_of(value, kinds[name]):
            expected = f"{name} in {where} to be {_described(kinds[name])}"
            raise invalid(expected, f"{value!r}", f"write it as tfvae train --help shows {name}")

    return {name: _as_typed(value) for name, value in values.items()}


def text(settings: Settings) -> str:
    """Returns settings as TOML. Those that are open are left out, and the place of the run too.

    Args:
        settings: the settings.
    """
    values = dataclasses.asdict(settings)
    lines = [f"# Of tfvae {__version__}. To repeat: tfvae train --config {NAME} --out FOLDER"]
    for name in _NAMES:
        if values[name] is not None and name not in _OF_A_PLACE:
            lines.append(f"{name} = {_toml(values[name])}")
    return "\n".join(lines) + "\n"


def parsed(path: str) -> dict[str, Any]:
    """Returns what a TOML file holds.

    Raises:
        InputError: no file, or no TOML.
    """
    parser = _parser()
    try:
        return parser.loads(_files.local(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # the latter two of no or odd TOML
        reason = getattr(error, "strerror", None) or str(error)
        received = reason if Path(path).exists() else "no such file"
        fix = f"write one by tfvae train --print-config > {NAME}"
        raise invalid(f"a TOML file {path}", received, fix) from error


def _parser():
    """Returns the module that reads TOML, which Python has from 3.11 on."""
    if sys.version_info >= (3, 11):
        import tomllib

        return tomllib
    try:
        import tomli
    except ModuleNotFoundError as error:
        fix = "pip install tomli, or use Python 3.11"
        raise invalid("tomli, which reads TOML", "it is not installed", fix) from error
    return tomli


def _is_of(value, kind):
    """Returns True if a value of TOML is of the kind of a setting."""
    if isinstance(value, bool):
        return False
    kinds = [part for part in _parts(kind) if part is not type(None)]
    for part in kinds:
        if typing.get_origin(part) is tuple:
            of_items = typing.get_args(part)[0]
            return isinstance(value, list) and all(type(item) is of_items for item in value)
    return isinstance(value, tuple({int, *kinds} if float in kinds else kinds))


def _parts(kind):
    is_union = typing.get_origin(kind) in (types.UnionType, typing.Union)
    return typing.get_args(kind) if is_union else (kind,)


def _described(kind):
    """Returns the kind of a setting in words."""
    part = next(iter(_parts(kind)))
    if typing.get_origin(part) is tuple:
        return "texts in brackets" if str in typing.get_args(part) else "whole numbers in brackets"
    return _WORDS[part]


def _as_typed(value):
    return ",".join(map(str, value)) if isinstance(value, list) else value


def _toml(value):
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    # What JSON writes of text, whole numbers and floats is TOML as well.
    return json.dumps(value, ensure_ascii=False)
