"""Draws from every file of a folder: `draw_files.py FOLDER TARGET`.

The machine needs LiteRT and NumPy.
"""

import sys
from pathlib import Path

import numpy as np

from tfvae.export import Sampler


def draw_all(folder):
    """`{"NAME/x": array, "NAME/z": array, "NAME/decoded": array}` of each file.

    x and z are the first 40 samples of seed 7; decoded is of latents given from outside,
    which are the same to the bit on every machine.
    """
    found = {}
    for path in sorted(Path(folder).glob("*.tflite")):
        sampler = Sampler(path)
        x, z = sampler.sample(40, seed=7, return_latent=True)
        size = sampler.latent_size
        given = np.linspace(-3, 3, 40 * size, dtype=np.float32).reshape(size, 40).T
        found[f"{path.stem}/x"], found[f"{path.stem}/z"] = x, z
        found[f"{path.stem}/decoded"] = sampler.decode(given)
        if "encode" in sampler.metadata["signatures"]:
            found[f"{path.stem}/loc"] = sampler.encode(x)["loc"]
    return found


if __name__ == "__main__":
    assert not {"tensorflow", "keras"} & set(sys.modules)
    np.savez(sys.argv[2], **draw_all(sys.argv[1]))
