"""Makes grey data binary."""

import hashlib

import numpy as np

BINARIZATION_SEED = 0


def binarize(x: np.ndarray, seed: int = BINARIZATION_SEED) -> np.ndarray:
    """Draws each value once, as 1 with the probability that its grey value states.

    Args:
        x: grey values from 0 to 1, of any shape.
        seed: seed of the draws. The same seed gives the same draws.

    Returns:
        Zeros and ones, float32, of the shape of x.
    """
    return (np.random.default_rng(seed).random(x.shape, dtype=np.float32) < x).astype(np.float32)


def binarize_examples(x: np.ndarray, seed: int = BINARIZATION_SEED) -> np.ndarray:
    """Draws each value once, as `binarize` does, with a generator for each example.

    The draws of an example depend on its values and the seed alone, and not on its place among
    others. Equal examples get equal draws.

    Args:
        x: grey values from 0 to 1, `[N, *event]`.
        seed: seed of the draws, from 0.

    Returns:
        Zeros and ones, float32 `[N, *event]`.
    """
    x = np.asarray(x, np.float32)
    drawn = np.empty_like(x)
    for example, out in zip(x + np.float32(0), drawn):  # -0.0 becomes 0.0
        digest = hashlib.sha256(example.astype("<f4").tobytes()).digest()
        generator = np.random.default_rng([seed, *np.frombuffer(digest, "<u4")])
        out[...] = generator.random(example.shape, dtype=np.float32) < example
    return drawn


def is_grey(x: np.ndarray) -> bool:
    """True if any value lies strictly between 0 and 1."""
    return bool(((x > 0) & (x < 1)).any())
