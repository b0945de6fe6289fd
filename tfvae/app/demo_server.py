"""Serves the page of a model to the browser on this machine."""

import contextlib
import functools
import http.server
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfvae import _files
from tfvae.app.run_folder import TFLITE
from tfvae.app.run_outputs import file_of
from tfvae.errors import invalid
from tfvae.export import web

HOST = "127.0.0.1"  # which other machines cannot reach


@contextlib.contextmanager
def page_of(
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
    if path.is_dir() and web.is_page(path):
        if litert is not None:
            raise invalid(
                "a run, where LiteRT.js is given",
                f"{path}, a page that has its own",
                "leave --litert out",
            )
        yield path
        return

    model = file_of(path)
    if not model.is_file():
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


def server_of(folder: str | os.PathLike[str], port: int = 0) -> http.server.ThreadingHTTPServer:
    """Returns a server of a folder on the loopback address, not yet running.

    Args:
        folder: the folder.
        port: the port, or 0 for a free one.

    Raises:
        InputError: a port that is taken or not allowed.
    """
    try:
        return http.server.ThreadingHTTPServer(
            (HOST, port), functools.partial(_Files, directory=str(folder))
        )
    except OSError as error:
        raise invalid(
            "a free port", f"--port {port}: {error.strerror}", "leave --port out to get one"
        ) from error


class _Files(http.server.SimpleHTTPRequestHandler):
    """Answers requests for the files of a folder."""

    # Listed here, since the machine's own table may name other types, with which browsers refuse
    # modules and WebAssembly.
    extensions_map = {
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".mjs": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
        ".tflite": "application/octet-stream",
        ".wasm": "application/wasm",
        "": "application/octet-stream",
    }

    def end_headers(self) -> None:
        """Adds headers that forbid caching and guessing of types."""
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        """Refuses to list a folder."""
        self.send_error(404)

    def log_message(self, *arguments: Any) -> None:
        """Logs nothing, so that the terminal shows the address only."""
