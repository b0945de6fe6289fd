"""Compares runs by their reports: numbers side by side, and which differences the errors allow.

Two runs are evaluated on the same held-out examples or are not comparable. Then the errors of
their numbers have much in common, so that the error of a difference, which is taken as if they had
nothing in common, is too large rather than too small.
"""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfvae import _files
from tfvae.app.comparability import not_comparable, notes
from tfvae.app.run_folder import REPORT, TFLITE, opened
from tfvae.errors import invalid

ERRORS = 2.0  # standard errors beyond which a difference is one
_OF_A_PLACE = ("out", "data_dir")


class Number(NamedTuple):
    """A number that runs are compared by.

    Attributes:
        key: its name in a report's evaluation.
        title: its name for people.
        unit: its unit.
    """

    key: str
    title: str
    unit: str


NUMBERS = (
    Number("nll", "NLL", "nats"),
    Number("elbo", "ELBO", "nats"),
    Number("rate", "rate", "nats"),
    Number("distortion", "distortion", "nats"),
)
_UNITS = {"bits_per_dim": "bits", "file_bytes": "bytes", "seconds": "s of training"}


def compare(places: Sequence[str | os.PathLike[str]]) -> dict[str, Any]:
    """Compares runs.

    Args:
        places: folders of runs, or folders that hold several, as `tfvae train --seeds` leaves.

    Returns:
        As values for JSON: `units` of the numbers; `runs`, each with its numbers; `differing`, the
        settings that are not the same in all; `not_comparable`, why their numbers cannot be
        compared, or None; `seeds`, for each set of runs that differ by their seed alone the mean
        and the standard deviation of each number; `differences`, of each set to the one with the
        lowest NLL; `notes` and `says`, sentences.

    Raises:
        InputError: fewer than two runs, or a folder that is no run, or is damaged.
    """
    folders = _runs_in(places)
    if len(folders) < 2:
        fix = "name another run, or a folder with several"
        raise invalid("at least two runs to compare", f"{len(folders)}", fix)

    reports = [_report(folder) for folder in folders]
    names = _short(folders)
    differing = _differing([report["settings"] for report in reports])
    runs = [_described(*run, differing) for run in zip(folders, names, reports)]
    reason = not_comparable(names, reports)
    sets = _sets(reports)
    found = [_summary([runs[i] for i in chosen]) for chosen in sets]
    differences = [] if reason else _differences(found)
    return {
        "units": {number.key: number.unit for number in NUMBERS} | _UNITS,
        "runs": runs,
        "differing": differing,
        "not_comparable": reason,
        "seeds": [each for each in found if len(each["runs"]) > 1],
        "differences": differences,
        "notes": notes(names, reports),
        "says": _says(found, differences, reason),
    }


def _runs_in(places):
    """Returns folders of runs; of a folder that holds some, those."""
    found = []
    for place in map(_files.local, places):
        within = [] if (place / REPORT).is_file() else sorted(place.glob(f"*/{REPORT}"))
        found += [report.parent for report in within] or [place]
    return list(dict.fromkeys(found))


def _report(folder):
    report = opened(folder, (REPORT,))
    if "evaluation" not in report or "settings" not in report:
        fix = "train it again"
        raise invalid(f"a report with an evaluation in {folder}", "another one", fix)
    return report


