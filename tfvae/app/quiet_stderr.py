"""Keeps native libraries' start-up notes off the terminal."""

import contextlib
import os
import sys
import tempfile


@contextlib.contextmanager
def native_stderr():
    """Sends what native code writes to the error stream into a file, Python's own not.

    TensorFlow logs before any setting of it can be read, so the file descriptor is moved.
    Should an unforeseen error end the body, the last lines are shown after all.
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
