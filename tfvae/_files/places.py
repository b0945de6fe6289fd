"""Tells which places may be written: on this machine, free or the writer's own."""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from tfvae.errors import InputTypeError, WriteError, invalid

# Of two letters at least, since one is a drive of Windows.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# What the messages of native libraries say of a disk, whatever class they raise.
_OF_DISKS = ("No space left on device", "Disk quota exceeded", "File too large")


def local(path: str | os.PathLike[str]) -> Path:
    """Returns a path on this machine, with `~` expanded.

    Raises:
        InputTypeError: no path.
        WriteError: an address such as `gs://bucket/file`, or a path that no file can have.
    """
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str):
        raise invalid("a path", f"{type(path).__name__}", "pass a string", InputTypeError)

    text = os.fspath(path)
    if _ADDRESS.match(text):
        wanted, fix = "a path on this machine", "use a folder here, and copy the files"
        raise invalid(wanted, f"the address {text}", fix, WriteError)
    if "\0" in text or not text:
        raise invalid("a path", f"{text!r}", "give the name of a file or folder", WriteError)

    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise invalid("a home folder that is known", text, "write it out", WriteError) from error
    return path.resolve() if path.name in ("", "..") else path


def check_target(path: Path, wanted: str, what: str, foreign: Callable[[Path], str | None]) -> None:
    """Refuses a place that holds anything but what its writer would have written itself.

    Args:
        path: a local path.
        wanted: "a file" or "a folder": what will be written.
        what: what may be replaced, in words.
        foreign: a function of the path that tells what else lies there, or None for nothing.

    Raises:
        WriteError: another kind of thing, a symbolic link, a mount point, the working folder, or
            something that the writer did not write.
    """
    kind = kind_of(path)
    if kind is None:
        return
    if kind == "a symbolic link":
        fix = f"name the place it leads to, {os.path.realpath(path)}"
        raise invalid(f"{path} to be {wanted}, or nothing yet", kind, fix, WriteError)
    if kind != wanted:
        fix = "choose another path"
        raise invalid(f"{path} to be {wanted}, or nothing yet", f"{kind} there", fix, WriteError)

    _check_movable(path)
    try:
        received = foreign(path)
    except OSError as error:
        received = f"{kind} that cannot be read ({error.strerror})"
    if received:
        fix = "choose another path, since that would be lost"
        raise invalid(f"{path} to be {what}, or nothing yet", received, fix, WriteError)


def kind_of(path: Path) -> str | None:
    """Returns what lies at a path, such as "a file", or None.

    Raises:
        WriteError: a path that cannot be looked at.
    """
    try:
        return _KINDS.get(stat.S_IFMT(path.lstat().st_mode), "something else")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: BaseException) -> Exception:
    """Returns the `WriteError` of a place where an error came up.

    Args:
        path: the file or folder that was to be written.
        error: what was raised.
    """
    reason = getattr(error, "strerror", None) or str(error).strip()[:200]
    return invalid(
        f"a place to write {path}",
        f"{type(error).__name__}: {reason}",
        "choose a folder you can write to, on a disk with room",
        WriteError,
    )


def is_of_disk(error: BaseException, folder: Path) -> bool:
    """Returns True if an error says that files in a folder cannot be written.

    Args:
        error: what was raised, by Python or by a native library.
        folder: the folder.
    """
    if any(words in str(error) for words in _OF_DISKS):
        return True
    if not isinstance(error, OSError):
        return False

    names = (error.filename, error.filename2)
    return any(str(folder) in str(name) for name in names if name is not None)


def _check_movable(path):
    """Refuses what cannot be replaced in one step."""
    if path.is_dir() and Path.cwd().is_relative_to(path.resolve()):
        received, fix = "the one you are in, or one around it", "name a folder within it"
        raise invalid(f"a folder to replace, not {path}", received, fix, WriteError)
    if _is_mount(path.resolve()):
        fix = "name a path within it" if path.is_dir() else "choose another path"
        raise invalid(f"a path to replace, not {path}", "a mount point", fix, WriteError)


def _is_mount(path):
    """Returns True for a mount point, a bound file included where the system lists them."""
    try:
        rows = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        rows = []
    # Spaces and the like are written as octal numbers.
    points = (row.split(b" ")[4].decode("unicode_escape").encode("latin-1") for row in rows)
    return os.path.ismount(path) or os.fsencode(path) in points
