"""Writes what `tfvae COMMAND --help` says into the page of the command."""

import re

_PLACE = "<!-- commands -->"


def commands():
    """Returns the commands of `tfvae`, Click's objects by name."""
    import typer

    from tfvae.app import cli

    return typer.main.get_command(cli.app).commands


def on_page_markdown(markdown, page, config, files):
    """Puts a section for each command where the page asks for it."""
    if _PLACE not in markdown:
        return markdown
    return markdown.replace(_PLACE, "\n".join(_section(*item) for item in commands().items()))


def _section(name, command):
    words = (command.help or "").split("\f")[0].strip()
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    chosen = [p for p in command.params if p.param_type_name == "option"]
    call = " ".join([f"tfvae {name}", *map(_shown, arguments)])
    rows = ["| option | |", "|---|---|"]
    rows += [f"| {_names(option)} | {_cell(option.help)} |" for option in chosen]
    return "\n".join([f"## tfvae {name}", "", words, "", f"    {call} [OPTIONS]", "", *rows, ""])


def _shown(argument):
    metavar = argument.name.upper()
    return metavar if argument.required else f"[{metavar}]"


def _names(option):
    return ", ".join(f"`{name}`" for name in reversed(option.opts))


def _cell(text):
    return re.sub(r"\s+", " ", text or "").replace("|", r"\|").replace("<", "&lt;")
