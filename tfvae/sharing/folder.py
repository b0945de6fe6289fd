"""Writes a model into a folder with its card, and reads one from a folder or a hub."""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfvae import _files
from tfvae._files.listing import MARK, read_json, sha256
from tfvae._keras.backend import keras
from tfvae.errors import InputTypeError, invalid
from tfvae.sharing import card, hub

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

_CARD = "README.md"
_OF_KERAS = ("config.json", "metadata.json", "model.weights.h5")
_WHAT = "a folder of save_pretrained alone"


def save_pretrained(
    vae: "VAE",
    folder: str | os.PathLike[str],
    *,
    report: Any = None,
    license: str | None = None,
    files: Sequence[str | os.PathLike[str]] = (),
) -> None:
    """Writes a model, optimizer included, into a folder with a card that says what it is.

    The folder is written whole or not at all.

    Args:
        vae: the model.
        folder: a new folder, an empty one, or an earlier one of this function.
        report: what the card tells beside the model's own pieces: a `tfvae.evaluation.Report`, or
            the content of a run's `report.json`.
        license: the identifier of the model's licence, such as `"apache-2.0"`, or None.
        files: further files to put into the folder, such as an exported `.tflite` with its
            sidecar, or a picture.

    Raises:
        InputTypeError: a report of another kind.
        InputError: a file that is not there, or has a name of the folder's own.
        WriteError: a folder that cannot be written, or holds anything else.
    """
    found, others = _facts(report), _others(files)
    target = _files.Target(folder, _WHAT, _files.foreign_to_mark)
    with _files.whole_folder(target) as written:
        keras.saving.save_model(vae, written, zipped=False)
        with contextlib.suppress(OSError):
            (written / "assets").rmdir()  # Keras makes it; git and hubs keep no empty folder
        for path in others:
            shutil.copyfile(path, written / path.name)
        text = card.text(vae, found, license, [path.name for path in others])
        (written / _CARD).write_text(text, encoding="utf-8")
        _files.mark(written)


def from_pretrained(
    name_or_folder: str | os.PathLike[str],
    *,
    revision: str | None = None,
    token: str | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
) -> "VAE":
    """Loads a model that `save_pretrained` wrote, from a folder or from a hub.

    Nothing of a hub is run: the three files of Keras are downloaded, compared with the hashes
    beside them, and loaded with Keras' `safe_mode`.

    Args:
        name_or_folder: the path of a folder, or `"user/name"` on the hub, also `"hf://user/name"`.
        revision: a branch, tag or commit of the hub; by default the newest.
        token: for a private model; by default the one that `hf auth login` has kept.
        custom_objects: classes of your own by name, as in `tfvae.load_model`.
        compile: False to leave the optimizer in the file.

    Returns:
        The model.

    Raises:
        InputError: no such folder or name, files that are not those listed, or no model of tfvae.
        InputTypeError: no path and no name, or a model that is no VAE.
        ModuleNotFoundError: `huggingface_hub` is not installed, for a name on the hub.
    """
    from tfvae.models.files import built  # models ask for this module in turn

    found = _folder_of(name_or_folder, revision, token)
    _check(found, str(name_or_folder))
    return built(found, custom_objects=custom_objects, compile=compile)


def _facts(report):
    """Returns a report as a dictionary."""
    if report is None:
        return {}
    if dataclasses.is_dataclass(report) and hasattr(report, "to_dict"):
        return report.to_dict()
    if isinstance(report, Mapping):
        return report
    raise invalid(
        "report to be an evaluation or the report of a run",
        type(report).__name__,
        "pass tfvae.evaluation.evaluate(vae, x_test), or the dictionary in a report.json",
        InputTypeError,
    )


def _others(files):
    """Returns the paths of further files, and refuses those that have no place in the folder."""
    paths = [_files.local(path) for path in files]
    names = [path.name for path in paths]
    own = {*_OF_KERAS, _CARD, MARK}
    for path in paths:
        if not path.is_file():
            raise invalid(
                "files to put beside a model", f"{path}, which is no file", "leave it out"
            )
        if path.name in own or names.count(path.name) > 1:
            fix = "rename it"
            raise invalid("files of other names than the folder's own", f"{path}", fix)
    return paths


def _folder_of(name_or_folder, revision, token):
    """Returns the folder of a model, downloaded if it is a name on a hub."""
    text = os.fspath(name_or_folder) if isinstance(name_or_folder, os.PathLike) else name_or_folder
    if not isinstance(text, str):
        fix = "pass a folder, or a name such as 'user/name'"
        raise invalid("a folder or a name on a hub", type(text).__name__, fix, InputTypeError)
    if text.startswith(hub.SCHEME):
        return hub.download(text.removeprefix(hub.SCHEME), _wanted(), revision, token)

    folder = _files.local(text)
    if folder.is_dir():
        return folder
    if hub.is_name(text):
        return hub.download(text, _wanted(), revision, token)
    raise invalid(f"a folder at {text}, or a name on a hub", "neither", "check the path")


def _wanted():
    return [*_OF_KERAS, MARK]


def _check(folder, name):
    """Refuses a folder without a model, and one whose files are not those that it lists."""
    missing = [each for each in _OF_KERAS if not (folder / each).is_file()]
    if missing:
        fix = (
            "write the folder with vae.save_pretrained(folder); tfvae.load_model reads .keras files"
        )
        raise invalid(f"{name} to hold a model of tfvae", f"no {', '.join(missing)}", fix)

    # Of a model that `vae.save("hf://user/name")` wrote there is no list.
    listed = (read_json(Path(folder / MARK)) or {}).get("files", {})
    others = [each for each in _OF_KERAS if listed and sha256(folder / each) != listed.get(each)]
    if others:
        received = f"other content in {', '.join(others)}"
        raise invalid(f"the files of {name} as its {MARK} lists them", received, "copy it whole")
