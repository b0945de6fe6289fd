"""Writes the model of a run in the formats of other runtimes."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfvae.models.vae import VAE


def check_ready(onnx: str | None, coreml: str | None) -> None:
    """Refuses formats that cannot be written here, before a model is loaded.

    Args:
        onnx: folder of ONNX files, or None.
        coreml: folder of Core ML packages, or None.

    Raises:
        InputError: Core ML packages on another system than macOS.
        ModuleNotFoundError: a library that is not installed.
    """
    from tfvae.export import coreml_folder, onnx_folder

    if coreml is not None:
        coreml_folder.check_ready()
    if onnx is not None:
        onnx_folder.check_ready()


def export_onnx(
    vae: "VAE", folder: str | os.PathLike[str], include_encoder: bool
) -> dict[str, float]:
    """Writes an ONNX file of each signature of a model.

    Args:
        vae: the model.
        folder: the folder.
        include_encoder: True to include the signatures that take x.

    Returns:
        The largest difference of each file from the model.

    Raises:
        InputError: as `tfvae.export.to_onnx`.
    """
    from tfvae.export import to_onnx

    found = to_onnx(vae, folder, include_encoder=include_encoder)["signatures"]
    return {each["file"]: each["difference"] for each in found.values()}


def export_coreml(
    vae: "VAE", folder: str | os.PathLike[str], include_encoder: bool
) -> dict[str, float]:
    """Writes Core ML packages of a model.

    Args:
        vae: the model.
        folder: the folder.
        include_encoder: True to include the signatures that take x.

    Returns:
        The largest difference of each package from the model.

    Raises:
        InputError: as `tfvae.export.to_coreml`.
    """
    from tfvae.export import to_coreml

    found = to_coreml(vae, folder, include_encoder=include_encoder)
    return {f"{name}.mlpackage": each["difference"] for name, each in found.items()}


WRITERS = {"onnx": export_onnx, "coreml": export_coreml}
