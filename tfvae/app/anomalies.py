"""Ranks examples by how unlikely a model finds them, beside what a run has held out."""

from typing import Any

import numpy as np

from tfvae import datasets, plots
from tfvae.app import data_files, run_model, screen
from tfvae.app.settings import load_data

_DRAWN = 64  # of the least likely examples
_TOLD = 10  # rows in the table of the terminal


def find(
    run: str,
    data: str | None,
    quantile: float,
    num_samples: int,
    num_examples: int,
    out: str,
    data_dir: str | None = None,
) -> dict[str, Any]:
    """Estimates log p(x) of each example, and writes a table with the least likely first.

    An example counts as an anomaly if its log p(x) is below a quantile of what the run has held
    out. So of data like those of the training a share of `quantile` are anomalies.

    Args:
        run: folder of the run.
        data: name or path of the data; None for what the run has held out.
        quantile: the share of the held-out examples that lies below the threshold.
        num_samples: importance samples per example.
        num_examples: held-out examples that give the threshold, from the first; 0 for all.
        out: the table, `.csv` or `.parquet`. Of pictures, the least likely are drawn in a `.png`
            of the same name.
        data_dir: folder of named data sets; default the one of the run.

    Returns:
        The threshold, what was written, and the least likely examples, as values for JSON.

    Raises:
        InputError: a folder that is no run, data that do not fit, or a file that cannot be
            written.
    """
    data_files.suffix_of(out, (".csv", ".parquet", ".npz"))
    vae, settings, found, y = run_model.with_examples(run, data, data_dir)
    values = _log_likelihood(vae, found.x, num_samples, settings.seed, y, "Looking at the data")
    held_out = values
    if data is not None:
        known = load_data(settings, data_dir)
        first = slice(num_examples or None)
        condition = None if y is None or known.y_test is None else known.y_test[first]
        held_out = _log_likelihood(
            vae, known.x_test[first], num_samples, settings.seed, condition, "Looking at the run's"
        )

    table, threshold = ranked(values, held_out, quantile)
    if found.files:
        table["file"] = np.array(found.files)[table["row"]]
    data_files.save(out, table)
    worst = [
        {name: column[i].item() for name, column in table.items()} for i in range(_shown(values))
    ]
    return {
        "threshold": threshold,
        "quantile": quantile,
        "held_out": len(held_out),
        "examples": len(values),
        "anomalies": int(table["anomaly"].sum()),
        "source": found.source,
        "out": out,
        "picture": _draw(vae, found.x[table["row"][:_DRAWN]], out),
        "least_likely": worst,
    }


def ranked(
    values: np.ndarray, held_out: np.ndarray, quantile: float
) -> tuple[dict[str, np.ndarray], float]:
    """Ranks examples by their log-likelihood, the least likely first.

    Args:
        values: log p(x) of the examples `[N]`, in nats.
        held_out: log p(x) of the examples that give the threshold `[M]`, in nats.
        quantile: the share of them below the threshold.

    Returns:
        Columns `[N]` by name, and the threshold in nats. `row` counts from 0 in the order of the
        data; `held_out_below` is the share of the held-out examples that are less likely.
    """
    threshold = float(np.quantile(held_out, quantile))
    rows = np.argsort(values, kind="stable")
    below = np.searchsorted(np.sort(held_out), values[rows]) / len(held_out)
    return {
        "row": rows,
        "log_likelihood": values[rows],
        "held_out_below": below,
        "anomaly": (values[rows] < threshold).astype(int),
    }, threshold


def _log_likelihood(vae, x, num_samples, seed, y, text):
    from tfvae import evaluation

    with screen.waiting(text) as advance:
        return evaluation.log_likelihood(vae, x, num_samples, seed, y, progress=advance)


def _shown(values):
    return min(_TOLD, len(values))


def _draw(vae, x, out):
    """Draws examples beside the table, if they are pictures; returns the file, or None."""
    image = len(vae.event_shape) == 3 and vae.event_shape[-1] in (1, 3)
    if not image and not datasets.is_signal(vae.event_shape):
        return None
    path = str(out).rsplit(".", 1)[0] + data_files.PICTURE
    plots.save_png(path, plots.picture(x, value_range=vae.likelihood.value_range))
    return path
