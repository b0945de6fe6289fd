"""Writes a page that samples a model on the visitor's own device, for any web server."""

import html
import json
import os
import re
import shutil
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tfvae.export.call_arguments as call_arguments
import tfvae.export.page_security as page_security
import tfvae.export.runtime as runtime
import tfvae.export.schema as schema
import tfvae.export.sidecar as sidecar
from tfvae import _files
from tfvae.errors import invalid, of_file

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

LITERT_VERSION = "2.5.3"  # the version of @litertjs/core that the page was tested with
_ADDRESS = "https://cdn.jsdelivr.net/npm/@litertjs/{package}@" + LITERT_VERSION + "/{file}"
_PACKAGES = ("core", "wasm-utils")
_RUNTIME = "litert"  # the folder of LiteRT.js within the page's own
# The builds that run on one thread: one with relaxed SIMD, one for browsers without it.
_CORE_FILES = (
    "dist/index.js",
    "package.json",
    *(
        f"wasm/litert_wasm_{kind}internal.{end}"
        for kind in ("", "compat_")
        for end in ("js", "wasm")
    ),
)
_FILES = {"core": _CORE_FILES, "wasm-utils": ("dist/index.js", "package.json")}
_MODEL = "model.tflite"
_INSTALL = f"npm install @litertjs/core@{LITERT_VERSION}, and give the path of its node_modules"


def to_web(
    vae_or_tflite: "VAE | str | os.PathLike[str]",
    folder: str | os.PathLike[str],
    *,
    litert: str | os.PathLike[str] | None = None,
    title: str = "Samples",
    quantization: str | None = None,
    max_quality_loss: float | None = None,
) -> dict[str, Any]:
    """Writes a static folder with a page that draws samples in the browser, with LiteRT.js.

    The folder holds `index.html` with its style and scripts, `model.tflite` and `model.json`. Any
    web server can serve it. It is written whole, or stays as it was.

    Args:
        vae_or_tflite: a `tfvae.VAE`, which is exported with batches of 1 and 16, or the path of
            a `.tflite` with its sidecar beside it.
        folder: a new folder, an empty one, or one with an earlier page, which is replaced.
        litert: a `node_modules` folder with `@litertjs/core`. LiteRT.js is copied from it, so
            that the page works offline. By default the page loads it from jsDelivr, by hash.
        title: heading of the page.
        quantization: as in `to_tflite`, for a model.
        max_quality_loss: as in `to_tflite`, for a model, in nats per example.

    Returns:
        The content of the sidecar, a dictionary.

    Raises:
        InputError: no file, install or folder of this kind at a path, a file that its sidecar
            does not describe, a file without `sample` or `decode`, conditions other than one
            label per sample, or a quantization of a file. For a model, also as `to_tflite`.
        WriteError: a folder that cannot be written, or holds more than a page.
        InputTypeError: neither a model nor a path, the two swapped, or a title that is no text.
    """
    call_arguments.check_model(vae_or_tflite, folder, "to_web", or_file=True)
    folder = call_arguments.as_path("folder", folder)
    title = call_arguments.as_text("title", title)
    litert = None if litert is None else call_arguments.as_path("litert", litert)
    is_path = isinstance(vae_or_tflite, (str, os.PathLike))
    if is_path and (quantization, max_quality_loss) != (None, None):
        received = (
            f"quantization={quantization!r}, max_quality_loss={max_quality_loss!r} and a file"
        )
        raise invalid("a tfvae.VAE to quantize", received, "pass the model, or leave both out")

    packages = None if litert is None else find_packages(litert)
    target = _files.Target(folder, "an empty folder, an earlier page alone", _foreign)
    with _files.whole_folder(target) as written:
        if is_path:
            metadata = _copy_model(Path(vae_or_tflite), written)
        else:
            metadata = _export_model(vae_or_tflite, written, quantization, max_quality_loss)
        imports = _copy_runtime(packages, written) if packages else _addresses()
        outside = {} if packages else page_security.integrity(_ADDRESS)
        _write_page(written, title, imports, outside)

    return metadata


def is_page(folder: str | os.PathLike[str]) -> bool:
    """True if `folder` holds a page that `to_web` wrote."""
    return all((Path(folder) / name).is_file() for name in (*assets(), _MODEL, "model.json"))


def assets() -> dict[str, str]:
    """Returns the texts of the page's files, by name."""
    files = resources.files("tfvae.export") / "page"
    return {
        file.name: file.read_text(encoding="utf-8")
        for file in files.iterdir()
        if not file.name.startswith((".", "_"))
    }


def _foreign(folder):
    """Tells what a folder holds beside an earlier page, since all of it would be replaced."""
    top = {path.name for path in folder.iterdir()}
    page = {*assets(), _MODEL, "model.json"}
    if not {"index.html", _MODEL, "model.json"} <= top:
        return _files.named(top)

    runtime = {f"{_RUNTIME}/{package}/{file}" for package in _PACKAGES for file in _FILES[package]}
    others = top - page - {_RUNTIME} or set(_files.hashes(folder)) - page - runtime
    return _files.named(others) or sidecar.foreign_model(folder / _MODEL)


