"""Keeps what other libraries log from people's terminals."""

import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def quiet(name: str, level: int = logging.ERROR) -> Iterator[None]:
    """Lets a logger tell only what is of a level or above it, and puts its own level back.

    Args:
        name: name of the logger.
        level: the lowest level that is told.
    """
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)
