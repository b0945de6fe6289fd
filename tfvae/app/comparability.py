"""Tells which runs are of numbers that can be compared, by what their reports say."""

from collections.abc import Sequence
from typing import Any

Report = dict[str, Any]

_SHOWN = 12  # digits of a hash
_UNKNOWN = "evaluated on examples that the report does not tell"


def not_comparable(names: Sequence[str], reports: Sequence[Report]) -> str | None:
    """Returns why numbers of runs cannot be compared, or None.

    Args:
        names: the names of the runs, for the reason.
        reports: their reports.
    """
    for told in (_held_out, _kind, _conditions):
        kinds: dict[str, list[str]] = {}
        for name, report in zip(names, reports):
            kinds.setdefault(told(report), []).append(name)
        if len(kinds) > 1 or _UNKNOWN in kinds:
            parts = [f"{', '.join(those)}: {kind}" for kind, those in kinds.items()]
            return "; ".join(parts)
    return None


def _held_out(report):
    found = (report.get("data") or {}).get("evaluated_on") or {}
    if not found.get("sha256"):
        return _UNKNOWN
    return f"evaluated on {found['examples']:,} examples of hash {found['sha256'][:_SHOWN]}"


def _kind(report):
    """Returns what the NLL is of: a density and a probability are no numbers of one kind."""
    evaluation = report["evaluation"]
    if evaluation.get("binarization"):
        return f"probabilities of binarized data ({evaluation['binarization']})"
    return "densities" if evaluation.get("bits_per_dim") is None else "probabilities"


def _conditions(report):
    conditioned = report["settings"].get("condition") is not None
    return "log p(x|y), of data and labels" if conditioned else "log p(x), of data alone"


def notes(names: Sequence[str], reports: Sequence[Report]) -> list[str]:
    """Returns what to mind beside the numbers, in sentences.

    Args:
        names: the names of the runs.
        reports: their reports.
    """
    told = []
    counts = {report["evaluation"].get("num_samples") for report in reports}
    if len(counts) > 1:
        words = " and ".join(f"{count:,}" for count in sorted(filter(None, counts)))
        told.append(f"Importance samples differ ({words}): fewer of them make the NLL larger.")
    versions = {str(report.get("versions")) for report in reports}
    if len(versions) > 1:
        told.append("The runs are of different versions of the software, see their reports.")
    shared = [
        name for name, report in zip(names, reports) if (report.get("data") or {}).get("shared")
    ]
    if shared:
        told.append(f"Some held-out examples were trained on in {', '.join(shared)}.")
    return told
