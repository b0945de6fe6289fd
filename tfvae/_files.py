"""Writes files whole or not at all: beside the target first, then renamed into place."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from tfvae.errors import invalid


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Writes a file whole or not at all.

    Args:
        path: the file to write or to replace. It stays as it was if the body raises.

    Yields:
        The path of a temporary file, which the body writes.

    Raises:
        InputError: a place that cannot be written. The body does not run.
    """
    path = Path(path)
    with _beside(path) as folder:
        written = folder / path.name
        yield written
        written.replace(path)


@contextlib.contextmanager
def whole_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Writes a folder whole or not at all.

    Args:
        path: the folder to write or to replace. It stays as it was if the body raises.

    Yields:
        The path of a temporary folder, which the body fills.

    Raises:
        InputError: a file at that path, or a place that cannot be written. The body does not run.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise invalid(
            f"{path} to be a folder, or nothing yet", "a file of that name", "choose another path"
        )

    with _beside(path) as folder:
        written = folder / path.name
        written.mkdir()
        yield written
        if path.exists():
            path.rename(folder / "replaced")
        written.rename(path)


def check_replaceable(path: str | os.PathLike[str], own: Collection[str], kind: str) -> None:
    """Refuses a folder with anything that was not written there, since replacing deletes it.

    Args:
        path: the folder that `whole_folder` would replace.
        own: the names that an earlier one has.
        kind: what is written, in words, such as "an earlier page".

    Raises:
        InputError: a folder with other names; the message has the first five.
    """
    path = Path(path)
    foreign = sorted(p.name for p in path.iterdir() if p.name not in own) if path.is_dir() else []
    if foreign:
        raise invalid(
            f"{path} to be a new folder, an empty one, or {kind}",
            f"a folder with {', '.join(foreign[:5])}{' and more' if len(foreign) > 5 else ''}",
            "choose another folder: this one would be replaced whole",
        )


def writable_folder(path: str | os.PathLike[str]) -> Path:
    """Makes a folder if it is missing, and checks that files can be written in it.

    Args:
        path: the folder.

    Returns:
        The folder.

    Raises:
        InputError: no files can be written there.
    """
    path = Path(path)
    with _beside(path / "file"):
        return path


@contextlib.contextmanager
def _beside(path):
    """Makes a temporary folder beside `path`, and removes it after the body."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise invalid(
            f"a place to write {path}",
            f"{type(error).__name__}: {error.strerror or error}",
            "choose a folder you can write to",
        ) from error

    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
