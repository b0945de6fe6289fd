"""Writes the page of a run that is there already."""

import os
from pathlib import Path

from tfvae import _files
from tfvae._files.listing import sha256
from tfvae.app import run_model, screen
from tfvae.app.report_page.page import NAME, write
from tfvae.app.run_folder import REPORT, held, listed, opened, signed
from tfvae.app.settings import load_data
from tfvae.errors import InputError, InputTypeError

_OURS = b'<meta name="generator" content="tfvae'


def again(
    run: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    litert: str | os.PathLike[str] | None = None,
) -> Path:
    """Writes the page of a run anew, and its hash into the report.

    A run made before runs had pages gets one. Where its data are gone the page has no figures.

    Args:
        run: folder of the run.
        data_dir: folder of named data sets; default the one of the run.
        litert: a `node_modules` folder with LiteRT.js, for a page that runs the exported model.

    Returns:
        The page.

    Raises:
        InputError: a folder that is no run, or whose other files are damaged, or no LiteRT.js.
        WriteError: a folder that cannot be written, or that holds another page of this name.
    """
    if litert is not None:
        from tfvae.export import web

        web.find_packages(Path(litert))  # before what takes long
    vae, settings = run_model.load(run, but=(NAME,))
    dataset, why_not = _data(settings, data_dir)
    folder = _files.local(run)
    with held(folder):
        report = opened(run, but=(NAME,))
        with _files.whole_file(_files.Target(folder / NAME, "the page of a run", _foreign)) as page:
            with screen.waiting(f"Writing {NAME}"):
                write(page, folder, report, vae, dataset, why_not, litert)
            # The page takes its place between two reports, the first of which allows both pages,
            # so that the run is whole wherever this is killed.
            files, there = {**report["files"], NAME: sha256(page)}, folder / NAME
            before = listed(folder, report).get(NAME, sha256(there) if there.exists() else None)
            _write_report(folder, report, files, {NAME: before})
        _write_report(folder, report, files)
    return folder / NAME


def _write_report(run, report, files, replaced=None):
    _, text = signed(report, files, replaced)
    target = _files.Target(run / REPORT, "the report of a run", lambda path: None)
    with _files.whole_file(target) as written:
        written.write_text(text, encoding="utf-8")


def _data(settings, data_dir):
    """Returns the data of a run, or None and why they are not there."""
    try:
        with screen.waiting("Reading the data"):
            return load_data(settings, data_dir), ""
    except (InputError, InputTypeError, OSError) as error:
        return None, f"The figures: the data of the run cannot be read. {error}"


def _foreign(path):
    """Returns what a file is in words, unless it is the page of a run."""
    with path.open("rb") as file:
        return None if _OURS in file.read(2000) else "another page"
