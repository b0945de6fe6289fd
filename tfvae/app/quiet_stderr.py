"""Keeps native libraries' start-up notes off the terminal, and out of the user's files."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


def open_closed_streams() -> None:
    """Opens the standard streams that the caller has closed, so that they take what is written.

    Else the next file that is opened would take the number of a closed one, and with it what
    native libraries write to the error stream.
    """
    opened = os.open(os.devnull, os.O_RDWR)
    while opened <= 2:
        opened = os.open(os.devnull, os.O_RDWR)
    os.close(opened)

    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, it stays open


@contextlib.contextmanager
def native_stderr() -> Iterator[None]:
    """Sends what native code writes to the error stream into a temporary file.

    What Python writes still reaches the terminal. TensorFlow logs before it reads any setting, so
    the file descriptor itself is redirected. If an unforeseen error ends the body, the last 4,000
    bytes of the file are shown.
    """
    sys.stderr.flush()
    original = sys.stderr
    terminal = os.dup(2)

    with tempfile.TemporaryFile() as log, os.fdopen(os.dup(terminal), "w", buffering=1) as stream:
        os.dup2(log.fileno(), 2)
        sys.stderr = stream
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

        try:
            yield
        except Exception as error:
            if not isinstance(error, (ValueError, TypeError, OSError)):
                log.seek(0)
                stream.write(log.read()[-4000:].decode(errors="replace"))
            raise
        finally:
            stream.flush()
            sys.stderr = original
            os.dup2(terminal, 2)
            os.close(terminal)
