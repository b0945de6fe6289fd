"""A SavedModel for servers: every signature, any batch."""

import contextlib

import tensorflow as tf

from tfvae._files import whole_folder
from tfvae._keras.backend import keras
from tfvae.export import signatures
from tfvae.export.precision import in_float32


def to_saved_model(vae, path):
    """Writes the signatures of the TFLite file, see `to_tflite`, for any batch size.

    `sample(seed [1], index [B]) -> x, z` and `draw` take the numbers of the samples wanted. The
    folder is written whole: a failed export leaves an earlier one as it was.

    Args:
        vae: a `tfvae.VAE`.
        path: the folder to write, or to replace.

    Returns:
        path.

    Raises:
        InputError: a path that cannot be written.
    """
    vae = in_float32(vae)
    with whole_folder(path) as folder:
        parts = signatures.parts(vae)
        built = signatures.signatures(vae, parts)
        write_archive(
            vae,
            folder,
            {name: (signatures.as_function(s, parts), s.specs) for name, s in built.items()},
        )
    return path


def write_archive(vae, folder, functions):
    """Writes `functions`, `{name: (function, specs)}`, with the weights of `vae` shared."""
    archive = keras.export.ExportArchive()
    archive.track(vae)
    for name, (function, specs) in functions.items():
        archive.add_endpoint(name, tf.function(function, input_signature=specs))
    with contextlib.redirect_stdout(None):  # Keras lists the endpoints
        archive.write_out(str(folder), verbose=False)
