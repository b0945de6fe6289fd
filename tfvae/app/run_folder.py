"""A run as one thing: made beside its place, taking it in one step, and checked by hashes."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tfvae import _files
from tfvae._files.beside import locked, missing, recover, remove_empty
from tfvae._files.listing import read_json, sha256
from tfvae._files.places import cannot_write, check_target, is_of_disk
from tfvae._files.placing import place
from tfvae._version import __version__
from tfvae.errors import InputError, invalid

MODEL, SAVED_MODEL, TFLITE = "model.keras", "saved_model", "decoder.tflite"
SAMPLES, RECONSTRUCTIONS, REPORT = "samples.png", "reconstructions.png", "report.json"
ROWS = "samples.csv"  # of a table, in place of pictures
PAGE = "report.html"

_BEGUN, _DONE = "begun.json", "done.json"
_REPLACED = (
    "replaced"  # in a report: the hashes that files may have still, while others are written
)
_TOLD = 5  # names in a message


class Unfinished:
    """The folder in which a run is made, `.NAME.unfinished` beside the run's place.

    Args:
        out: the place of the run.

    Attributes:
        out: the place of the run.
        folder: the folder.
        run: the folder within it that will be the run.
        checkpoints: the folder within it of the training's checkpoints.
    """

    def __init__(self, out: str | os.PathLike[str]) -> None:
        """Looks at nothing yet."""
        self.out = _files.local(out)
        if not self.out.name:
            fix = "name a folder within it, such as runs/digits"
            raise invalid("a folder for a run", str(self.out), fix)
        self.folder = self.out.with_name(f".{self.out.name}.unfinished")
        self.run = self.folder / "run"
        self.checkpoints = self.folder / "checkpoints"

    def begun(self) -> dict[str, Any] | None:
        """Returns what `work` was given when the run was begun; None if none was."""
        return read_json(self.folder / _BEGUN)

    def is_done(self) -> bool:
        """Returns True if the finished run was about to take its place."""
        return (self.folder / _DONE).is_file()

    def is_worth_keeping(self) -> bool:
        """Returns True if some of the training is done."""
        kept = self.checkpoints.is_dir() and any(self.checkpoints.iterdir())
        return kept or (self.run / MODEL).is_file()

    def settle(self) -> None:
        """Ends what a process began that was killed while the finished run took its place."""
        done, begun = read_json(self.folder / _DONE), self.begun()
        if done is None or begun is None:
            return
        with locked(self.folder) as free, contextlib.suppress(InputError):
            if free and done.get("report") != _sha256(self.out / REPORT):
                check_place(self.out, bool(begun.get("overwrite")))
                place(self.run, self.out)
            if free:
                shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def work(self, begun: dict[str, Any], overwrite: bool, resume: bool) -> Iterator[Path]:
        """Makes a run, which takes its place when the body has written `report.json`.

        Args:
            begun: what to keep of the call, as values for JSON.
            overwrite: True if a run may be replaced, and an unfinished one thrown away.
            resume: True to go on with an unfinished one.

        Yields:
            The folder to write the files of the run into.

        Raises:
            WriteError: a place that is taken or cannot be written, or a disk that is full.
            InputError: an unfinished run, or another process that makes one.
        """
        made = missing(self.out.parent)
        self._begin(begun, overwrite, resume)
        try:
            with held(self.folder):
                yield self.run
                self._finish(overwrite)
        except InputError:
            raise
        except Exception as error:
            if is_of_disk(error, self.folder):
                raise cannot_write(self.out, error) from error
            raise
        finally:
            if not self.is_worth_keeping():
                shutil.rmtree(self.folder, ignore_errors=True)
            remove_empty(made)

    def drop(self) -> None:
        """Throws away the checkpoints, where going on would end as before."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def _begin(self, begun, overwrite, resume):
        check_place(self.out, overwrite)
        if self.folder.exists() and not resume:
            self._clear(overwrite)
        if not self.folder.exists():
            what = "an unfinished run"
            with _files.whole_folder(_files.Target(self.folder, what, _taken)) as folder:
                text = json.dumps({"tfvae": __version__, **begun}, indent=2)
                (folder / _BEGUN).write_text(text + "\n", encoding="utf-8")

        # What was made after the training is made again.
        shutil.rmtree(self.run, ignore_errors=True)
        self.run.mkdir()

    def _clear(self, overwrite):
        """Removes an unfinished run, of which nothing is lost or may be."""
        if self.begun() is None:
            fix = "move it away"
            raise invalid(f"{self.folder} to be an unfinished run", "another folder", fix)
        with held(self.folder):
            if self.is_worth_keeping() and not overwrite:
                raise invalid(
                    f"no unfinished run of {self.out}",
                    f"{self.folder}, the training of one that was stopped",
                    f"go on with tfvae train --resume {self.out}, or give --overwrite",
                )
            shutil.rmtree(self.folder, ignore_errors=True)

    def _finish(self, overwrite):
        check_place(self.out, overwrite)
        text = json.dumps({"report": _sha256(self.run / REPORT)})
        (self.folder / _DONE).write_text(text, encoding="utf-8")
        place(self.run, self.out)
        shutil.rmtree(self.folder, ignore_errors=True)


