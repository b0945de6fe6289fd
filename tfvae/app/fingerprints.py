"""Which examples a run trained on and measured, told by hashes of them.

Whoever has the data can compute them again: an example is the bytes of its numbers in
little-endian float32, row by row; a set of examples is their digests in sorted order, so that
neither order nor batches matter.
"""

import hashlib

import numpy as np


def compare(trained_on, evaluated_on):
    """Fingerprints of the examples of a run, `[N, *event]` each, ready for JSON.

    Returns:
        `{"trained_on": ..., "evaluated_on": ..., "shared": n}`. Of each the number of `examples` and
        their `sha256`; n is how many of those evaluated on were trained on as well.
    """
    trained, evaluated = digests(trained_on), digests(evaluated_on)
    known = set(trained)
    return {
        "trained_on": fingerprint(trained),
        "evaluated_on": fingerprint(evaluated),
        "shared": sum(digest in known for digest in evaluated),
    }


def digests(x):
    """The SHA-256 of each example, 32 bytes each."""
    return [hashlib.sha256(np.asarray(example, "<f4").tobytes()).digest() for example in x]


def fingerprint(found):
    """What stands for all of the digests `found`."""
    return {"examples": len(found), "sha256": hashlib.sha256(b"".join(sorted(found))).hexdigest()}
