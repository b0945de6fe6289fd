"""The commands that compare runs, and that train several of them.

Typer shows the docstring of a command as its help, up to the form feed.
"""

from typing import Annotated

import typer

from tfvae.app import options, screen
from tfvae.app.commands import command
from tfvae.errors import invalid


@command
def compare(
    run: Annotated[
        list[str], typer.Argument(help="Folders of runs, or a folder that holds several.")
    ],
    html: Annotated[
        str | None, typer.Option(help="Write a page too, such as compare.html.")
    ] = None,
) -> None:
    """Put the numbers of runs side by side, with their errors and what these allow to say.

    \N{FORM FEED}

    Args:
        run: folders of runs.
        html: the page to write, or None.
    """
    from tfvae.app import comparing, comparison_page, comparison_tables

    if html is not None:
        comparison_page.check(html)
    found = comparing.compare(run)
    if html is not None:
        comparison_page.write(found, html)
    screen.result(found, *comparison_tables.of_comparison(found))


@command
def sweep(
    file: Annotated[
        str, typer.Argument(help=r"A TOML file: \[train] with options, \[grid] or \[random].")
    ],
    out: Annotated[
        str | None, typer.Option(help="Folder of all runs. Default: out in the file, or runs/FILE.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print which runs there would be, and train none.")
    ] = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Train a run for each choice of options, and compare them. Again, to go on after a stop.

    \N{FORM FEED}

    Args:
        file: the file that says which.
        out: folder of all runs.
        plan: True to train none.
        overwrite: True to replace runs by finished new ones.
    """
    from tfvae.app import series, sweep_file, train_command

    found = sweep_file.read(file)
    jobs = {job.name: _settings(job, file) for job in found.jobs}
    if plan:
        shown = {job.name: job.chosen for job in found.jobs}
        screen.result({"runs": shown}, *shown, f"{len(shown)} runs in {out or found.out}/")
        return
    with train_command.ends_on_interrupt(screen.say):
        planned = series.planned(jobs)
        done = series.train(out or found.out, planned, screen.say, overwrite=overwrite)
    train_command.show_series(done)


def _settings(job, file):
    """Returns the settings of a run, read as `tfvae train --config` reads options."""
    from tfvae.app import train_command, training_commands

    alone = typer.Typer(add_completion=False)
    alone.command()(training_commands.train)
    try:
        context = typer.main.get_command(alone).make_context("train", [], default_map=job.options)
        return train_command.settings_of(context.params)
    except _usage_errors() as error:
        fix = "write it as tfvae train --help shows it"
        raise invalid(
            f"options of tfvae train in {file}, of the run {job.name}", error.format_message(), fix
        ) from error


def _usage_errors():
    """Returns the class of a wrong option, which Typer has of its own or from Click."""
    return next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
