"""Draws a training: the numbers of its epochs, and its path of rate and distortion."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tfvae._files.listing import read_json
from tfvae.errors import InputTypeError, invalid
from tfvae.plots import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tfvae._keras.backend import keras
    from tfvae.evaluation import Report

_USUAL = ("loss", "rate", "distortion")
_REPORT = "report.json"
_FORMS = "a Keras History, a dictionary of lists, or the folder of a run"


class Training(NamedTuple):
    """The numbers of a training.

    Attributes:
        history: those of each epoch by name.
        held_out: the numbers of an evaluation at the end by name, of a run; else nothing.
    """

    history: dict[str, np.ndarray]
    held_out: Mapping[str, Any]


@figures.styled
def training_curves(
    history: "keras.callbacks.History | Mapping[str, Sequence[float]] | str | os.PathLike[str]",
    names: Sequence[str] | None = None,
    columns: int = 1,
    *,
    held_out: "Report | Mapping[str, Any] | None" = None,
) -> "Figure":
    """Draws numbers over the epochs of a training, those of held-out examples beside them.

    Args:
        history: what `fit` returns, its `history`, or the folder of a run.
        names: which numbers; by default "loss", "rate" and "distortion".
        columns: panels in a row.
        held_out: what `evaluation.evaluate` has found at the end, or its `to_dict()`, drawn as
            points with their standard errors; by default that of the run.

    Returns:
        The figure, with a panel for each number.

    Raises:
        InputError: no epoch, or a number that there is not, or a run made before runs kept them.
        InputTypeError: anything else.
    """
    found = _training(history, held_out)
    names = _known(found.history, names)
    figure, axes = figures.new(-(-len(names) // columns), columns)
    for left_over in axes[len(names) :]:
        left_over.set_visible(False)
    for each, name in zip(axes, names):
        _draw_number(each, found, name)
        unit = "" if name not in (*_USUAL, "elbo") else ", nats per example"
        each.set_title(f"{name}{unit}")
        each.set_xlabel("epoch")
        figures.whole_ticks(each.xaxis)
        if len(each.get_legend_handles_labels()[0]) > 1:
            each.legend()
    return figure


@figures.styled
def rate_distortion(
    points: Any,
    names: Sequence[str] | None = None,
    *,
    held_out: "Report | Mapping[str, Any] | None" = None,
) -> "Figure":
    """Draws rates against distortions, with lines of equal ELBO.

    Args:
        points: a training, in the forms of `training_curves`: a path of its epochs; or several
            evaluations, a list of `evaluation.Report` (or of their `to_dict()`), or a dictionary
            of them by name: points with standard errors, joined by their rate.
        names: a word for each evaluation of a list.
        held_out: of a training, as in `training_curves`.

    Returns:
        The figure.

    Raises:
        InputError: no rate and distortion, or names of another number.
        InputTypeError: anything else.
    """
    reports = _reports(points, names)
    figure, (axes,) = figures.new()
    if reports is not None:
        _draw_reports(axes, reports)
    else:
        _draw_path(axes, _training(points, held_out))
    _draw_equal_elbo(axes)
    axes.set(xlabel="rate, nats", ylabel="distortion, nats")
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    return figure


def _training(history, held_out):
    """Returns the numbers of a training in any of its forms."""
    if isinstance(history, (str, os.PathLike)):
        found = _of_run(history)
        return found if held_out is None else found._replace(held_out=_numbers(held_out))
    numbers = getattr(history, "history", history)
    if not isinstance(numbers, Mapping):
        raise invalid(_FORMS, type(history).__name__, "pass what fit returns", InputTypeError)
    return Training(_arrays(numbers), {} if held_out is None else _numbers(held_out))


def _of_run(folder):
    report = read_json(Path(folder, _REPORT))
    if report is None:
        received = f"{os.fspath(folder)}, without a readable {_REPORT}"
        raise invalid(_FORMS, received, "give the --out of tfvae train")
    if not report.get("history"):
        received = f"{os.fspath(folder)}, made before runs kept it"
        raise invalid(f"a {_REPORT} with the history of the training", received, "train it again")
    return Training(_arrays(report["history"]), report.get("evaluation", {}))


def _arrays(numbers):
    try:
        found = {str(name): np.asarray(values, float) for name, values in numbers.items()}
    except (TypeError, ValueError) as error:
        raise invalid(_FORMS, f"{error}", "pass lists of numbers", InputTypeError) from error
    lengths = {values.shape for values in found.values()}
    if not found or any(len(shape) != 1 or shape == (0,) for shape in lengths):
        received = f"shapes {sorted(map(list, lengths))}"
        raise invalid("lists with a number for each epoch", received, "pass what fit returns")
    return found


def _known(history, names):
    if names is None:
        own = [name for name in history if not name.startswith("val_")]
        return [name for name in _USUAL if name in history] or own
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        if name not in history:
            known = ", ".join(name for name in history if not name.startswith("val_"))
            raise invalid(f"names among {known}", repr(name), "give one of these")
    return names


def _draw_number(axes, found, name):
    values = found.history[name]
    style = {"marker": "o", "markersize": 4} if len(values) == 1 else {}
    axes.plot(np.arange(1, len(values) + 1), values, color=figures.COLOURS[0], label="training",
              **style)  # fmt: skip
    held_out = found.history.get(f"val_{name}")
    if held_out is not None:
        every = max(1, len(values) // len(held_out))  # `validation_freq` epochs
        at = every * np.arange(1, len(held_out) + 1)
        axes.plot(at, held_out, color=figures.COLOURS[1], label="kept back", **style)
    if name in found.held_out and name != "loss":
        error = found.held_out.get(f"{name}_stderr") or 0.0
        axes.errorbar(len(values), found.held_out[name], error, fmt="o", markersize=4,
                      color=figures.COLOURS[1], label="held out, at the end")  # fmt: skip


def _reports(points, names):
    """Returns evaluations by name, or None if the points are a training."""
    if isinstance(points, Mapping) and points:
        values = list(points.values())
        if all(map(_is_report, values)):
            return {str(name): _numbers(value) for name, value in points.items()}
        return None
    if isinstance(points, (list, tuple)) and points and all(map(_is_report, points)):
        words = [""] * len(points) if names is None else list(map(str, names))
        if len(words) != len(points):
            received = f"{len(words)} for {len(points)}"
            raise invalid("a name for each evaluation", received, "pass as many names")
        return [(word, _numbers(point)) for word, point in zip(words, points)]
    return None


def _is_report(value):
    numbers = value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
    return all(np.ndim(numbers.get(name, [])) == 0 for name in ("rate", "distortion"))


def _numbers(report: "Report | Mapping[str, Any]") -> Mapping[str, Any]:
    return report if isinstance(report, Mapping) else vars(report)


def _draw_reports(axes, reports):
    items = list(reports.items()) if isinstance(reports, dict) else reports
    items = sorted(items, key=lambda item: item[1]["rate"])
    rates, distortions = (
        np.array([numbers[name] for _, numbers in items]) for name in ("rate", "distortion")
    )
    errors = [
        [numbers.get(f"{name}_stderr") or 0.0 for _, numbers in items]
        for name in ("distortion", "rate")
    ]
    axes.errorbar(rates, distortions, *errors, fmt="o-", color=figures.COLOURS[0], markersize=4)
    for (word, _), *place in zip(items, rates, distortions):
        axes.annotate(word, place, (4, 4), textcoords="offset points", fontsize=8)


def _draw_path(axes, found):
    missing = [name for name in ("rate", "distortion") if name not in found.history]
    if missing:
        received = f"{', '.join(found.history)}"
        raise invalid("a training with rate and distortion", received, "train a tfvae.VAE")
    for prefix, colour, label in (("", 0, "training"), ("val_", 1, "kept back")):
        pair = [found.history.get(f"{prefix}{name}") for name in ("rate", "distortion")]
        if pair[0] is not None and pair[1] is not None:
            axes.plot(*pair, ".-", color=figures.COLOURS[colour], markersize=4, label=label)
            axes.annotate("first epoch", [part[0] for part in pair], (5, 2), fontsize=8,
                          textcoords="offset points")  # fmt: skip
    if {"rate", "distortion"} <= set(found.held_out):
        numbers = found.held_out
        errors = [numbers.get(f"{name}_stderr") or 0.0 for name in ("distortion", "rate")]
        axes.errorbar(numbers["rate"], numbers["distortion"], *errors, fmt="o", markersize=4,
                      color=figures.COLOURS[1], label="held out, at the end")  # fmt: skip


def _draw_equal_elbo(axes):
    """Draws lines along which rate + distortion is the same, behind all else."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    across = np.array([left, right])
    for total in np.linspace(left + low, right + high, 7)[1:-1]:
        axes.plot(across, total - across, color=figures.QUIET, linewidth=0.6, zorder=0, alpha=0.7)
    axes.set(xlim=(left, right), ylim=(low, high))
    axes.set_title("grey: equal ELBO, better to the lower left")
