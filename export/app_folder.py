"""Writes a model, and a ready source file for it in each language of apps, into a folder."""

import json
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import tfvae.export.app_languages as app_languages
import tfvae.export.app_sources as app_sources
import tfvae.export.call_arguments as call_arguments
import tfvae.export.schema as schema
import tfvae.export.sidecar as sidecar
from tfvae import _files
from tfvae._files.listing import read_json, sha256
from tfvae.errors import invalid
from tfvae.export.runtime import InterpreterRuntime
from tfvae.export.web import LITERT_VERSION

if TYPE_CHECKING:
    import tensorflow as tf

    from tfvae.models.vae import VAE

_MANIFEST = "tfvae-app.json"  # the hashes of what was written, by name
_STEM = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def to_app(
    vae_or_tflite: "VAE | str | os.PathLike[str]",
    directory: str | os.PathLike[str],
    *,
    name: str | None = None,
    quantization: str | None = None,
    batch_size: int | Sequence[int] = 1,
    include_encoder: bool = False,
    data: "np.ndarray | tf.Tensor | None" = None,
    data_y: "np.ndarray | tf.Tensor | None" = None,
    max_quality_loss: float | None = None,
) -> dict[str, Any]:
    """Writes a model for an app: the file, its sidecar, and sources for Android, iOS and the web.

    The folder gets `NAME.tflite` and `NAME.json`, `NameSampler.kt`, `NameSampler.swift` and
    `NameSampler.js` with the model's own ports, shapes and values, down to a Bitmap, a CGImage
    and a canvas where x is a picture, and a `README.md` with the lines of Gradle, Swift's package
    manager and npm. Other files of the folder stay as they are, and so does a file of one of
    these names that was not written by an earlier call, or that was changed since.

    Args:
        vae_or_tflite: a `tfvae.VAE`, or the path of a `.tflite` with its sidecar beside it.
        directory: the folder, which is made if it is missing.
        name: the name of the file without its ending, from which that of the class is made. By
            default `model`, or the name of the given file.
        quantization: as in `to_tflite`, for a model.
        batch_size: how many x one call gives, for a model.
        include_encoder: as in `to_tflite`, for a model.
        data: as in `to_tflite`, for a model.
        data_y: as in `to_tflite`, for a model.
        max_quality_loss: as in `to_tflite`, for a model, in nats per example.

    Returns:
        The content of the sidecar, a dictionary.

    Raises:
        InputTypeError: neither a model nor a path, or the two swapped.
        InputError: a file in the way, a name that no class can have, options for a file, or a
            file without `sample` or `decode`; for a model, also as `to_tflite`.
    """
    call_arguments.check_model(vae_or_tflite, directory, "to_app", or_file=True)
    directory = call_arguments.as_path("directory", directory)
    is_path = isinstance(vae_or_tflite, (str, os.PathLike))
    stem = _checked_stem(name, Path(vae_or_tflite).stem if is_path else "model")
    options = {
        "quantization": quantization,
        "include_encoder": include_encoder,
        "data": data,
        "data_y": data_y,
        "max_quality_loss": max_quality_loss,
    }
    if is_path:
        _refuse_options({"batch_size": batch_size, **options})

    with _files.whole_files(_targets(directory, stem)) as written:
        if is_path:
            metadata, model = sidecar.read(Path(vae_or_tflite))
        else:
            metadata, model = _exported(vae_or_tflite, stem, batch_size, options)
        contents = _contents(directory, stem, metadata, model)
        for file in written:
            file.write_bytes(contents[file.name])

    return metadata


def _exported(vae, stem, batch_size, options):
    """Exports a model to a temporary file, and returns its sidecar and bytes."""
    from tfvae.export.tflite import to_tflite

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{stem}.tflite"
        metadata = to_tflite(vae, file, batch_size=batch_size, **options)
        return metadata, file.read_bytes()


def _contents(directory, stem, metadata, model):
    """Returns the bytes of all files by name, the list of their hashes among them."""
    missing = sorted({"sample", "decode"} - set(metadata["signatures"]))
    if missing:
        raise invalid(
            "a file with the signatures sample and decode",
            f"none named {' or '.join(missing)}",
            "export it with tfvae.export.to_tflite",
        )
    ports = InterpreterRuntime(model).ports()
    schema.check_file(metadata, ports)
    texts = app_sources.sources(metadata, ports, stem, LITERT_VERSION)
    files = {f"{stem}.json": sidecar.dumps(metadata), **texts}
    contents = {f"{stem}.tflite": model, **{name: text.encode() for name, text in files.items()}}

    hashes = {**_hashes(directory), **{n: sidecar.sha256(c) for n, c in contents.items()}}
    manifest = (json.dumps(hashes, indent=2, sort_keys=True) + "\n").encode()
    return {**contents, _MANIFEST: manifest}


def _targets(directory, stem):
    """Returns the files of a folder, the list of their hashes last.

    A file of these names that an earlier call did not write, or that was changed, is refused.
    """
    name = app_sources.class_name(stem)
    sources = [name + language.ending for language in app_languages.ALL]
    files = [f"{stem}.tflite", f"{stem}.json", "README.md", *sources]
    ours = _hashes(directory)

    def foreign(path):
        return None if sha256(path) == ours.get(path.name) else "a file that to_app did not write"

    what = "an unchanged file of an earlier call"
    targets = [_files.Target(directory / file, what, foreign) for file in files]
    return [*targets, _files.Target(directory / _MANIFEST, what, lambda path: None)]


def _checked_stem(name, default):
    """Returns the name of the files, from which that of a class is made."""
    stem = default if name is None else call_arguments.as_text("name", name)
    if not _STEM.fullmatch(stem):
        raise invalid(
            "a name of letters, digits, - and _ that starts with a letter",
            repr(stem),
            "pass name='digits'",
        )
    return stem


def _refuse_options(options):
    """Refuses the options of an export beside a file that was exported already."""
    plain = {"batch_size": 1, "include_encoder": False}
    given = [key for key, value in options.items() if value is not plain.get(key)]
    if given:
        raise invalid(
            "a tfvae.VAE to export with these options",
            f"{', '.join(given)} beside a file",
            "pass the model, or leave them out",
        )


def _hashes(directory):
    """Returns the hashes of what earlier calls wrote, by name."""
    path = directory / _MANIFEST
    if not path.exists():
        return {}
    found = read_json(path)
    if found is None:
        fix = "choose another folder, or move that file away"
        raise invalid(f"{path} as to_app wrote it", "another content", fix)
    return found
