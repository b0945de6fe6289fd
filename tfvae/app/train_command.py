"""What `tfvae train` does beside reading its options: begin or go on, and end on Ctrl-C."""

import dataclasses
from collections.abc import Callable
from typing import Any

import typer

from tfvae.app import commands, config_file, run_inputs, screen
from tfvae.app.settings import Settings

_INTERRUPTED = 130  # the exit status of what Ctrl-C has ended


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

    try:
        if resume is None:
            return runs.train(settings, say=say, overwrite=overwrite)
        _check_alone(context, "resume")
        return runs.resume(resume, say=say)
    except KeyboardInterrupt as stop:
        say(str(stop) or "Stopped.")
        raise typer.Exit(_INTERRUPTED) from None


def print_config(context: typer.Context, settings: Settings) -> None:
    """Prints the settings as they are chosen by the data, and trains nothing.

    Args:
        context: what was typed.
        settings: the settings that were typed.

    Raises:
        BadParameter: `--resume` beside it.
        InputError: data that cannot be read.
    """
    if context.params["resume"] is not None:
        raise typer.BadParameter("--print-config goes without --resume, whose settings are known")
    chosen = run_inputs.chosen(settings).settings
    screen.result(dataclasses.asdict(chosen), config_file.text(chosen).rstrip())


def _check_alone(context, name):
    """Refuses options beside one that takes all others from elsewhere."""
    sources = {other: context.get_parameter_source(other) for other in context.params}
    typed = {other for other, source in sources.items() if source.name == "COMMANDLINE"}
    if typed - commands.COMMON != {name}:
        raise typer.BadParameter(f"--{name} takes all other settings from the run")
