"""Writes a comparison of runs as one page: no script, nothing loaded, light and dark."""

import html
import os
from typing import Any

from tfvae import _files
from tfvae._version import __version__
from tfvae.app.comparing import ERRORS, NUMBERS
from tfvae.app.comparison_tables import costs, shown

_MARK = '<meta name="generator" content="tfvae compare">'
_WIDTH, _NAMES, _ROW, _EDGE = 420, 56, 26, 16  # pixels of a figure
_TICKS = 4
_STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --dim: #5a5a5a; --paper: #fff; --mark: #1f4e9c;
  --line: #c8c8c8 }
@media (prefers-color-scheme: dark) { :root { --ink: #eee; --dim: #b0b0b0; --paper: #161616;
  --mark: #8ab4f8; --line: #4a4a4a } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
.wide { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line) }
td { white-space: nowrap } th:first-child, td:first-child { text-align: left; white-space: normal;
  overflow-wrap: anywhere; min-width: 9rem } th { font-weight: 600 }
figure { margin: 1rem 0 } figcaption, footer { color: var(--dim); font-size: .9rem }
svg { width: 100%; max-width: 32rem; height: auto; font: 13px system-ui, sans-serif }
svg text { fill: var(--ink) } svg .bar { stroke: var(--mark); stroke-width: 2 }
svg .dot { fill: var(--mark) } svg .axis { stroke: var(--line) } svg .tick { fill: var(--dim) }
"""


def write(found: dict[str, Any], out: str | os.PathLike[str]) -> None:
    """Writes the page of a comparison.

    Args:
        found: what `comparing.compare` returns.
        out: the file to write, `.html`. It is written whole or not at all.

    Raises:
        WriteError: a place that cannot be written, or that holds anything but such a page.
    """
    with _files.whole_file(_target(out)) as file:
        file.write_text(page(found), encoding="utf-8")


def check(out: str | os.PathLike[str]) -> None:
    """Refuses a place that `write` could not write.

    Raises:
        WriteError: as `write`.
    """
    target = _target(out)
    _files.check_target(_files.local(out), "a file", target.what, target.foreign)


def _target(out):
    return _files.Target(out, "a page of tfvae compare", _foreign)


def _foreign(path):
    with path.open("rb") as file:
        is_own = _MARK.encode() in file.read(500)
    return None if is_own else "another file"


def page(found: dict[str, Any]) -> str:
    """Returns the page of a comparison as HTML.

    Args:
        found: what `comparing.compare` returns.
    """
    names = [run["name"] for run in found["runs"]]
    title = f"{len(names)} runs of tfvae, compared"
    told = "".join(f"<li>{html.escape(each)}</li>" for each in (*found["says"], *found["notes"]))
    figures = "".join(_figure(found, number) for number in NUMBERS)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">{_MARK}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title><style>{_STYLE}</style></head>
<body><main><h1>{html.escape(title)}</h1>
<h2>What this says</h2><ul>{told}</ul>
<h2>Numbers</h2>{figures}{_numbers(found)}
{_over_seeds(found)}<h2>Settings that differ, and costs</h2>{_settings(found)}
</main><footer><p>Written by tfvae {html.escape(__version__)}.</p></footer></body></html>
"""


def _figure(found, number):
    """Returns a picture of a number of all runs, with error bars."""
    there = [(i, run) for i, run in _numbered(found) if run[number.key] is not None]
    if not there:
        return ""
    low, high = _range([run for _, run in there], number.key)
    height = _ROW * len(there) + 2 * _EDGE + _ROW

    def across(value):
        return _NAMES + (value - low) / (high - low) * (_WIDTH - _NAMES - _EDGE)

    rows = [
        _bar(*run, number.key, _EDGE + _ROW * (row + 0.5), across) for row, run in enumerate(there)
    ]
    axis = _axis(low, high, height - _ROW - _EDGE, across)
    caption = (
        f"{number.title}, {number.unit} per held-out example; bars: {ERRORS:g} standard errors"
    )
    label = html.escape(f"{number.title} of {len(there)} runs, in the table below")
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">'
        f"{''.join(rows)}{axis}</svg><figcaption>{caption}.</figcaption></figure>"
    )


def _range(runs, key):
    """Returns the ends of an axis, around all bars."""
    reach = [(run[key], ERRORS * (run[f"{key}_stderr"] or 0.0)) for run in runs]
    low, high = min(v - e for v, e in reach), max(v + e for v, e in reach)
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin


def _numbered(found):
    """Returns the runs with their numbers, by which figures name them."""
    return list(enumerate(found["runs"], 1))


def _bar(i, run, key, y, across):
    value, error = run[key], ERRORS * (run[f"{key}_stderr"] or 0.0)
    start, middle, end = (across(value + step) for step in (-error, 0, error))
    return (
        f'<text x="{_NAMES - 10}" y="{y + 4}" text-anchor="end">run {i}</text>'
        f'<line class="bar" x1="{start:.1f}" x2="{end:.1f}" y1="{y}" y2="{y}"/>'
        f'<circle class="dot" cx="{middle:.1f}" cy="{y}" r="4"/>'
    )


def _axis(low, high, y, across):
    values = [low + (high - low) * i / _TICKS for i in range(_TICKS + 1)]
    digits = 2 if high - low < 10 else 0
    labels = [
        f'<text class="tick" x="{across(v):.1f}" y="{y + 18}" text-anchor="middle">{v:.{digits}f}'
        "</text>"
        for v in values[1:-1]
    ]
    line = f'<line class="axis" x1="{across(low)}" x2="{across(high)}" y1="{y}" y2="{y}"/>'
    return line + "".join(labels)


def _numbers(found):
    heads = [f"{number.title}, {number.unit}" for number in NUMBERS]
    rows = []
    for i, run in _numbered(found):
        pairs = [(run[number.key], run[f"{number.key}_stderr"]) for number in NUMBERS]
        rows.append([f"{i}: {run['name']}", *(_with_error(*pair) for pair in pairs)])
    return _table("numbers of the runs", ["run", *heads], rows)


def _with_error(value, error):
    if value is None:
        return "none"
    return f"{value:.2f}" if error is None else f"{value:.2f} ± {error:.2f}"


def _over_seeds(found):
    if not found["seeds"]:
        return ""
    heads = [f"{number.title}, {number.unit}" for number in NUMBERS]
    rows = [
        [each["name"], *(_spread(each[number.key]) for number in NUMBERS)]
        for each in found["seeds"]
    ]
    title = "<h2>Mean, and standard deviation between seeds</h2>"
    return title + _table("means over seeds", ["runs", *heads], rows)


def _spread(cell):
    return "none" if cell["std"] is None else f"{cell['mean']:.2f}, {cell['std']:.2f}"


def _settings(found):
    names = found["differing"]
    rows = [
        [f"{i}: {run['name']}", *(shown(run["settings"][name]) for name in names), *costs(run)]
        for i, run in _numbered(found)
    ]
    more = ("bits per dimension", "active units", "file, kB", "training, s", "alarms")
    return _table("settings and costs", ["run", *names, *more], rows)


def _table(name, heads, rows):
    head = "".join(f'<th scope="col">{html.escape(each)}</th>' for each in heads)
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="Table: {name}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(row):
    return "".join(f"<td>{html.escape(each)}</td>" for each in row)
