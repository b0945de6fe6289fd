"""Wrote `jax_normal.npz`: `python make_jax_normal.py` with JAX 0.10.2 on x86-64 (CPU)."""

from pathlib import Path

import jax
import numpy as np

SEEDS = (0, 1, 7, 1234567890, 2**31 - 1, -5)
SHAPE = (64, 16)

if __name__ == "__main__":
    assert jax.__version__ == "0.10.2", jax.__version__
    normals = {
        f"normal_{seed}": np.asarray(jax.random.normal(jax.random.key(seed), SHAPE))
        for seed in SEEDS
    }
    uniforms = {
        f"uniform_{seed}": np.asarray(jax.random.uniform(jax.random.key(seed), SHAPE))
        for seed in SEEDS
    }
    keys = {seed: jax.random.fold_in(jax.random.key(seed), 1) for seed in SEEDS}
    folded = {
        f"folded_{seed}": np.asarray(jax.random.normal(key, SHAPE)) for seed, key in keys.items()
    }
    np.savez_compressed(Path(__file__).with_name("jax_normal.npz"), **normals, **uniforms, **folded)
