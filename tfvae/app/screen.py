"""What the command prints: results, lines of text, and a line that moves while one waits.

In a terminal the line tells what is waited for, since when, and how long it will take where that
is known. It is never written into a file or a pipe.
"""

import contextlib
import dataclasses
import json
import math
import time
from collections.abc import Iterator
from typing import Any, Protocol

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


@dataclasses.dataclass
class Mode:
    """How much is printed, and in which form.

    Attributes:
        quiet: True to print results alone.
        json: True to print the result as one JSON object, and all else on the error stream.
        verbose: True to print what is of use in a report of a fault too.
    """

    quiet: bool = False
    json: bool = False
    verbose: bool = False


mode = Mode()


def choose(quiet: bool = False, as_json: bool = False, verbose: bool = False) -> None:
    """Sets the `mode` of a command.

    Args:
        quiet: as in `Mode`.
        as_json: as `Mode.json`.
        verbose: as in `Mode`.
    """
    mode.quiet, mode.json, mode.verbose = quiet, as_json, verbose


class Advance(Protocol):
    """Tells how far a task is."""

    def __call__(self, done: float, total: float, text: str | None = None) -> None:
        """Tells how much is done.

        Args:
            done: how much.
            total: of how much.
            text: what is being done, if that has changed.
        """


def notes() -> Console:
    """Returns where lines of text go: standard output, or the error stream beside JSON."""
    return errors if mode.json else console


def say(text: str) -> None:
    """Prints a line of text as it is, unless only results are to be printed."""
    if not mode.quiet:
        notes().print(text, soft_wrap=True, markup=False)


def keeps_lines() -> bool:
    """Returns True if what is printed is kept, so that it needs a line for each epoch."""
    return mode.verbose or not notes().is_terminal


def result(found: dict[str, Any], *shown: RenderableType) -> None:
    """Prints what a command was asked for.

    Args:
        found: the result, as values for JSON.
        *shown: the same for people: tables and lines of text.
    """
    if mode.json:
        print(json.dumps(_finite(found), indent=2), flush=True)
        return
    for part in shown:
        is_text = isinstance(part, str)
        console.print(part, soft_wrap=is_text, markup=not is_text)


@contextlib.contextmanager
def waiting(text: str) -> Iterator[Advance]:
    """Shows a line that moves while the body runs, in a terminal.

    Args:
        text: what is being done.

    Yields:
        A function that tells how much of a total is done. Then the time left is shown.
    """
    started = time.monotonic()
    with _shown(text) as advance:
        yield advance
    if mode.verbose and not _LIVE.is_on:
        say(f"{text}: {duration(time.monotonic() - started)}")


@contextlib.contextmanager
def _shown(text):
    """Shows the line, if there is a terminal and no other line in it."""
    terminal = _terminal()
    if terminal is None or mode.quiet or _LIVE.is_on:
        yield _LIVE.renamed(text) if _LIVE.is_on else _nothing
        return

    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), _Bar(bar_width=24), _Times(),
        console=terminal, transient=True, redirect_stdout=False, redirect_stderr=False,
    ) as progress, _LIVE.showing(progress, text) as advance:  # fmt: skip
        yield advance


class _Live:
    """The line that is shown now, of which there is one at most."""

    def __init__(self):
        self._progress: Any = None
        self._task: Any = None

    @property
    def is_on(self):
        return self._progress is not None

    @contextlib.contextmanager
    def showing(self, progress, text):
        self._progress, self._task = progress, progress.add_task(text, total=None)
        try:
            yield self._advance
        finally:
            self._progress = None

    def renamed(self, text):
        """Says another text, and starts the time anew, as a wait within another begins."""
        self._progress.reset(self._task, total=None, description=text)
        return self._advance

    def _advance(self, done, total, text=None):
        if self._progress is not None:
            self._progress.update(self._task, completed=done, total=total)
            if text is not None:
                self._progress.update(self._task, description=text)


_LIVE = _Live()


class _Bar(BarColumn):
    """A bar where a total is known, else nothing."""

    def render(self, task: Task) -> Any:
        return Text("") if task.total is None else super().render(task)


class _Times(ProgressColumn):
    """The time gone by, and the time left where that is known."""

    max_refresh = 0.2

    def render(self, task: Task) -> Text:
        gone, left = task.elapsed or 0.0, task.time_remaining
        told = "" if left is None else f", about {duration(left)} left"
        return Text(f"{duration(gone)}{told}", style="dim")


def duration(seconds: float) -> str:
    """Returns a time in words, such as "12 s" or "3 min 20 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _terminal() -> Console | None:
    """Returns a console that is a terminal, or None if there is none."""
    order = (errors,) if mode.json else (console, errors)
    return next((each for each in order if each.is_terminal), None)


def _nothing(done: float, total: float, text: str | None = None) -> None:
    """Tells nobody."""


def _finite(value):
    """Returns a value with None for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
