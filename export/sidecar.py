"""Reads and writes the sidecar: a `.json` that describes the `.tflite` beside it, by its hash."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from tfvae.errors import invalid
from tfvae.export import schema

FORMAT_VERSION = 1
RANDOM_SCHEME = "threefry2x32-20, JAX stream: key (0, seed), counter (0, index * latent_dim + j)"


def path_of(model_path: str | os.PathLike[str]) -> Path:
    """Returns the path of the sidecar, `NAME.json` for `NAME.tflite`."""
    return Path(model_path).with_suffix(".json")


def sha256(data: bytes) -> str:
    """Returns the SHA-256 of bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def dumps(metadata: dict[str, Any]) -> str:
    """Returns the text of a sidecar. JSON has no numbers that are not finite."""
    return json.dumps(metadata, indent=2, sort_keys=True, allow_nan=False) + "\n"


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
    model_path = Path(model_path)
    fix = "export the model again, and keep both files together"

    if not model_path.is_file():
        raise invalid(
            f"a .tflite file at {model_path}",
            "no such file",
            "check the path, or export the model first",
        )
    if not path_of(model_path).is_file():
        raise invalid(
            f"the sidecar {path_of(model_path).name} beside {model_path}", "no such file", fix
        )

    try:
        metadata = json.loads(path_of(model_path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise invalid(f"{path_of(model_path)} to be JSON", str(error), fix) from error
    if not isinstance(metadata, dict) or metadata.get("format_version") != FORMAT_VERSION:
        found = (
            metadata.get("format_version")
            if isinstance(metadata, dict)
            else type(metadata).__name__
        )
        raise invalid(
            f"a sidecar of format version {FORMAT_VERSION}",
            f"format version {found}",
            "use the tfvae that wrote it",
        )

    data = model_path.read_bytes()
    if sha256(data) != metadata.get("sha256"):
        raise invalid(
            f"{model_path} with the sha256 its sidecar names ({metadata.get('sha256')})",
            f"sha256 {sha256(data)}",
            fix,
        )
    schema.check_keys(metadata)
    return metadata, data
