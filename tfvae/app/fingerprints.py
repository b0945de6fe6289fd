"""Records by hashes which examples a run trained on and evaluated on.

Anyone who has the data can compute the hashes again. The digest of an example is the SHA-256 of
its numbers in little-endian float32, row by row. The fingerprint of a set is the SHA-256 of its
digests in sorted order, so that the order of the examples and the batches do not matter.
"""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from tfvae._files import mapped


def compare(trained_on: npt.ArrayLike, evaluated_on: npt.ArrayLike) -> dict[str, Any]:
    """Returns the fingerprints of the examples of a run, ready for JSON.

    Args:
        trained_on: examples `[N, *event]` of the training.
        evaluated_on: examples `[M, *event]` of the evaluation.

    Returns:
        `{"trained_on": ..., "evaluated_on": ..., "shared": n}`. The first two are fingerprints.
        n is how many of the M examples are among those trained on.
    """
    trained, evaluated = digests(trained_on), digests(evaluated_on)
    known = set(trained)
    return {
        "trained_on": fingerprint(trained),
        "evaluated_on": fingerprint(evaluated),
        "shared": sum(digest in known for digest in evaluated),
    }


def digests(x: npt.ArrayLike) -> list[bytes]:
    """Returns the SHA-256 of each example of x `[N, *event]`, 32 bytes each."""
    examples = np.asarray(x)
    found = []
    for rows in mapped.pages(examples):
        found += [_digest(example) for example in examples[rows]]
    return found


def _digest(example):
    return hashlib.sha256(np.asarray(example, "<f4").tobytes()).digest()


def fingerprint(found: list[bytes]) -> dict[str, Any]:
    """Returns the number of digests as `examples`, and the `sha256` of all of them."""
    return {"examples": len(found), "sha256": hashlib.sha256(b"".join(sorted(found))).hexdigest()}
