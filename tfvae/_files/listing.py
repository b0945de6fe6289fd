"""Lists what a folder holds by hashes, so that it can be recognized."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfvae._version import __version__

MARK = "tfvae.json"
_MAX_JSON_BYTES = 2**24  # of a JSON file that this package may have written
_MOST_NAMES = 5  # in a message
_NO_FILE = "no file"  # in place of the hash of a link or a special file


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal digits."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            found.update(block)
    return found.hexdigest()


def hashes(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of every file in a folder, by its path within the folder.

    Links are not followed. They and special files have no hash, but the words "no file".
    """
    found = {}
    for parent, folders, files in os.walk(folder):
        paths = [Path(parent, name) for name in sorted([*folders, *files])]
        for path in paths:
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                found[path.relative_to(folder).as_posix()] = _NO_FILE
            elif path.is_file():
                found[path.relative_to(folder).as_posix()] = sha256(path)
    return found


def mark(folder: Path) -> None:
    """Writes the list of a folder's files into it, by which `foreign_to_mark` knows them."""
    content = {"tfvae": __version__, "files": hashes(folder)}
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    (folder / MARK).write_text(text, encoding="utf-8")


def foreign_to_mark(folder: Path) -> str | None:
    """Tells what a folder holds beside the files that `mark` listed, as they were.

    Returns:
        It in words, or None for nothing.
    """
    listed = (read_json(folder / MARK) or {}).get("files")
    names = {path.name for path in folder.iterdir() if not _is_empty(path)}
    if not listed or not isinstance(listed, dict):
        return named(names)
    return foreign_to_list(folder, listed, MARK, names)


def foreign_to_list(
    folder: Path, listed: dict[str, str], listing: str, names: Iterable[str]
) -> str | None:
    """Tells what a folder holds beside listed files, as they were.

    Args:
        folder: the folder.
        listed: the hashes of the files, as `hashes` returns them.
        listing: the name of the file that holds the list, which has no hash in it.
        names: what to look at of the names in the folder.

    Returns:
        It in words, or None for nothing.
    """
    # A look at the names first, since a folder of anybody's may be very large.
    others = named(set(names) - {listing, *(name.split("/")[0] for name in listed)})
    if others:
        return others

    found = hashes(folder)
    return named({name for name in found if name != listing and found[name] != listed.get(name)})


def named(names: Iterable[str]) -> str | None:
    """Returns "a folder with" and names of files, of many the first; None for no names."""
    names = sorted(names)
    more = " and more" if len(names) > _MOST_NAMES else ""
    return f"a folder with {', '.join(names[:_MOST_NAMES])}{more}" if names else None


def _is_empty(path):
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def read_json(path: Path) -> dict[str, Any] | None:
    """Returns the object in a JSON file; None if it is no such file, or a very large one."""
    try:
        if not path.is_file() or path.stat().st_size > _MAX_JSON_BYTES:
            return None
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
