"""Puts finished files and folders in their place in one step that survives a loss of power."""

import ctypes
import os
import sys
from pathlib import Path

from tfvae._files.beside import REPLACED

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux; RENAME_SWAP of macOS is 2 too


def place(written: Path, path: Path) -> None:
    """Moves a finished file or folder to its path, over what is there.

    Of two folders, each takes the other's place in one step where the system can do that. Where
    it cannot, a writer that is killed between two steps leaves the old one to `beside.recover`.

    Args:
        written: the file or folder, in a temporary folder beside the path.
        path: where it goes.

    Raises:
        OSError: it cannot be moved there.
    """
    _sync_all(written)
    if not written.is_dir() or not path.exists():
        os.replace(written, path)
    elif not _exchange(written, path):
        path.rename(written.with_name(REPLACED))
        written.rename(path)
    _sync(path.parent)


def _exchange(one, other):
    """Exchanges two folders in one step, and returns False where that is not possible."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        names = os.fsencode(one), os.fsencode(other)
        if sys.platform == "darwin":
            return libc.renamex_np(*names, _EXCHANGE) == 0
        return libc.renameat2(_HERE, names[0], _HERE, names[1], _EXCHANGE) == 0
    except (OSError, AttributeError, TypeError):
        return False


def _sync_all(path):
    """Makes the system write a file, or all that a folder holds, to the disk."""
    if path.is_file():
        _sync(path)
        return
    for parent, _, files in os.walk(path):
        for name in files:
            _sync(Path(parent, name))
        _sync(Path(parent))


def _sync(path):
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