def read_model(path: Path) -> tuple[dict[str, Any], bytes]:
    """Reads a file that the page can draw from.

    Args:
        path: a `.tflite` with its sidecar beside it.

    Returns:
        The content of the sidecar, and the bytes of the file.

    Raises:
        InputError: a file that its sidecar does not describe, without `sample` or `decode`, or of
            conditions other than one label per sample.
    """
    metadata, model = sidecar.read(path)
    _check_model(metadata, path)
    _, ports = runtime.opened(model, str(path))
    with of_file(f"{path} and its sidecar"):
        schema.check_file(metadata, ports)
    return metadata, model


def _copy_model(path, folder):
    """Copies a file and its sidecar into the page, and returns the content of the sidecar."""
    metadata, model = read_model(path)
    (folder / _MODEL).write_bytes(model)
    shutil.copyfile(sidecar.sidecar_path(path), sidecar.sidecar_path(folder / _MODEL))
    return metadata


def _export_model(vae, folder, quantization, max_quality_loss):
    """Exports a model into the page, and returns the content of its sidecar."""
    from tfvae.export.tflite import to_tflite

    _check_condition(
        None if vae.condition_shape is None else list(vae.condition_shape), str(vae.condition_dtype)
    )
    return to_tflite(
        vae, folder / _MODEL, quantization, batch_size=(1, 16), max_quality_loss=max_quality_loss
    )


def _check_model(metadata, path):
    """Refuses a file that the page cannot draw from."""
    missing = sorted({"sample", "decode"} - set(metadata["signatures"]))
    if missing:
        wanted = f"{path} with the signatures sample and decode"
        raise invalid(
            wanted, f"none named {' or '.join(missing)}", "export it with tfvae.export.to_tflite"
        )
    _check_condition(metadata["condition_shape"], str(metadata["condition_dtype"]))


def _check_condition(shape, dtype):
    """Refuses conditions that the page has no input for."""
    if shape is not None and (shape or not dtype.startswith(("int", "uint"))):
        raise invalid(
            "a model without conditions, or with one whole-number label per sample",
            f"conditions of shape {shape} and type {dtype}",
            "draw from this model with tfvae.export.Sampler",
        )


def find_packages(path: Path) -> Path:
    """Returns the folder `@litertjs` of an npm install.

    Args:
        path: a `node_modules` folder, or the one around it.

    Raises:
        InputError: an install that lacks files, or has another major version than
            `LITERT_VERSION`.
    """
    candidates = [path / "@litertjs", path / "node_modules" / "@litertjs"]
    found = next((c for c in candidates if (c / "core" / "package.json").is_file()), None)
    wanted = f"{path} to be a node_modules folder with @litertjs/core and @litertjs/wasm-utils"
    if found is None:
        raise invalid(
            wanted, "no @litertjs/core in it" if path.is_dir() else "no such folder", _INSTALL
        )

    missing = [
        f"{package}/{file}"
        for package in _PACKAGES
        for file in _FILES[package]
        if not (found / package / file).is_file()
    ]
    if missing:
        raise invalid(wanted, f"an install without {missing[0]}", _INSTALL)

    version = json.loads((found / "core" / "package.json").read_text(encoding="utf-8")).get(
        "version", ""
    )
    if version.split(".")[0] != LITERT_VERSION.split(".")[0]:
        raise invalid(
            f"@litertjs/core {LITERT_VERSION}, or another {LITERT_VERSION.split('.')[0]}.x",
            f"version {version}",
            _INSTALL,
        )

    return found


def _copy_runtime(packages, folder):
    """Copies LiteRT.js into the page, and returns where the page imports it from."""
    for package in _PACKAGES:
        for file in _FILES[package]:
            target = folder / _RUNTIME / package / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(packages / package / file, target)
    return {
        f"@litertjs/{package}": f"./{_RUNTIME}/{package}/dist/index.js" for package in _PACKAGES
    }


def _addresses():
    """Returns the public addresses that the page imports LiteRT.js from."""
    return {
        f"@litertjs/{package}": _ADDRESS.format(package=package, file="dist/index.js")
        for package in _PACKAGES
    }


def _write_page(folder, title, imports, outside):
    """Writes the files of the page, with its title, import map and policy filled in."""
    found = {"imports": imports, **({"integrity": outside} if outside else {})}
    import_map = json.dumps(found)
    filled = {
        "{{title}}": html.escape(title),
        "{{imports}}": import_map,
        "{{policy}}": page_security.policy(import_map, outside),
    }
    for name, text in assets().items():
        if name == "index.html":
            text = re.sub("{{[a-z]+}}", lambda mark: filled[mark.group()], text)
        (folder / name).write_text(text, encoding="utf-8")
