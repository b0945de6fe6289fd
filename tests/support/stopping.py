"""Stops a training as a kill would, in a moment that a test chooses."""

import contextlib
import itertools
from unittest import mock

from tfvae.callbacks import checkpoint


class Stop(Exception):
    """In place of a kill."""


@contextlib.contextmanager
def after_checkpoints(count):
    """A context in which a training stops right after it has written so many checkpoints."""
    write, left = checkpoint.write_next, itertools.count(count - 1, -1)

    def write_then_stop(*arguments):
        write(*arguments)
        if next(left) == 0:
            raise Stop

    with mock.patch.object(checkpoint, "write_next", write_then_stop):
        yield
