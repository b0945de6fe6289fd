"""Files written whole or not at all: beside the target, then renamed into place."""

import contextlib
import shutil
import tempfile
from pathlib import Path

from tfvae.errors import invalid


@contextlib.contextmanager
def whole_file(path):
    """Gives a path to write; on success it becomes `path`, else `path` stays as it was.

    Raises:
        InputError: a place that cannot be written, before the body runs.
    """
    path = Path(path)
    with _beside(path) as folder:
        written = folder / path.name
        yield written
        written.replace(path)


@contextlib.contextmanager
def whole_folder(path):
    """The same for a folder, which replaces an earlier one."""
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


def writable_folder(path):
    """Makes the folder `path` if need be, and tries that files can be written there.

    Raises:
        InputError: they cannot.
    """
    path = Path(path)
    with _beside(path / "file"):
        return path


@contextlib.contextmanager
def _beside(path):
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
