"""Ctrl-C once ends a training after its step and checkpoint; twice, it ends it at once."""

import contextlib
import signal
import threading
from collections.abc import Iterator


class Interrupted(KeyboardInterrupt):
    """A training that Ctrl-C has ended after a checkpoint. The message says how to go on."""


class Interrupt:
    """Notes a Ctrl-C, where that is possible: in the main thread of Python.

    Attributes:
        came: True if Ctrl-C has been pressed.
    """

    def __init__(self) -> None:
        """Starts without one."""
        self.came = False

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Notes the first Ctrl-C in the body; the second raises `KeyboardInterrupt`."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        before = signal.getsignal(signal.SIGINT)
        if before is not signal.default_int_handler:  # another program's, or one that ignores it
            yield
            return

        signal.signal(signal.SIGINT, self._note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _note(self, number, frame):
        if self.came:
            raise KeyboardInterrupt
        self.came = True
