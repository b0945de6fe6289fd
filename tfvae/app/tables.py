"""The tables that the command prints."""

from typing import Any

from rich.table import Table


def new_table() -> Table:
    """Returns an empty table of names, numbers and notes."""
    table = Table(show_header=False, box=None, padding=(0, 3, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    return table


def of_evaluation(found: dict[str, Any]) -> Table:
    """Returns a table of the evaluation in a report, in nats."""
    table = new_table()
    notes = {
        "NLL": "-log p(x), importance sampling",
        "rate": "KL(q(z|x) || p(z))",
        "distortion": "-E log p(x|z)",
    }

    for title in ("NLL", "ELBO", "rate", "distortion"):
        value, error = found[title.lower()], found[title.lower() + "_stderr"]
        shown = f"{value:.2f}" if error is None else f"{value:.2f} ± {error:.2f}"
        table.add_row(title, shown, f"nats  {notes.get(title, '')}".rstrip())

    if found["exact"]:
        table.add_row("values of z", f"{found['num_samples']:,}", "all of them, so NLL is exact")
    else:
        table.add_row("importance samples", f"{found['num_samples']:,}", _carried(found))
    table.add_row("held-out examples", f"{found['num_examples']:,}", "")
    bits = found["bits_per_dim"]
    if bits is None:
        table.add_row("bits per dimension", "none", "since p(x|z) is a density")
    else:
        table.add_row("bits per dimension", f"{bits:.3f}", "")
    table.add_row("active units", f"{found['active_units']} of {found['latent_dim']}", "")
    if found["binarization"]:
        table.add_row("binarization", "fixed", found["binarization"])
    return table


def _carried(found):
    """Returns how many of the importance samples carry the NLL, in words."""
    effective = found.get("effective_samples")
    return (
        "per example"
        if effective is None
        else f"per example, {effective:,.{0 if effective >= 10 else 1}f} effective"
    )


def add_differences(table: Table, differences: dict[str, float]) -> None:
    """Adds files of one signature each, with their differences from the model, to a table.

    Args:
        table: the table.
        differences: the largest difference of each, by its name.
    """
    for name, difference in differences.items():
        table.add_row(name, f"{difference:.1e}", "from Keras, largest")


def add_export(table: Table, exported: dict[str, Any]) -> None:
    """Adds the sizes and the measured quality of exported files to a table.

    Args:
        table: the table.
        exported: what `runs.export` returns.
    """
    for name, size in exported["sizes"].items():
        table.add_row(name, f"{size / 1000:,.0f} kB", "")

    parity = exported["parity"]
    for title, key in (
        ("parity of the file, x", "max_abs_error_x"),
        ("parity of the file, z", "max_abs_error_z"),
    ):
        table.add_row(title, f"{parity[key]:.1e}", f"from Keras, largest of {parity['samples']}")
    table.add_row("mean difference of x", f"{parity['mean_abs_error_x']:.1e}", "")
    change = parity["distortion_change_nats"]
    table.add_row(
        "distortion lost", f"{change:.4f}", f"nats, on {parity['distortion_measured_on']}"
    )


def of_columns(found: list[dict[str, Any]]) -> Table:
    """Returns a table that compares drawn rows with held-out ones.

    Args:
        found: what `rows.compared` returns.
    """
    table = Table(box=None, padding=(0, 3, 0, 0))
    for title, side in (("column", "left"), ("kind", "left"), ("distance", "right")):
        table.add_column(title, justify=side, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("mean, held out", justify="right")
    table.add_column("mean, drawn", justify="right")
    for column in found:
        numbers = [column.get(key) for key in ("distance", "held_out", "drawn")]
        shown = ["" if number is None else f"{number:,.4g}" for number in numbers]
        table.add_row(column["name"], column["kind"], *shown)
    return table


def add_alarms(table: Table, alarms: dict[str, str]) -> list[str]:
    """Adds the number of alarms to a table.

    Args:
        table: the table.
        alarms: sentences by name, as `alarms.of_run` returns them.

    Returns:
        A line for each alarm, to be printed below the table.
    """
    if alarms:
        table.add_row("alarms", str(len(alarms)), ", ".join(alarms))
    return [f"Alarm: {words}" for words in alarms.values()]


def of_anomalies(found: dict[str, Any]) -> Table:
    """Returns a table of the least likely examples that `anomalies.find` has found."""
    table = Table(box=None, padding=(0, 3, 0, 0))
    for title in ("row", "log p(x), nats", "held-out below", ""):
        table.add_column(title, justify="right" if title else "left", no_wrap=True)

    for example in found["least_likely"]:
        name = example.get("file", "")
        mark = "below the threshold" if example["anomaly"] else ""
        table.add_row(
            str(example["row"]),
            f"{example['log_likelihood']:.2f}",
            f"{example['held_out_below']:.1%}",
            "  ".join(filter(None, (name, mark))),
        )
    return table
