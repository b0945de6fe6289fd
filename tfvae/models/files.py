"""Loads a saved model."""

import os

from tfvae._keras.backend import keras
from tfvae.errors import InputTypeError, invalid
from tfvae.models.vae import VAE


def load_model(path: str | os.PathLike[str]) -> VAE:
    """Loads a model from a `.keras` file: networks, pieces, optimizer and random state.

    Raises:
        InputTypeError: a file of a model that is not a VAE.
    """
    model = keras.saving.load_model(os.path.expanduser(path))
    if not isinstance(model, VAE):
        raise invalid(
            "a saved tfvae.VAE",
            f"{type(model).__name__} in {path}",
            "load it with Keras",
            InputTypeError,
        )
    return model
