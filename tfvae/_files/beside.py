"""Temporary folders beside what is written, and what killed writers left of them."""

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfvae._files.places import cannot_write, is_of_disk
from tfvae.errors import InputError

fcntl: Any
try:
    import fcntl
except ImportError:  # on Windows, where the number of the process must do
    fcntl = None

REPLACED = "tfvae-replaced"  # the name within a temporary folder of what was there before
_LONGEST = 100  # bytes of a name that is used as it is
_YOUNG = 60  # seconds in which another machine's writer may not hold its lock yet


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Makes a temporary folder beside a path, and removes it after the body.

    What killed writers of the same path left is removed. Missing parents of the path are made,
    and removed again if the body leaves them empty.

    Args:
        path: a local path.

    Yields:
        The temporary folder.

    Raises:
        WriteError: a place that cannot be written, or a disk that is full.
    """
    made = missing(path.parent)
    try:
        with contextlib.ExitStack() as stack:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                recover(path)
                folder = path.parent / f"{_prefix(path)}{os.getpid()}-{secrets.token_hex(4)}"
                folder.mkdir(0o700)
            except OSError as error:
                raise cannot_write(path, error) from error
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            stack.enter_context(locked(folder))
            yield folder
    except InputError:
        raise
    except Exception as error:
        if is_of_disk(error, path.parent):
            raise cannot_write(path, error) from error
        raise
    finally:
        remove_empty(made)


def leftovers(path: Path) -> list[Path]:
    """Returns the temporary folders beside a path whose writers are dead."""
    try:
        found = [other for other in path.parent.iterdir() if other.name.startswith(_prefix(path))]
    except OSError:
        return []
    return [folder for folder in found if _is_dead(folder, path)]


def recover(path: Path) -> None:
    """Removes what killed writers of a path left, and puts back what one had moved away."""
    for folder in leftovers(path):
        if (folder / REPLACED).exists() and not path.exists():
            (folder / REPLACED).rename(path)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Holds the lock of a folder, which ends with the process at the latest.

    Args:
        folder: the folder.

    Yields:
        False if another process holds it.
    """
    if fcntl is None:
        yield True
        return

    handle = os.open(folder, os.O_RDONLY)
    try:
        yield _lock(handle)
    finally:
        os.close(handle)


def _lock(handle):
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # of a file system without locks
        return True
    return True


def _is_dead(folder, path):
    """Returns True if the process that made a temporary folder no longer runs."""
    found = re.fullmatch(r"(\d+)-[0-9a-f]{8}", folder.name[len(_prefix(path)) :])
    if found is None or not folder.is_dir() or folder.is_symlink():
        return False
    try:
        is_young = time.time() - folder.stat().st_mtime < _YOUNG
        if _runs(int(found[1])) and (is_young or fcntl is None):
            return False
        with locked(folder) as free:
            return free
    except OSError:
        return False


def _runs(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _prefix(path):
    """Returns how the names of the temporary folders of a path begin."""
    name = path.name
    if len(os.fsencode(name)) > _LONGEST:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return f".{name}.tfvae-"


def missing(folder: Path) -> list[Path]:
    """Returns a folder and those around it that do not exist, the innermost first."""
    return [parent for parent in (folder, *folder.parents) if not parent.exists()]


def remove_empty(folders: list[Path]) -> None:
    """Removes those folders that hold nothing."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()
