"""What a run has found, in words: on the terminal, and in README.md with a JSON file beside it."""

import datetime
import json
import platform
from importlib import metadata
from pathlib import Path

from tests.mutation.trials import NOTICED, TIMED_OUT, digest_of

FOLDER = Path(__file__).parent
_BEGIN, _END = "<!-- the report, written by --record -->\n", "<!-- end of the report -->\n"
_HEADER = "| area | mutants | noticed | by time-out | equivalent | survivors | share noticed |"
_PACKAGES = ("tensorflow", "keras", "tensorflow-probability", "numpy", "pytest")


def summary(by_area, results, root):
    """`{area: {"mutants": ..., "noticed": ..., ...}}`, of results for today's source."""
    return {area: _of_area(mutants, results, root) for area, mutants in by_area.items()}


def table(found):
    """The summary as lines of a Markdown table."""
    lines = [_HEADER, "|---" * _HEADER.count("| ") + "|"]
    for area, row in [*found.items(), ("all", _total(found))]:
        counts = (row[key] for key in ("mutants", "noticed", "timed_out", "equivalent"))
        cells = [area, *counts, len(row["survivors"]), _share(row)]
        lines.append("| " + " | ".join(map(str, cells)) + " |")

    return lines


def details(found):
    """The survivors, the explained equivalents and what has not been run, as lines."""
    lines = []
    titles = {"survivors": "Survivors", "explained": "Equivalent", "red": "Red without a mutant"}
    for key, title in titles.items():
        rows = [f"- {area}: {row}" for area, of_area in found.items() for row in of_area[key]]
        lines += ["", f"{title}:", "", *rows] if rows else []
    missing = sum(len(row["missing"]) for row in found.values())
    lines += ["", f"Not run, or of another source than today's: {missing}."] if missing else []

    return lines


def record(found, state):
    """Writes the report into README.md, and all that is known into report.json."""
    today = datetime.date.today().isoformat()
    versions = {name: metadata.version(name) for name in _PACKAGES}
    versions["python"] = platform.python_version()
    said = ", ".join(f"{name} {version}" for name, version in versions.items())
    readme = FOLDER / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split(_BEGIN)
    after = rest.split(_END)[1]
    body = "\n".join([f"Of {today}, with {said}.", "", *table(found), *details(found), ""])
    readme.write_text(before + _BEGIN + "\n" + body + "\n" + _END + after, encoding="utf-8")
    slow = {test: took for test, took in sorted(state.seconds.items()) if took >= 1.0}
    known = {"results": state.results, "seconds": slow}
    text = json.dumps({"date": today, "versions": versions, "areas": found, **known}, indent=1)
    (FOLDER / "report.json").write_text(text + "\n", encoding="utf-8")


def is_current(mutant, results, root):
    """Whether a mutant has a result, of the source as it is."""
    return mutant.name in results and results[mutant.name]["digest"] == digest_of(mutant, root)


def _of_area(mutants, results, root):
    row: dict = {"mutants": len(mutants), "noticed": 0, "timed_out": 0, "equivalent": 0}
    row.update(survivors=[], explained=[], missing=[], red=[])
    for mutant in mutants:
        if not is_current(mutant, results, root):
            row["missing"].append(mutant.name)
            continue
        result = results[mutant.name]
        row["red"] += [test for test in result["red"] if test not in row["red"]]
        if result["status"] in (NOTICED, TIMED_OUT):
            row["noticed"] += 1
            row["timed_out"] += result["status"] == TIMED_OUT
        elif mutant.equivalent:
            row["equivalent"] += 1
            row["explained"].append(f"`{mutant.name}`: {mutant.note} {mutant.equivalent}")
        else:
            ran = f"{result['ran']} of {result['chosen']} tests"
            row["survivors"].append(f"`{mutant.name}`: {mutant.note} ({ran})")

    return row


def _total(found):
    keys = ("mutants", "noticed", "timed_out", "equivalent")
    total: dict = {key: sum(row[key] for row in found.values()) for key in keys}
    lists = {key: sum((row[key] for row in found.values()), []) for key in ("survivors", "missing")}

    return {**total, **lists}


def _share(row):
    """Of what has been run and could be noticed."""
    tried = row["mutants"] - row["equivalent"] - len(row["missing"])
    return f"{row['noticed'] / tried:.0%}" if tried else "-"
