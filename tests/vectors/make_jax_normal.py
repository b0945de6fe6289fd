"""Wrote `jax_normal.npz`: `python make_jax_normal.py` with JAX 0.10.2 on x86-64 (CPU)."""

from pathlib import Path

import jax
import numpy as np

SEEDS = (0, 1, 7, 1234567890, 2**31 - 1, -5)
SHAPE = (64, 16)

if __name__ == "__main__":
    assert jax.__version__ == "0.10.2", jax.__version__
    keys = {seed: jax.random.key(seed) for seed in SEEDS}
    later = {seed: jax.random.fold_in(key, 1) for seed, key in keys.items()}
    drawn = {f"normal_{seed}": jax.random.normal(key, SHAPE) for seed, key in keys.items()}
    drawn |= {f"uniform_{seed}": jax.random.uniform(key, SHAPE) for seed, key in keys.items()}
    drawn |= {f"folded_{seed}": jax.random.normal(key, SHAPE) for seed, key in later.items()}
    arrays = {name: np.asarray(values) for name, values in drawn.items()}
    np.savez_compressed(Path(__file__).with_name("jax_normal.npz"), **arrays)
