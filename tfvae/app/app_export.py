"""Writes the folder for an app, for the command."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tfvae.models.vae import VAE


def export_app(
    vae: "VAE",
    folder: str | os.PathLike[str],
    batch_size: int | Sequence[int] = 1,
    include_encoder: bool = False,
    quantization: str | None = None,
    data: np.ndarray | None = None,
    max_quality_loss: float | None = None,
) -> int:
    """Writes the TFLite file of a model with sources for Android, iOS and the web.

    Args:
        vae: the model.
        folder: the folder.
        batch_size: one or several static batch sizes.
        include_encoder: True to include the signatures that take x.
        quantization: of the file, see `tfvae.export.to_tflite`.
        data: held-out examples `[N, *event]`, to calibrate and measure the file with.
        max_quality_loss: the largest increase of the distortion allowed, in nats per example.

    Returns:
        The size of the TFLite file, in bytes.

    Raises:
        InputError: as `tfvae.export.to_app`.
    """
    from tfvae.export import to_app

    metadata = to_app(
        vae,
        folder,
        quantization=quantization,
        batch_size=batch_size,
        include_encoder=include_encoder,
        data=data,
        max_quality_loss=max_quality_loss,
    )
    return metadata["bytes"]
