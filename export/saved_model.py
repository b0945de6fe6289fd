"""Writes a SavedModel for servers, with every signature and for any batch size."""

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import tensorflow as tf

import tfvae.export.availability as availability
import tfvae.export.call_arguments as call_arguments
import tfvae.export.finite as finite
import tfvae.export.signatures as signatures
from tfvae import _files
from tfvae._keras import internals
from tfvae._keras.backend import keras
from tfvae.export.precision import in_float32

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

_WRITING = threading.Lock()


def to_saved_model(vae: "VAE", path: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Writes a SavedModel with the signatures of the TFLite file, see `to_tflite`.

    All signatures take any batch size. `sample(seed [1], index [B]) -> x, z` and `draw` take the
    numbers of the samples wanted. A conditional model's `y [B, ...]` is not checked there: a label
    beyond the classes has no refusal, see `export/README.md`. A signature whose method a piece
    does not have is left out, and a logged line says so. The folder is written whole or not at
    all: a failed export leaves an earlier one as it was. Its `tfvae.json` lists the files.

    Args:
        vae: a `tfvae.VAE`.
        path: the folder to write. An empty one, and one that this function wrote and that holds
            nothing else, is replaced.

    Returns:
        `path`.

    Raises:
        InputTypeError: no model or no path, or the two swapped.
        WriteError: a path that cannot be written, or holds anything else.
        InputError: weights that are not finite.
    """
    call_arguments.check_model(vae, path, "to_saved_model")
    call_arguments.as_path("path", path)
    finite.check_weights(vae)
    target = _files.Target(path, "a SavedModel of tfvae alone", _files.foreign_to_mark)
    with in_float32(vae), _files.whole_folder(target) as folder:
        parts = signatures.parts(vae)
        made = signatures.signatures(vae, parts)
        built, parts, left_out = availability.available(parts, made)
        availability.tell(left_out)
        write_archive(
            vae,
            folder,
            {name: (signatures.as_function(s, parts), s.specs) for name, s in built.items()},
        )
        _files.mark(folder)
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
    _track(archive, vae)
    graphs = {
        name: tf.function(function, input_signature=specs, autograph=False).get_concrete_function()
        for name, (function, specs) in functions.items()
    }
    for name, (_, specs) in functions.items():
        archive.add_endpoint(name, _call_of(graphs[name], specs))
    with _one_at_a_time():
        # Keras' list of the endpoints is left out by `verbose`. To redirect the output of the
        # process instead would take the words of other threads.
        archive.write_out(str(folder), verbose=False)


def _track(archive, vae):
    """Has an archive hold a model's variables and its lookup tables.

    Keras would ask the model for each of its attributes, which runs all of its properties.
    """
    for name in ("variables", "trainable_variables", "non_trainable_variables"):
        archive.add_variable_collection(name, getattr(vae, name))
    for table in internals.lookup_tables(vae):
        archive.track(table)


def _call_of(graph, specs):
    """Returns a function of nothing but a call, since TensorFlow traces anew what it saves."""
    return tf.function(lambda *tensors: graph(*tensors), input_signature=specs, autograph=False)


@contextlib.contextmanager
def _one_at_a_time():
    """Lets one thread write, and puts back the level of absl's logger.

    TensorFlow silences absl and all warnings of the process while it reads a model's attributes,
    and then puts back what it found. Two threads at once would find each other's silence.
    """
    logger = logging.getLogger("absl")
    with _WRITING:
        level = logger.level
        try:
            yield
        finally:
            logger.setLevel(level)
