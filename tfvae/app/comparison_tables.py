"""The tables that the command prints of a comparison of runs."""

import json
from typing import Any

from rich.table import Table

from tfvae.app.comparing import NUMBERS, with_error


def of_comparison(found: dict[str, Any]) -> list[Table | str]:
    """Returns what is printed of a comparison.

    Args:
        found: what `comparing.compare` returns.

    Returns:
        A table of numbers with standard errors, one of settings and costs, one of means and
        deviations over seeds if there are several, and sentences.
    """
    seeds = [_of_seeds(found["seeds"]), ""] if found["seeds"] else []
    told = [*found["says"], *found["notes"]]
    return [_of_numbers(found["runs"]), "", _of_settings(found), "", *seeds, *told]


def _of_numbers(runs):
    table = _table("run", *(f"{number.title}, {number.unit}" for number in NUMBERS), "active")
    for i, run in enumerate(runs, 1):
        cells = [with_error(_number(run, number.key)) for number in NUMBERS]
        table.add_row(str(i), *cells, f"{run['active_units']} of {run['latent_dim']}")
    return table


def _number(run, key):
    return {"mean": run[key], "stderr": run[f"{key}_stderr"]}


def _of_settings(found):
    """Returns what each run is, by its number, for names and settings take room."""
    heads = (*found["differing"], "bits/dim", "kB", "s", "alarms")
    table = _table("run", "", *heads)
    table.columns[1].justify, table.columns[1].overflow = "left", "fold"
    for i, run in enumerate(found["runs"], 1):
        settings = [shown(run["settings"][name]) for name in found["differing"]]
        bits, _, size, seconds, _ = costs(run)
        alarms = str(len(run["alarms"]) or "")
        table.add_row(str(i), run["name"], *settings, bits, size, seconds, alarms)
    return table


def costs(run: dict[str, Any]) -> list[str]:
    """Returns bits per dimension, active units, size, seconds and alarms of a run as texts."""
    bits, size, seconds = run["bits_per_dim"], run["file_bytes"], run["seconds"]
    return [
        "none" if bits is None else f"{bits:.3f}",
        f"{run['active_units']} of {run['latent_dim']}",
        "" if size is None else f"{size / 1000:,.0f}",
        "" if seconds is None else f"{seconds:,.0f}",
        ", ".join(run["alarms"]),
    ]


def shown(value: Any) -> str:
    """Returns a setting as text; one that was left open is empty."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _of_seeds(sets):
    heads = [f"{number.title}, {number.unit}" for number in NUMBERS]
    table = _table("mean, deviation over seeds", *heads)
    table.columns[0].overflow = "fold"
    for each in sets:
        cells = [each[number.key] for number in NUMBERS]
        texts = [
            "none" if cell["std"] is None else f"{cell['mean']:.2f}, {cell['std']:.2f}"
            for cell in cells
        ]
        table.add_row(each["name"], *texts)
    return table


def _table(first, *others):
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(first)
    for title in others:
        table.add_column(title, justify="right")
    return table
