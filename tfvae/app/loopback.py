"""Serves the files of one folder to programs on this machine, and to nobody else.

Any page that a browser shows may send requests here, and may give a name of its own the address
of this machine (DNS rebinding). So a request must name this machine itself, and gets what lies in
the folder, under the policy of the page.
"""

import contextlib
import http.server
import os
import re
import shutil
import socket
import stat
import sys
import threading
import time
import urllib.parse
from pathlib import Path
from typing import Any, BinaryIO

from tfvae.export import page_security

HOST = "127.0.0.1"  # which other machines cannot reach
# Any port, since a tunnel from another machine has another one at its end.
_OWN_NAMES = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
_MAX_CONNECTIONS = 32  # connections at once; a browser opens six
_SECONDS = 60.0  # of a connection as a whole
_SILENT_SECONDS = 10.0  # in which a client neither sends nor takes anything
_LONGEST_PAGE = 2**20  # bytes of an index.html whose policy is looked for
_BUSY = b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"

# Listed here, since the machine's own table may name other types, with which browsers refuse
# modules and WebAssembly.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}


class Server(http.server.ThreadingHTTPServer):
    """A server on the loopback address, with a bound on connections and on their time.

    Args:
        folder: the folder to serve.
        port: the port, or 0 for a free one.

    Attributes:
        folder: the folder, with its links resolved.

    Raises:
        OSError: a port that is taken or not allowed.
    """

    daemon_threads = True  # so that no client can keep the command from ending
    request_queue_size = _MAX_CONNECTIONS

    def __init__(self, folder: str | os.PathLike[str], port: int = 0) -> None:
        """Takes the port."""
        self.folder = Path(folder).resolve()
        self._ends: dict[Any, float] = {}  # when each open connection is cut off
        self._lock = threading.Lock()
        super().__init__((HOST, port), _Files)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts a thread for a connection, or refuses one too many.

        Args:
            request: the socket of the connection.
            client_address: the other end of it.
        """
        with self._lock:
            taken = len(self._ends) < _MAX_CONNECTIONS
            if taken:
                self._ends[request] = time.monotonic() + _SECONDS
        if taken:
            super().process_request(request, client_address)
            return
        with contextlib.suppress(OSError):
            request.setblocking(False)
            request.send(_BUSY)
        self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """Closes a connection, and forgets it."""
        with self._lock:
            self._ends.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Cuts off connections that take too long, twice a second."""
        with self._lock:
            now = time.monotonic()
            late = [request for request, end in self._ends.items() if end < now]
        for request in late:
            with contextlib.suppress(OSError):  # it has just ended by itself
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of clients that went away, and all of a mistake of this program.

        Args:
            request: the socket of the connection.
            client_address: the other end of it.
        """
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Files(http.server.BaseHTTPRequestHandler):
    """Answers one request for a file."""

    server: Server
    timeout = _SILENT_SECONDS
    server_version, sys_version = "tfvae", ""
    _policy = page_security.header("")  # of what is no page

    def parse_request(self) -> bool:
        """Reads a request, and refuses one that is not for this server."""
        if not super().parse_request():
            return False
        names = self.headers.get_all("Host", [])
        if len(names) != 1 or not _OWN_NAMES.fullmatch(names[0].strip()):
            self.send_error(403, "Not a name of this machine")
            return False
        if self.command not in ("GET", "HEAD"):
            self.send_error(405)
            return False
        return True

    def do_GET(self) -> None:
        """Sends a file."""
        with contextlib.ExitStack() as stack:
            try:
                path = _file_at(self.path, self.server.folder)
                file = stack.enter_context(_opened(path))
            except (OSError, ValueError, RuntimeError):  # the last of a link to itself
                self.send_error(404)
                return

            self._policy = _policy_of(path, file)
            self.send_response(200)
            self.send_header("Content-Type", _TYPES.get(path.suffix, "application/octet-stream"))
            self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
            self.end_headers()
            if self.command == "GET":
                shutil.copyfileobj(file, self.wfile)

    do_HEAD = do_GET  # noqa: N815 -- the name that http.server looks for

    def end_headers(self) -> None:
        """Adds what the page may load, and who may load the files."""
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Content-Security-Policy", self._policy)
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Logs nothing, so that the terminal shows the address only."""


def _file_at(target: str, folder: Path) -> Path:
    """Returns the path of the file that a request asks for.

    Raises:
        ValueError: it lies outside the folder, or is hidden.
        OSError: there is none.
    """
    address = urllib.parse.unquote(target.split("?")[0].split("#")[0], errors="strict")
    if not address.startswith("/") or "\\" in address or ":" in address:
        raise ValueError(target)

    address = f"{address}index.html" if address.endswith("/") else address
    parts = address[1:].split("/")
    path = folder.joinpath(*parts).resolve(strict=True)
    # Of the address and of where links lead to. An empty part begins a path of its own.
    for part in (*parts, *path.relative_to(folder).parts):
        if not part or part.startswith("."):
            raise ValueError(target)
    return path


def _opened(path: Path) -> BinaryIO:
    """Opens a regular file. A pipe is not waited for, and a link put here since not followed.

    Raises:
        OSError: another kind of thing.
    """
    flags = ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC")
    handle = os.open(path, os.O_RDONLY | sum(getattr(os, flag, 0) for flag in flags))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path} is no regular file")
    return os.fdopen(handle, "rb")


def _policy_of(path, file):
    """Returns the policy to send with a file, which is left at its start."""
    page = file.read(_LONGEST_PAGE) if path.suffix == ".html" else b""
    file.seek(0)
    return page_security.header(page.decode(errors="replace"))
