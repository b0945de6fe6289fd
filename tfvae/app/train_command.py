"""What `tfvae train` does beside reading its options: begin or go on, and end on Ctrl-C."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import typer

from tfvae.app import commands, config_file, options, run_inputs, screen
from tfvae.app.settings import Settings

_INTERRUPTED = 130  # the exit status of what Ctrl-C has ended


def settings_of(params: Mapping[str, Any]) -> Settings:
    """Returns the settings that options of `tfvae train` stand for.

    Args:
        params: the options by name, as Typer has read them.

    Raises:
        BadParameter: widths or kinds of columns that are written otherwise.
    """
    read = {field.name: params[field.name] for field in dataclasses.fields(Settings)}
    widths = {name: options.widths(name, params[name]) for name in ("hidden", "filters")}
    strategy = params["strategy"]
    parsed = {
        "network": params["network"].value,
        "image_fit": params["image_fit"].value,
        "columns": options.kinds(params["columns"]),
        "strategy": strategy and options.Strategy(strategy).value,
    }
    return Settings(**{**read, **widths, **parsed})


def run(
    context: typer.Context,
    settings: Settings,
    overwrite: bool,
    resume: str | None,
    say: Callable[[str], object],
) -> dict[str, Any] | None:
    """Trains, or goes on with a run that was stopped.

    Args:
        context: what was typed.
        settings: the settings that were typed.
        overwrite: True to replace a run by the finished new one.
        resume: folder of a run that was stopped, or None to begin one.
        say: called with a line of text at each step.

    Returns:
        The report; None in a worker beside the chief.

    Raises:
        BadParameter: other options beside `--resume`.
        Exit: Ctrl-C has ended the training.
    """
    from tfvae.app import runs

    with ends_on_interrupt(say):
        if resume is None:
            return runs.train(settings, say=say, overwrite=overwrite)
        _check_alone(context, "resume")
        return runs.resume(resume, say=say)


@contextlib.contextmanager
def ends_on_interrupt(say: Callable[[str], object]) -> Iterator[None]:
    """Ends the command where Ctrl-C ends the body, with a line of text.

    Args:
        say: called with the line.

    Raises:
        Exit: Ctrl-C has ended the body.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        say(str(stop) or "Stopped.")
        raise typer.Exit(_INTERRUPTED) from None


def run_seeds(context: typer.Context, settings: Settings, seeds: int, overwrite: bool) -> None:
    """Trains runs that differ by their seed, prints how they compare, and writes that as a page.

    Args:
        context: what was typed.
        settings: the settings that were typed.
        seeds: how many runs, from the seed of the settings on.
        overwrite: True to replace runs by finished new ones.

    Raises:
        BadParameter: `--resume` beside it.
        Exit: Ctrl-C has ended the training.
    """
    from tfvae.app import series

    if context.params["resume"] is not None:
        raise typer.BadParameter("--seeds goes without --resume: the same command goes on")
    with ends_on_interrupt(screen.say):
        found = series.of_seeds(settings, seeds, overwrite, screen.say)
    show_series(found)


def show_series(found: dict[str, Any]) -> None:
    """Prints what a series of runs has found.

    Args:
        found: what `series.train` returns.
    """
    from tfvae.app import comparison_tables

    shown = comparison_tables.of_comparison(found) if "says" in found else []
    failed = [f"Failed: {name}. {words}" for name, words in found["failed"].items()]
    screen.result(found, *shown, *failed)
    page = f", and the comparison in {found['page']}" if found["page"] else ""
    screen.say(f"The runs are in {found['out']}/{page}")


def print_config(context: typer.Context, settings: Settings) -> None:
    """Prints the settings as they are chosen by the data, and trains nothing.

    Args:
        context: what was typed.
        settings: the settings that were typed.

    Raises:
        BadParameter: `--resume` or `--seeds` beside it.
        InputError: data that cannot be read.
    """
    if context.params["resume"] is not None:
        raise typer.BadParameter("--print-config goes without --resume, whose settings are known")
    if context.params["seeds"] is not None:
        raise typer.BadParameter(
            "--print-config goes without --seeds, which is no setting of a run"
        )
    chosen = run_inputs.chosen(settings).settings
    screen.result(dataclasses.asdict(chosen), config_file.text(chosen).rstrip())


def _check_alone(context, name):
    """Refuses options beside one that takes all others from elsewhere."""
    sources = {other: context.get_parameter_source(other) for other in context.params}
    typed = {other for other, source in sources.items() if source.name == "COMMANDLINE"}
    if typed - commands.COMMON != {name}:
        raise typer.BadParameter(f"--{name} takes all other settings from the run")
