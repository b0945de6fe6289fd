"""Writes files and folders whole or not at all: beside the target first, then put in place."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tfvae._files.beside import beside
from tfvae._files.places import cannot_write, check_target, local
from tfvae._files.placing import place


class Target(NamedTuple):
    """A file or folder to write.

    Attributes:
        path: where it goes.
        what: what may lie there and be replaced, in words such as "a picture of tfvae".
        foreign: a function of the path that tells what else lies there, in words such as "a
            picture of another program"; None for nothing.
    """

    path: str | os.PathLike[str]
    what: str
    foreign: Callable[[Path], str | None]


@contextlib.contextmanager
def whole_files(targets: Sequence[Target]) -> Iterator[list[Path]]:
    """Writes files of one folder, all of them or none.

    Args:
        targets: the files. They are put in place in this order, and stay as they were if the body
            raises.

    Yields:
        The paths of temporary files, which the body writes.

    Raises:
        WriteError: a place that cannot be written, or holds what is not the writer's own. The body
            does not run. Or a disk that is full.
    """
    paths = [local(target.path) for target in targets]
    for path, target in zip(paths, targets):
        check_target(path, "a file", target.what, target.foreign)

    with beside(paths[0]) as folder:
        written = [folder / path.name for path in paths]
        yield written
        _put(written, paths)


@contextlib.contextmanager
def whole_file(target: Target) -> Iterator[Path]:
    """Writes a file whole or not at all, as `whole_files` does."""
    with whole_files([target]) as (written,):
        yield written


@contextlib.contextmanager
def whole_folder(target: Target) -> Iterator[Path]:
    """Writes a folder whole or not at all.

    Args:
        target: the folder. It stays as it was if the body raises.

    Yields:
        The path of a temporary folder, which the body fills.

    Raises:
        WriteError: as `whole_files`.
    """
    path = local(target.path)
    check_target(path, "a folder", target.what, target.foreign)
    with beside(path) as folder:
        written = folder / path.name
        written.mkdir()
        yield written
        _put([written], [path])


def _put(written, paths):
    for file, path in zip(written, paths):
        try:
            place(file, path)
        except OSError as error:
            raise cannot_write(path, error) from error
