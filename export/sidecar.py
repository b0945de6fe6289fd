"""Reads and writes the sidecar: a `.json` that describes the `.tflite` beside it, by its hash."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import tfvae.export.schema as schema
from tfvae._files import Target, local
from tfvae._files.beside import leftovers
from tfvae._files.listing import read_json
from tfvae.errors import invalid, of_file

FORMAT_VERSION = 1
_OWN_KEYS = {"format_version", "package_version", "sha256", "signatures", "random"}
RANDOM_SCHEME = "threefry2x32-20, JAX stream: key (0, seed), counter (0, index * latent_dim + j)"


def sidecar_path(model_path: str | os.PathLike[str]) -> Path:
    """Returns the path of the sidecar, `NAME.json` for `NAME.tflite`."""
    return Path(model_path).with_suffix(".json")


def sha256(data: bytes) -> str:
    """Returns the SHA-256 of bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def dumps(metadata: dict[str, Any]) -> str:
    """Returns the text of a sidecar. JSON has no numbers that are not finite."""
    return json.dumps(metadata, indent=2, sort_keys=True, allow_nan=False) + "\n"


def targets(model_path: Path) -> list[Target]:
    """Returns the file and its sidecar, to be written as a pair: see `whole_files`."""
    what = "a .tflite file of tfvae, with its sidecar"
    return [
        Target(model_path, what, foreign_model),
        Target(sidecar_path(model_path), "the sidecar of a .tflite file of tfvae", foreign),
    ]


def foreign(path: Path) -> str | None:
    """Returns what a `.json` is in words, or None for the sidecar of any file."""
    return None if _hash_in(path) else "another .json file"


def foreign_model(path: Path) -> str | None:
    """Returns what a `.tflite` is in words, or None if its sidecar lies beside it.

    The sidecar may also be in what a writer left that was killed before it could place it.
    """
    folders = (path.parent, *leftovers(path))
    known = {_hash_in(sidecar_path(folder / path.name)) for folder in folders}
    is_own = sha256(path.read_bytes()) in known
    return None if is_own else "a .tflite file without its sidecar"


def _hash_in(path):
    """Returns the hash that a sidecar names, or None for another file."""
    metadata = read_json(path) or {}
    return str(metadata["sha256"]) if set(metadata) >= _OWN_KEYS else None


def read(model_path: str | os.PathLike[str]) -> tuple[dict[str, Any], bytes]:
    """Reads a model file and its sidecar, and checks that they belong together.

    Args:
        model_path: the `.tflite`, with its `.json` beside it.

    Returns:
        The content of the sidecar, and the bytes of the model.

    Raises:
        InputError: no model, no sidecar, a sidecar of another format or with wrong keys, or a hash
            that differs.
    """
    model_path = local(model_path)
    fix = "export the model again, and keep both files together"

    if not os.path.isfile(model_path):  # False of any name that no file has
        raise invalid(
            f"a .tflite file at {model_path}",
            "no such file",
            "check the path, or export the model first",
        )
    if not sidecar_path(model_path).is_file():
        raise invalid(
            f"the sidecar {sidecar_path(model_path).name} beside {model_path}", "no such file", fix
        )

    try:
        metadata = json.loads(sidecar_path(model_path).read_text(encoding="utf-8"))
        data = model_path.read_bytes()
    except OSError as error:
        raise invalid(
            f"files {model_path} and {sidecar_path(model_path).name} to read", str(error), fix
        ) from error
    except (ValueError, RecursionError) as error:
        raise invalid(f"{sidecar_path(model_path)} to be JSON", str(error), fix) from error
    if not isinstance(metadata, dict) or metadata.get("format_version") != FORMAT_VERSION:
        found = (
            metadata.get("format_version")
            if isinstance(metadata, dict)
            else type(metadata).__name__
        )
        raise invalid(
            f"{sidecar_path(model_path)} to be a sidecar of format version {FORMAT_VERSION}",
            f"format version {found}",
            "use the tfvae that wrote it",
        )

    if sha256(data) != metadata.get("sha256"):
        raise invalid(
            f"{model_path} with the sha256 its sidecar names ({metadata.get('sha256')})",
            f"sha256 {sha256(data)}",
            fix,
        )
    with of_file(str(sidecar_path(model_path))):
        schema.check_keys(metadata)
    return metadata, data
