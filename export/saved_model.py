"""Writes a SavedModel for servers, with every signature and for any batch size."""

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import tensorflow as tf

from tfvae._files import whole_folder
from tfvae._keras.backend import keras
from tfvae.export import availability, finite, signatures
from tfvae.export.precision import in_float32

if TYPE_CHECKING:
    from tfvae.models.vae import VAE


def to_saved_model(vae: "VAE", path: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Writes a SavedModel with the signatures of the TFLite file, see `to_tflite`.

    All signatures take any batch size. `sample(seed [1], index [B]) -> x, z` and `draw` take the
    numbers of the samples wanted. A conditional model's `y [B, ...]` is not checked there: a label
    beyond the classes has no refusal, see `export/README.md`. A signature whose method a piece
    does not have is left out, and a logged line says so. The folder is written whole or not at
    all: a failed export leaves an earlier one as it was.

    Args:
        vae: a `tfvae.VAE`.
        path: the folder to write, or to replace.

    Returns:
        `path`.

    Raises:
        InputError: a path that cannot be written, or weights that are not finite.
    """
    finite.check_weights(vae)
    with in_float32(vae), whole_folder(path) as folder:
        parts = signatures.parts(vae)
        built, left_out = availability.available(signatures.signatures(vae, parts), parts)
        availability.tell(left_out)
        write_archive(
            vae,
            folder,
            {name: (signatures.as_function(s, parts), s.specs) for name, s in built.items()},
        )
    return path


def write_archive(
    vae: "VAE",
    folder: str | os.PathLike[str],
    functions: dict[str, tuple[Callable[..., dict[str, tf.Tensor]], list[tf.TensorSpec]]],
) -> None:
    """Writes functions of a model as a SavedModel. They share the model's weights.

    Args:
        vae: the model.
        folder: the folder to write.
        functions: the functions by name, each with the specs of its inputs.
    """
    archive = keras.export.ExportArchive()
    archive.track(vae)
    for name, (function, specs) in functions.items():
        archive.add_endpoint(name, tf.function(function, input_signature=specs))
    with contextlib.redirect_stdout(None):  # Keras prints a list of the endpoints
        archive.write_out(str(folder), verbose=False)
