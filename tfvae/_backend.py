"""Imports Keras with the one backend this package works with."""

import os

from tfvae.errors import InputError, invalid


def _wrong_backend(name):
    return invalid(
        "the TensorFlow backend of Keras",
        f"backend {name!r}",
        "set the environment variable KERAS_BACKEND=tensorflow before Keras is imported",
        InputError,
    )


# Asked before the import, since Keras may fail to import a backend that is not installed.
if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
    raise _wrong_backend(os.environ["KERAS_BACKEND"])

import keras  # noqa: E402

if keras.config.backend() != "tensorflow":
    raise _wrong_backend(keras.config.backend())


def register(cls):
    """Makes a class known to `.keras` files, as `tfvae.priors>Flow`: priors and posteriors share names."""
    return keras.saving.register_keras_serializable(".".join(cls.__module__.split(".")[:2]))(cls)
