"""Puts the page of a run together."""

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfvae import quiet_loggers
from tfvae.app.report_page import frames, panels, subject, words
from tfvae.app.run_folder import MODEL, REPORT, SAVED_MODEL, TFLITE
from tfvae.errors import InputError
from tfvae.plots import events

if TYPE_CHECKING:
    from tfvae.datasets import Dataset
    from tfvae.models.vae import VAE

NAME = "report.html"

_HERE = Path(__file__).parent
_ORDER = (MODEL, SAVED_MODEL, TFLITE)


def write(
    path: Path,
    run: Path,
    report: dict[str, Any],
    vae: "VAE",
    dataset: "Dataset | None",
    why_not: str = "",
) -> None:
    """Writes the page of a run.

    Args:
        path: the file to write.
        run: the folder with the other files of the run.
        report: the report of the run.
        vae: its model.
        dataset: its data, or None if they are not there any more: then the page has no figures.
        why_not: why the data are not there, a sentence.

    Raises:
        InputError: Jinja2 or Matplotlib is not installed.
    """
    # Matplotlib notes what it does with fonts and folders.
    with quiet_loggers.quiet("matplotlib"):
        text = _html(run, report, vae, dataset, why_not)
    path.write_text(text, encoding="utf-8")


def _html(run, report, vae, dataset, why_not):
    kind, left_out, slider = "examples", [why_not], None
    drawn: list[panels.Panel] = []
    try:
        if dataset is not None:
            found = subject.subject(vae, dataset, report)
            kind = found.kind
            drawn, left_out = panels.drawn(found)
            slider = frames.of(found)
    except InputError as error:  # of examples that no plot knows
        left_out = [*left_out, str(error)]
    script = (_HERE / "slider.js").read_text(encoding="utf-8")
    return _template().render(
        title=f"{_name(report)}: a run of tfvae",
        name=_name(report),
        about=words.about(report, vae, kind),
        alarms=list(report.get("alarms", {}).values()),
        numbers=words.numbers(report["evaluation"]),
        panels=drawn,
        left_out=[reason for reason in left_out if reason],
        slider=slider,
        files=words.files(_sizes(run), report["export"]),
        versions=report["versions"],
        command=words.command(report["settings"], "config.toml" in _names(run)),
        settings=_settings(report["settings"]),
        style=(_HERE / "style.css").read_text(encoding="utf-8"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        rows=kind == events.ROWS,
    )


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
