"""Medians, ratios and targets of what was measured; JSON, and tables made from it."""

import json
import statistics
from pathlib import Path

from tests.benchmarks.cases import CASES, LIMITS

RESULTS = Path(__file__).parent / "results"
TABLE = Path(__file__).parent / "README.md"


def of_case(name, measured):
    """What is kept of a case: medians, the ratios of ours to each, and each target's number."""
    case = CASES[name]
    ours = measured[case.contenders[0].name]
    notes = {c.name: c.note for c in case.contenders}
    rows = [
        {
            "name": contender,
            "note": "; ".join(filter(None, (notes[contender], found.get("note")))),
            **({"absent": found["absent"]} if "absent" in found else _numbers(ours, found)),
        }
        for contender, found in measured.items()
    ]
    checks = [_check(target, ours, measured) for target in case.targets]
    return {
        "title": case.title,
        "unit": case.unit,
        "rows": rows,
        "targets": [c for c in checks if c],
    }


def _numbers(ours, found):
    numbers = {
        "median": statistics.median(found["rates"]),
        "rounds": found["rates"],
        "device": found["device"],
    }
    return {**numbers, "ours": ratio(ours, [found])} if "rates" in ours else numbers


def ratio(ours, others):
    """Median over rounds of ours to the fastest of the others in that round."""
    rounds = zip(*(other["rates"] for other in others))
    return statistics.median(a / max(b) for a, b in zip(ours["rates"], rounds))


def _check(target, ours, measured):
    others = [measured[name] for name in target.of if "rates" in measured[name]]
    if not others or "rates" not in ours:
        return None
    return check(f"of {target.title}", ratio(ours, others), target.at_least or None)


def check(title, measured, at_least=None, at_most=None):
    """A number beside its target; without one it is only told."""
    row = {"title": title, "measured": measured, "at_least": at_least, "at_most": at_most}
    if at_least is None and at_most is None:
        return row
    return {**row, "met": measured >= at_least if at_least is not None else measured <= at_most}


# ---- text


def lines(name, result):
    """A case as lines of Markdown."""
    yield f"### {name}: {result['title']}"
    yield ""
    if result["rows"]:
        columns = ["", result["unit"], "tfvae is", "lowest to highest round", ""]
        yield from _table(columns, [_row(row) for row in result["rows"] if "absent" not in row])
    for row in result["rows"]:
        if "absent" in row:
            yield f"Skipped: {row['name']}: {row['absent']}"
            yield ""
    if result["targets"]:
        yield from _targets(name, result)


def _row(row):
    name = f"{row['name']} *" if row["name"] in LIMITS else row["name"]
    times = f"x {row['ours']:.2f}" if "ours" in row else ""
    spread = f"{number(min(row['rounds']))} to {number(max(row['rounds']))}"
    return [name, number(row["median"]), times, spread, row["note"]]


def _targets(name, result):
    rates = {row["name"]: {"rates": row["rounds"]} for row in result["rows"] if "rounds" in row}
    limits = [_limit(name, row, rates) for row in result["targets"]]
    columns, rows = ["", "measured", "target", ""], [_target(row) for row in result["targets"]]
    if any(limits):
        columns.insert(3, "the limit itself")
        for row, limit in zip(rows, limits):
            row.insert(3, number(limit) if limit else "")
    yield from _table(columns, rows)


def _limit(name, row, rates):
    """What the limit was to those whom a target names: the most there could have been."""
    targets = CASES[name].targets if name in CASES else ()
    of = next((target.of for target in targets if f"of {target.title}" == row["title"]), ())
    others, limits = (
        [rates[contender] for contender in names if contender in rates] for names in (of, LIMITS)
    )
    if not others or not limits or set(of) & set(LIMITS):
        return None
    rounds = zip(*(limit["rates"] for limit in limits))
    return ratio({"rates": [max(one) for one in rounds]}, others)


def _target(row):
    wanted = "at least " + number(row["at_least"]) if row["at_least"] is not None else ""
    wanted = "at most " + number(row["at_most"]) if row["at_most"] is not None else wanted
    met = {True: "met", False: "**not met**"}.get(row.get("met"), "")
    return [row["title"], number(row["measured"]), wanted, met]


def number(value):
    """Three figures or so, without an exponent."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 else f"{value:.4f}"


def _table(columns, rows):
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def head(machine):
    """The machine and the versions in one paragraph."""
    versions = [f"{name} {version}" for name, version in sorted(machine["versions"].items())]
    return f"{machine['device']}, {machine['cores']} cores. {', '.join(versions)}."


# ---- files


def record(name, machine, results):
    """Adds results to the file of this machine, and makes the tables again.

    The file keeps the cases that are not measured now.
    """
    path = RESULTS / f"{name}.json"
    RESULTS.mkdir(exist_ok=True)
    before = json.loads(path.read_text(encoding="utf-8"))["cases"] if path.exists() else {}
    cases = {**before, **{case: {**result, "machine": machine} for case, result in results.items()}}
    path.write_text(json.dumps({"cases": cases}, indent=1) + "\n", encoding="utf-8")
    TABLE.write_text(tables(), encoding="utf-8")
    return path


def tables():
    """The Markdown of all recorded results."""
    text = [(Path(__file__).parent / "preamble.md").read_text(encoding="utf-8")]
    for path in sorted(RESULTS.glob("*.json")):
        cases = json.loads(path.read_text(encoding="utf-8"))["cases"]
        text.append(f"## {path.stem}\n")
        for name in sorted(cases, key=_order):
            machine = cases[name]["machine"]
            text += [*lines(name, cases[name]), f"{head(machine)} {machine['date']}.\n"]
    return "\n".join(text)


def _order(name):
    return list(CASES).index(name) if name in CASES else len(CASES), name
