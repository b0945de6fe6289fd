"""A folder on this machine's own address, for the browser beside it."""

import contextlib
import functools
import http.server
import tempfile
from pathlib import Path

from tfvae.app.runs import TFLITE
from tfvae.errors import invalid
from tfvae.export import web

HOST = "127.0.0.1"


@contextlib.contextmanager
def page_of(run_or_folder, litert=None):
    """The folder of a page: itself, or made for as long as the body runs from a run or a `.tflite`.

    Raises:
        InputError: neither of these.
    """
    path = Path(run_or_folder)
    if path.is_dir() and web.is_page(path):
        if litert is not None:
            raise invalid(
                "a run, where LiteRT.js is given",
                f"{path}, a page that has its own",
                "leave --litert out",
            )
        yield path
        return
    model = path / TFLITE if path.is_dir() else path
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


def server_of(folder, port=0):
    """A server of `folder` on the loopback address; port 0 takes a free one.

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
    # By name, not from the machine's registry: browsers refuse modules and wasm of another type.
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

    def end_headers(self):
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def list_directory(self, path):
        self.send_error(404)

    def log_message(self, *arguments):
        """Says nothing: the terminal shows the address only."""
