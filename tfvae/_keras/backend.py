"""Imports Keras with the TensorFlow backend, the only one this package works with."""

import os
from typing import TYPE_CHECKING

from tfvae.errors import InputError, invalid

if TYPE_CHECKING:
    from typing import TypeVar

    _Class = TypeVar("_Class")


def _wrong_backend(name):
    return invalid(
        "the TensorFlow backend of Keras",
        f"backend {name!r}",
        "set the environment variable KERAS_BACKEND=tensorflow before Keras is imported",
        InputError,
    )


# Checked before the import, since Keras may fail to import a backend that is not installed.
if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
    raise _wrong_backend(os.environ["KERAS_BACKEND"])

import keras  # noqa: E402

if keras.config.backend() != "tensorflow":
    raise _wrong_backend(keras.config.backend())


# Names that several kinds of pieces have. In files they stand with the name of their package.
_NAMESAKES = {"Categorical", "Flow", "RelaxedCategorical"}


def register(cls: "type[_Class]") -> "type[_Class]":
    """Makes a class known to `.keras` files, as `tfvae>VAE`, or `tfvae.priors>Flow`."""
    package = ".".join(cls.__module__.split(".")[:2]) if cls.__name__ in _NAMESAKES else "tfvae"
    return keras.saving.register_keras_serializable(package)(cls)
