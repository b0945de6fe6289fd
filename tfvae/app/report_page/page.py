"""Puts the page of a run together."""

import base64
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfvae import quiet_loggers
from tfvae.app.report_page import frames, live, panels, subject, words
from tfvae.app.run_folder import MODEL, PAGE, REPORT, SAVED_MODEL, TFLITE
from tfvae.errors import InputError
from tfvae.plots import events

if TYPE_CHECKING:
    from tfvae.datasets import Dataset
    from tfvae.models.vae import VAE

NAME = PAGE

_HERE = Path(__file__).parent
_ORDER = (MODEL, SAVED_MODEL, TFLITE)


def write(
    path: Path,
    run: Path,
    report: dict[str, Any],
    vae: "VAE",
    dataset: "Dataset | None",
    why_not: str = "",
    litert: str | os.PathLike[str] | None = None,
) -> None:
    """Writes the page of a run.

    Args:
        path: the file to write.
        run: the folder with the other files of the run.
        report: the report of the run.
        vae: its model.
        dataset: its data, or None if they are not there any more: then the page has no figures.
        why_not: why the data are not there, a sentence.
        litert: a `node_modules` folder with LiteRT.js, for a page that runs the exported model;
            None for one that computes nothing.

    Raises:
        InputError: Jinja2 or Matplotlib is not installed, or LiteRT.js is not in `litert`.
    """
    # Matplotlib notes what it does with fonts and folders.
    with quiet_loggers.quiet("matplotlib"):
        text = _html(run, report, vae, dataset, why_not, litert)
    path.write_text(text, encoding="utf-8")


def _html(run, report, vae, dataset, why_not, litert):
    kind, left_out, found, slider = "examples", [why_not], None, None
    drawn: list[panels.Panel] = []
    try:
        if dataset is not None:
            found = subject.subject(vae, dataset, report)
            kind = found.kind
            drawn, left_out = panels.drawn(found)
            slider = frames.of(found)
    except InputError as error:  # of examples that no plot knows
        left_out = [*left_out, str(error)]
    model, missing = _live(found, slider, run, litert)
    scripts = [(_HERE / "slider.js").read_text(encoding="utf-8")]
    scripts += [model.files.runtime, model.files.script] if model else []
    return _template().render(
        title=f"{_name(report)}: a run of tfvae",
        name=_name(report),
        about=words.about(report, vae, kind),
        alarms=list(report.get("alarms", {}).values()),
        numbers=words.numbers(report["evaluation"]),
        panels=drawn,
        left_out=[reason for reason in (*left_out, missing) if reason],
        slider=slider,
        live=model,
        files=words.files(_sizes(run), report["export"]),
        versions=report["versions"],
        command=words.command(report["settings"], "config.toml" in _names(run)),
        settings=_settings(report["settings"]),
        style=(_HERE / "style.css").read_text(encoding="utf-8"),
        script=scripts[0],
        allowed=[*map(_hash, scripts), *(["'wasm-unsafe-eval'"] if model else [])],
        rows=kind == events.ROWS,
    )


def _live(found, slider, run, litert):
    """Returns the exported model if it was asked for, else why it cannot be there, or ""."""
    if litert is None:
        return None, ""
    reason = live.why_not(found, slider)
    if reason:
        return None, f"The exported model, to be moved in the page: {reason}"
    return live.of(found, run / TFLITE, litert), ""


def _hash(script):
    """Returns a script as a content-security policy allows it."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _template():
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("template.html")


def _name(report):
    return Path(report["settings"]["data"]).name or report["settings"]["data"]


def _names(run):
    return [path.name for path in sorted(run.iterdir()) if path.name != NAME]


def _sizes(run):
    """Returns the bytes of each file of a run, the models first."""
    # The report is left out: it has the hash of this page.
    names = [name for name in _names(run) if name != REPORT]
    names = [*(name for name in _ORDER if name in names), *(n for n in names if n not in _ORDER)]
    return {name: _bytes(run / name) for name in names}


def _bytes(path):
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _settings(settings):
    return {name: value for name, value in settings.items() if value is not None}
