"""Writes the files that later versions must still read: `python -m tests.golden NAME`.

It is run once for each version of a format. The folder `NAME/` holds for each model its `.keras`
file, its `.tflite` file with the sidecar, and what both drew.
"""

import sys
from pathlib import Path

import keras
import numpy as np

import tfvae
from tests.support import zoo

FOLDER = Path(__file__).parent
SEED = 7


def models():
    """Returns small models of different kinds, by name: (model, data, conditions or None)."""
    hierarchy = {"ladder": True, "top": tfvae.priors.GaussianMixture(3)}
    mixture = tfvae.likelihoods.DiscretizedLogisticMixture(2)
    return {
        "plain": (tfvae.mlp_vae(zoo.SHAPE, 2, (4,), seed=1), zoo.binary(), None),
        "conditional_vamp": (
            tfvae.mlp_vae(zoo.SHAPE, 2, (4,), condition=3, prior=tfvae.priors.VampPrior(4), seed=1),
            zoo.binary(),
            np.arange(12) % 3,
        ),
        "ladder": (
            tfvae.hierarchical_vae(zoo.SHAPE, (3, 2), (4,), seed=1, **hierarchy),
            zoo.binary(),
            None,
        ),
        "colours": (
            tfvae.conv_vae((4, 4, 3), 2, (2,), 4, likelihood=mixture, seed=1),
            zoo.eight_bit(shape=(4, 4, 3)),
            None,
        ),
    }


def draws_of(drawn_by, y):
    """Returns what is drawn, by name.

    Args:
        drawn_by: a model or a `Sampler`.
        y: conditions of five samples, or None.
    """
    return {
        "sample": np.asarray(drawn_by.sample(5, seed=SEED, y=y)),
        "from_3": np.asarray(drawn_by.sample(5, seed=SEED, y=y, start=3)),
        "draw": np.asarray(drawn_by.sample(5, seed=SEED, y=y, draw=True)),
    }


def write(folder):
    """Trains each model a little, and writes its files and what it draws."""
    folder.mkdir(parents=True)
    for name, (vae, x, y) in models().items():
        vae.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
        vae.fit(x, y, batch_size=6, epochs=3, verbose=0)
        vae.save(folder / f"{name}.keras")
        tfvae.export.to_tflite(vae, folder / f"{name}.tflite", batch_size=5)
        conditions = {} if y is None else {"y": y[:5].astype(np.int32)}
        np.savez(folder / f"{name}.npz", **draws_of(vae, conditions.get("y")), **conditions)


if __name__ == "__main__":
    write(FOLDER / sys.argv[1])
