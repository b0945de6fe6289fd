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


_NAMESAKES = ("flows", "likelihoods", "posteriors", "priors")  # packages whose classes share names


def register(cls):
    """Makes a class known to `.keras` files, as `tfvae>VAE` or `tfvae.priors>Flow`."""
    module = cls.__module__.split(".")[1]
    return keras.saving.register_keras_serializable(f"tfvae.{module}" if module in _NAMESAKES else "tfvae")(cls)
