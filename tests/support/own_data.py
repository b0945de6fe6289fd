"""Data such as users bring, made from a seed: photographs, textures, a table, signals."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image


def photographs(folder, count=300):
    """Colour PNGs of odd sizes: a sky, a ground, and a disc, in related colours."""
    rng = np.random.default_rng(0)
    Path(folder).mkdir(parents=True)
    for number in range(count):
        height, width = rng.integers(40, 120, 2)
        y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
        horizon, cx, cy, radius = rng.uniform([0.3, 0.2, 0.1, 0.08], [0.8, 0.8, 0.5, 0.25])
        sky, ground, disc = rng.uniform(0, 1, (3, 3))
        picture = np.where((y < horizon)[..., None], sky * (0.6 + 0.4 * y[..., None]), ground)
        inside = (x - cx) ** 2 + (y - cy) ** 2 < radius**2
        picture = np.where(inside[..., None], disc, picture)
        noisy = picture + rng.normal(0, 0.02, picture.shape)
        levels = np.clip(noisy * 255, 0, 255).astype(np.uint8)
        Image.fromarray(levels).save(Path(folder) / f"{number:04d}.png")


def textures(path, count=2000):
    """8-bit grey images of 28 x 20 pixels: two waves and a bright blob."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:28, 0:20]
    made = []
    for _ in range(count):
        across, down, phase, size = rng.uniform([0.1, 0.1, 0, 2], [0.8, 0.8, 6.3, 5])
        wave = np.sin(across * x + down * y + phase)
        cy, cx = rng.uniform([6, 4], [22, 16])
        blob = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / size**2)
        made.append(110 + 40 * wave + 90 * blob + rng.normal(0, 5, (28, 20)))
    np.save(path, np.clip(made, 0, 255).astype(np.uint8)[..., None])


def people(count=5000):
    """A table of mixed columns that depend on each other, with missing cells."""
    rng = np.random.default_rng(2)
    age = rng.normal(40, 12, count).round().clip(18, 90)
    job = rng.choice(["nurse", "cook", "clerk", "pilot"], count, p=[0.4, 0.3, 0.2, 0.1])
    income = np.exp(9 + 0.03 * (age - 40) + (job == "pilot") + rng.normal(0, 0.4, count))
    tall = rng.random(count) < 0.5
    frame = pd.DataFrame(
        {
            "age": age.astype(int),
            "job": job,
            "income": income.round(2),
            "children": rng.poisson(np.exp(0.3 + 0.03 * (age - 40))),
            "smokes": np.where(rng.random(count) < 0.1 + 0.5 * (job == "cook"), "yes", "no"),
            "visits": rng.negative_binomial(1.5, 1 / (1 + np.exp(0.05 * (age - 10)))),
            "height": (162 + 14 * tall + rng.normal(0, 5, count)).round(1),
            "weight": (58 + 16 * tall + rng.normal(0, 7, count)).round(1),
        }
    )
    frame.loc[rng.random(count) < 0.1, "income"] = np.nan
    frame.loc[rng.random(count) < 0.05, "job"] = np.nan
    return frame


def signals(path, count=1000):
    """Waves of two channels, `[N, 128, 2]`, of different units."""
    rng = np.random.default_rng(3)
    time = np.arange(128) / 128
    rate, phase, size = rng.uniform([1, 0, 0.5], [5, 6.3, 2.0], (count, 3)).T[:, :, None]
    angle = 2 * np.pi * rate * time + phase
    waves = np.stack([size * np.sin(angle), 10 + 5 * size * np.cos(angle)], axis=-1)
    np.save(path, (waves + rng.normal(0, 0.1, waves.shape)).astype(np.float32))
