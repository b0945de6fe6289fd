"""Serves the page of a model to the browser on this machine."""

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tfvae import _files
from tfvae.app import loopback
from tfvae.app.run_folder import TFLITE
from tfvae.app.run_outputs import file_of
from tfvae.errors import invalid
from tfvae.export import web

HOST = loopback.HOST


@contextlib.contextmanager
def folder_with_page(
    run_or_folder: str | os.PathLike[str], litert: str | os.PathLike[str] | None = None
) -> Iterator[Path]:
    """Finds or makes a page to serve.

    Args:
        run_or_folder: the folder of a page, the folder of a run, or a `.tflite`. A page is made
            from the last two.
        litert: a `node_modules` folder with LiteRT.js, for a page that is made; see `to_web`.

    Yields:
        The folder of the page. A page that was made is removed after the body.

    Raises:
        InputError: a path that is none of the three, a damaged run, `litert` for a finished page,
            or as `to_web`.
    """
    path = _files.local(run_or_folder)
    if os.path.isdir(path) and web.is_page(path):
        if litert is not None:
            raise invalid(
                "a run, where LiteRT.js is given",
                f"{path}, a page that has its own",
                "leave --litert out",
            )
        yield path
        return

    model = file_of(path)
    if not os.path.isfile(model):
        raise invalid(
            f"a page, a run with {TFLITE}, or a .tflite file",
            f"{path}",
            "give a folder of tfvae train or export --web",
        )

    with tempfile.TemporaryDirectory() as temporary:
        web.to_web(
            model,
            Path(temporary) / "page",
            litert=litert,
            title=f"Samples of {model.resolve().parent.name}",
        )
        yield Path(temporary) / "page"


def make_server(folder: str | os.PathLike[str], port: int = 0) -> loopback.Server:
    """Returns a server of a folder on the loopback address, not yet running.

    Args:
        folder: the folder.
        port: the port, or 0 for a free one.

    Raises:
        InputError: a port that is taken or not allowed.
    """
    try:
        return loopback.Server(folder, port)
    except OSError as error:
        raise invalid(
            "a free port", f"--port {port}: {error.strerror}", "leave --port out to get one"
        ) from error


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Lets every signal that asks a command to end do so as Ctrl-C does, cleaning up.

    A second one during the cleaning up is ignored. What the command was told to ignore, by `nohup`
    or a shell that started it in the background, it ignores. For the main thread.

    Yields:
        Nothing.
    """

    def end(*_):
        for name in before:
            signal.signal(name, signal.SIG_IGN)
        raise KeyboardInterrupt

    names = (getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP"))
    before = {name: signal.getsignal(name) for name in names if name is not None}
    before = {name: old for name, old in before.items() if old not in (None, signal.SIG_IGN)}
    try:
        for name in before:
            signal.signal(name, end)
        yield
    finally:
        for name, old in before.items():
            signal.signal(name, old)
