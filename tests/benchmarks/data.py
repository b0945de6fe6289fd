"""The data of every contender: MNIST where $TFVAE_DATA has it, else noise of the same form."""

import os
from pathlib import Path

import numpy as np


def grey(examples):
    """Values from 0 to 1, float32 `[examples, 784]`."""
    folder = os.environ.get("TFVAE_DATA")
    if not folder or not (Path(folder) / "mnist").is_dir():
        noise = np.random.default_rng(0).random((examples, 784), np.float32)
        return np.maximum(0, 3 * noise - 2)  # mostly black, as digits are
    from tfvae import datasets

    images = datasets.load("mnist").x_train.reshape(-1, 784)
    return images[np.arange(examples) % len(images)]


def binary(examples):
    """0 and 1 only, float32 `[examples, 784]`: one fixed draw of each grey value."""
    values = grey(examples)
    return (np.random.default_rng(1).random(values.shape, np.float32) < values).astype(np.float32)


def events(shape, values):
    """The values as what the network of a shape takes: vectors, or images of one channel."""
    return values if shape.network == "mlp" else values.reshape(-1, shape.side, shape.side, 1)
