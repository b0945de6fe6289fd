"""A SavedModel for servers: every signature, any batch."""

import contextlib

import tensorflow as tf

from tfvae._backend import keras
from tfvae.export import signatures
from tfvae.files import whole_folder


def to_saved_model(vae, path):
    """Writes `encode`, `decode`, `sample` and `reconstruct`, for any batch size.

    `encode(x) -> loc, scale`, `decode(z) -> x`, `reconstruct(x) -> x`, and
    `sample(seed [1], index [B]) -> x, z`, where `index` lists the numbers of the samples
    wanted. The folder is written whole: a failed export leaves an earlier one as it was.

    Args:
        vae: a `tfvae.VAE`.
        path: the folder to write, or to replace.

    Returns:
        path.

    Raises:
        InputError: a path that cannot be written.
    """
    with whole_folder(path) as folder:
        write_archive(vae, folder, signatures.build(vae))
    return path


def write_archive(vae, folder, functions):
    """Writes `functions`, `{name: (function, specs)}`, with the weights of `vae` shared."""
    archive = keras.export.ExportArchive()
    archive.track(vae)
    for name, (function, specs) in functions.items():
        archive.add_endpoint(name, tf.function(function, input_signature=specs))
    with contextlib.redirect_stdout(None):  # Keras lists the endpoints
        archive.write_out(str(folder), verbose=False)
