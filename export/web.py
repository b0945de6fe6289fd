"""A folder for any web server: one page that samples a model on the visitor's own device."""

import html
import json
import os
import shutil
from importlib import resources
from pathlib import Path

from tfvae._files import whole_folder
from tfvae.errors import InputTypeError, invalid
from tfvae.export import sidecar

LITERT_VERSION = "2.5.3"  # of @litertjs/core, which the page was tested with
_ADDRESS = "https://cdn.jsdelivr.net/npm/@litertjs/{package}@" + LITERT_VERSION + "/dist/index.js"
_PACKAGES = ("core", "wasm-utils")
# One thread: with relaxed SIMD, and for browsers without it. The folder of LiteRT.js in the page's own.
_RUNTIME = "litert"
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
    vae_or_tflite, folder, *, litert=None, title="Samples", quantization=None, max_quality_loss=None
):
    """Writes a page that draws samples in the browser, with LiteRT.js: a static folder.

    The folder holds `index.html` with its style and scripts, `model.tflite` and
    `model.json`. Any web server will do. It is written whole, or stays as it was.

    Args:
        vae_or_tflite: a `tfvae.VAE`, exported with batches of 1 and 16, or the path of a
            `.tflite` with its sidecar beside it.
        folder: new, empty, or with an earlier page, which is replaced.
        litert: a `node_modules` folder with `@litertjs/core`, from which LiteRT.js is copied,
            so that the page works offline. Default: the page loads it from jsDelivr.
        title: heading of the page.
        quantization, max_quality_loss: of `to_tflite`, where a model is given.

    Returns:
        The sidecar's content, a dictionary.

    Raises:
        InputError: a path that is no model, install or folder of this kind; a file that is
            not the one its sidecar describes; a model that the page cannot ask.
        InputTypeError: neither a model nor a path.
    """
    folder = Path(folder)
    is_path = isinstance(vae_or_tflite, (str, os.PathLike))
    if is_path and (quantization, max_quality_loss) != (None, None):
        received = (
            f"quantization={quantization!r}, max_quality_loss={max_quality_loss!r} and a file"
        )
        raise invalid("a tfvae.VAE to quantize", received, "pass the model, or leave both out")
    _check_replaceable(folder)
    packages = None if litert is None else _find_packages(Path(litert))
    with whole_folder(folder) as written:
        if is_path:
            metadata = _copy_model(Path(vae_or_tflite), written)
        else:
            metadata = _export_model(vae_or_tflite, written, quantization, max_quality_loss)
        imports = _copy_runtime(packages, written) if packages else _addresses()
        _write_page(written, title, imports)
    return metadata


def is_page(folder):
    """Whether `folder` holds a page that `to_web` wrote."""
    return all((Path(folder) / name).is_file() for name in (*_assets(), _MODEL, "model.json"))


def _assets():
    files = resources.files("tfvae.export") / "page"
    return {
        file.name: file.read_text(encoding="utf-8")
        for file in files.iterdir()
        if not file.name.startswith((".", "_"))
    }


def _check_replaceable(folder):
    """Refuses a folder that holds anything else: replacing it would delete that."""
    if not folder.is_dir():
        return
    own = {*_assets(), _MODEL, "model.json", _RUNTIME}
    foreign = sorted(path.name for path in folder.iterdir() if path.name not in own)
    if foreign:
        raise invalid(
            f"{folder} to be a new folder, an empty one, or an earlier page",
            f"a folder with {', '.join(foreign[:5])}{' and more' if len(foreign) > 5 else ''}",
            "choose another folder: this one would be replaced whole",
        )


def _copy_model(path, folder):
    metadata, model = sidecar.read(path)
    _check_model(metadata, path)
    (folder / _MODEL).write_bytes(model)
    shutil.copyfile(sidecar.path_of(path), sidecar.path_of(folder / _MODEL))
    return metadata


def _export_model(vae, folder, quantization, max_quality_loss):
    from tfvae.export.tflite import to_tflite
    from tfvae.models.vae import VAE

    if not isinstance(vae, VAE):
        raise invalid(
            "a tfvae.VAE, or the path of a .tflite file",
            type(vae).__name__,
            "pass one of them",
            InputTypeError,
        )
    _check_condition(
        None if vae.condition_shape is None else list(vae.condition_shape), str(vae.condition_dtype)
    )
    return to_tflite(
        vae, folder / _MODEL, quantization, batch_size=(1, 16), max_quality_loss=max_quality_loss
    )


def _check_model(metadata, path):
    missing = sorted({"sample", "decode"} - set(metadata.get("signatures", {})))
    if missing:
        wanted = f"{path} with the signatures sample and decode"
        raise invalid(
            wanted, f"none named {' or '.join(missing)}", "export it with tfvae.export.to_tflite"
        )
    _check_condition(metadata["condition_shape"], str(metadata["condition_dtype"]))


def _check_condition(shape, dtype):
    if shape is not None and (shape or not dtype.startswith(("int", "uint"))):
        raise invalid(
            "a model without conditions, or with one whole-number label per sample",
            f"conditions of shape {shape} and type {dtype}",
            "draw from this model with tfvae.export.Sampler",
        )


def _find_packages(path):
    """The folder `@litertjs` of an npm install, whole and of the version's generation."""
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
    for package in _PACKAGES:
        for file in _FILES[package]:
            target = folder / _RUNTIME / package / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(packages / package / file, target)
    return {
        f"@litertjs/{package}": f"./{_RUNTIME}/{package}/dist/index.js" for package in _PACKAGES
    }


def _addresses():
    return {f"@litertjs/{package}": _ADDRESS.format(package=package) for package in _PACKAGES}


def _write_page(folder, title, imports):
    for name, text in _assets().items():
        if name == "index.html":
            text = text.replace("{{title}}", html.escape(title)).replace(
                "{{imports}}", json.dumps({"imports": imports})
            )
        (folder / name).write_text(text, encoding="utf-8")