def _short(folders):
    """Returns names of folders: the last parts of their paths, as many as tell them apart."""
    parts = [Path(os.path.abspath(folder)).parts for folder in folders]
    for count in range(1, max(map(len, parts))):
        names = ["/".join(each[-count:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return [str(folder) for folder in folders]


def _differing(settings):
    """Returns the names of settings that are not the same in all runs."""
    known = dict.fromkeys(name for each in settings for name in each)
    return [
        name
        for name in known
        if name not in _OF_A_PLACE and len({_text(each.get(name)) for each in settings}) > 1
    ]


def _text(value):
    return json.dumps(value, sort_keys=True)


def _described(folder, name, report, differing):
    """Returns what is compared of a run."""
    evaluation, seconds = report["evaluation"], report.get("seconds") or {}
    keys = [key for number in NUMBERS for key in (number.key, f"{number.key}_stderr")]
    more = ("bits_per_dim", "active_units", "latent_dim", "num_examples", "num_samples")
    return {
        "run": str(folder),
        "name": name,
        "settings": {key: report["settings"].get(key) for key in differing},
        **{key: evaluation.get(key) for key in (*keys, *more)},
        "file_bytes": ((report.get("export") or {}).get("sizes") or {}).get(TFLITE),
        "seconds": seconds.get("fit"),
        "alarms": sorted(report.get("alarms") or {}),
        "evaluated_on": (report.get("data") or {}).get("evaluated_on"),
    }


def _sets(reports):
    """Returns the numbers of the runs that differ by their seed alone, set by set."""
    found: dict[str, list[int]] = {}
    for i, report in enumerate(reports):
        settings = {
            name: value
            for name, value in report["settings"].items()
            if name not in ("seed", *_OF_A_PLACE)
        }
        used = report.get("data") or {}
        key = _text([settings, used.get("trained_on"), used.get("evaluated_on")])
        found.setdefault(key, []).append(i)
    return list(found.values())


def _summary(runs):
    """Returns the mean of each number over runs of several seeds, and its errors."""
    count = len(runs)
    others = "" if count == 1 else f" and {count - 1} other seed{'s' * (count > 2)}"
    found: dict[str, Any] = {"name": runs[0]["name"] + others, "runs": [r["name"] for r in runs]}
    for number in NUMBERS:
        values = [run[number.key] for run in runs if run[number.key] is not None]
        errors = [run[f"{number.key}_stderr"] for run in runs]
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
        found[number.key] = {
            "mean": float(np.mean(values)) if values else None,
            "std": deviation,
            "stderr": errors[0] if deviation is None else deviation / math.sqrt(len(values)),
        }
    return found


def _differences(sets):
    """Returns the differences of sets to the one with the lowest NLL, with their errors."""
    ranked = [each for each in sets if each["nll"]["mean"] is not None]
    if len(ranked) < 2:
        return []
    best = min(ranked, key=lambda each: each["nll"]["mean"])
    return [_difference(each, best) for each in ranked if each is not best]


def _difference(one, other):
    found: dict[str, Any] = {"name": one["name"], "from": other["name"]}
    for number in NUMBERS:
        pair = one[number.key], other[number.key]
        if None in [each["mean"] for each in pair]:
            continue
        errors = [each["stderr"] for each in pair]
        error = None if None in errors else math.hypot(*errors)
        change = pair[0]["mean"] - pair[1]["mean"]
        within = None if error is None else abs(change) <= ERRORS * error
        found[number.key] = {"difference": change, "stderr": error, "within_errors": within}
    return found


def _says(sets, differences, reason):
    """Returns what the comparison says, in sentences."""
    if reason:
        return [f"The numbers in nats and bits cannot be compared. {reason}."]
    told = [_of_seeds(each) for each in sets if len(each["runs"]) > 1]
    if not differences:
        return told

    best = next(each for each in sets if each["name"] == differences[0]["from"])
    told.append(f"The lowest NLL is that of {best['name']}, {with_error(best['nll'])} nats.")
    told += [_of_difference(each) for each in differences if "nll" in each]
    if any(len(each["runs"]) == 1 for each in sets):
        told.append(
            "The error of a single run is that over held-out examples alone: how much another "
            "seed would change it, tfvae train --seeds 5 tells."
        )
    return told


def _of_seeds(found):
    nll, count = found["nll"], len(found["runs"])
    if nll["std"] is None:
        return f"{found['name']}: no NLL."
    return (
        f"{found['name']}: NLL {nll['mean']:.2f} nats in the mean of {count} seeds, with a "
        f"standard deviation of {nll['std']:.2f} nats between them."
    )


def _of_difference(found):
    nll = found["nll"]
    verdict = {
        None: "of unknown error",
        True: f"within {ERRORS:g} standard errors, so that none is shown to be better",
        False: f"more than {ERRORS:g} standard errors",
    }[nll["within_errors"]]
    error = "" if nll["stderr"] is None else f" ± {nll['stderr']:.2f}"
    return f"{found['name']}: NLL higher by {nll['difference']:.2f}{error} nats, {verdict}."


def with_error(found: dict[str, float | None]) -> str:
    """Returns a mean and its standard error in words, such as "22.55 ± 0.21"."""
    mean, error = found["mean"], found["stderr"]
    if mean is None:
        return "none"
    return f"{mean:.2f}" if error is None else f"{mean:.2f} ± {error:.2f}"