def check_place(out: Path, overwrite: bool) -> None:
    """Refuses a place where a run would take that of anything else.

    Args:
        out: the place of a run.
        overwrite: True if a run may be replaced.

    Raises:
        WriteError: another file or folder, or a run that may not be replaced.
    """

    def foreign(folder):
        if not any(folder.iterdir()):
            return None
        others = _foreign(folder)
        return others or (None if overwrite else "a run; --overwrite replaces it by a finished one")

    check_target(out, "a folder", "a run that may be replaced", foreign)


def write_report(run: Path, report: dict[str, Any]) -> dict[str, Any]:
    """Writes the report of a run, with the hashes of all other files and of the report itself.

    Args:
        run: the folder with all other files.
        report: the report, as values for JSON.

    Returns:
        The report with the hashes.
    """
    report, text = signed(report, _files.hashes(run))
    (run / REPORT).write_text(text, encoding="utf-8")
    return report


def signed(
    report: dict[str, Any],
    files: dict[str, str],
    replaced: dict[str, str | None] | None = None,
) -> tuple[dict[str, Any], str]:
    """Returns a report with the hashes of files and of itself, and its text.

    Args:
        report: the report, as values for JSON.
        files: the hashes of all other files of the run.
        replaced: the hashes that some of them may have still, None of a file that may be missing;
            for a report that is written before the files are.
    """
    report = {key: value for key, value in report.items() if key != _REPLACED}
    report |= {"files": files, **({_REPLACED: replaced} if replaced else {})}
    report["sha256"] = _hash_of(report)
    return report, json.dumps(report, indent=2) + "\n"


def opened(
    run: str | os.PathLike[str],
    needed: Sequence[str] = (MODEL, REPORT),
    but: Sequence[str] = (),
) -> dict[str, Any]:
    """Checks that all files of a run are those that its report names.

    Args:
        run: the folder of the run.
        needed: the files without which it is no run.
        but: files that may be others, since they are to be made anew.

    Returns:
        The report.

    Raises:
        InputError: a folder that is no run, or that is damaged, or mixed from two runs.
    """
    run = _files.local(run)
    Unfinished(run).settle()
    for name in needed:
        if not (run / name).is_file():
            raise invalid(
                f"a run, a folder with {' and '.join(needed)}",
                f"{run}, without {name}",
                "give the --out of tfvae train",
            )

    report = _report_of(run)
    if report is None:
        received = f"a {REPORT} that is damaged, altered, or without hashes"
        raise invalid(f"readable files in {run}", received, "train the run again")
    wanted, found = listed(run, report), _files.hashes(run)
    asked = set(wanted) - set(but)
    wrong = sorted(name for name in asked if found.get(name) != wanted[name])
    if wrong:
        raise invalid(
            f"the files of one run in {run}, as its {REPORT} names them by hash",
            f"{', '.join(wrong[:_TOLD])}, missing or of other content",
            "copy the run whole, or train it again",
        )
    return report


def listed(run: Path, report: dict[str, Any]) -> dict[str, str]:
    """Returns the hashes that the files of a run have to have.

    Args:
        run: the folder of the run.
        report: its report.
    """
    found = dict(report["files"])
    for name, digest in report.get(_REPLACED, {}).items():
        if _sha256(run / name) == digest:  # the new one has not taken its place
            found |= {name: digest}
    return {name: digest for name, digest in found.items() if digest is not None}


def _foreign(folder):
    """Tells what a folder holds beside a run, or None for nothing."""
    report = _report_of(folder)
    names = [path.name for path in folder.iterdir()]
    if report is None:
        return _files.named(names)
    for name in (*report["files"], REPORT, PAGE):
        recover(folder / name)  # so that what killed writers left counts as nobody's
    names = [path.name for path in folder.iterdir()]
    return _files.foreign_to_list(folder, listed(folder, report), REPORT, names)


def _report_of(folder):
    """Returns the report of a run, or None if it is altered or there is none."""
    report = read_json(folder / REPORT) or {}
    is_whole = isinstance(report.get("files"), dict) and report.get("sha256") == _hash_of(report)
    return report if is_whole else None


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds the lock of a folder while the body runs.

    Args:
        folder: the folder.

    Raises:
        InputError: another process holds it.
    """
    with locked(folder) as free:
        if not free:
            received, fix = "another process that makes it", "wait for its end"
            raise invalid(f"{folder} for this process alone", received, fix)
        yield


def _taken(folder):
    return "a folder"


def _hash_of(report):
    """Returns the hash of a report without the hash in it."""
    text = json.dumps({k: v for k, v in report.items() if k != "sha256"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _sha256(path):
    return sha256(path) if path.is_file() else None
