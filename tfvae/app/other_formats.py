"""Writes the model of a run in the formats of other runtimes."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfvae.models.vae import VAE


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
    return {name: each["difference"] for name, each in found.items()}


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
    return {name: each["difference"] for name, each in found.items()}
