"""Fingerprints of examples, against hashes of bytes written by hand."""

import hashlib
import struct

import numpy as np
import pytest

from tfvae import datasets
from tfvae.app import fingerprints

X = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
COLUMN_BY_COLUMN = np.ascontiguousarray(X.swapaxes(1, 2)).swapaxes(1, 2)  # in memory


def by_hand(x):
    """How many examples there are, and the hash of their sorted hashes."""
    rows = np.reshape(x, (len(x), -1)).tolist()
    found = sorted(hashlib.sha256(struct.pack(f"<{len(row)}f", *row)).digest() for row in rows)
    return {"examples": len(x), "sha256": hashlib.sha256(b"".join(found)).hexdigest()}


def test_a_fingerprint_is_the_hash_of_the_sorted_hashes_of_the_examples():
    trained_on = X[[0, 1, 1, 2]]  # one of them twice
    found = fingerprints.compare(trained_on, X[3:])
    assert found["trained_on"] == by_hand(trained_on)
    assert found["evaluated_on"] == by_hand(X[3:])
    assert found["shared"] == 0


@pytest.mark.parametrize(
    "same",
    [X[::-1], X.astype(np.float64), X.astype(">f4"), COLUMN_BY_COLUMN],
)
def test_order_and_layout_do_not_matter(same):
    assert fingerprints.compare(same, X)["trained_on"] == by_hand(X)


@pytest.mark.parametrize(
    "other",
    [X[:4], X[[0, 0, 1, 2, 3]], np.nextafter(X, 9), np.swapaxes(X[:, :, :2], 1, 2)],
)
def test_other_examples_have_another_fingerprint(other):
    assert fingerprints.compare(other, X)["trained_on"] != by_hand(X)


def test_examples_that_are_trained_on_and_evaluated_on_are_counted():
    evaluated = X[[3, 4, 4, 1]]
    assert fingerprints.compare(X[:4], evaluated)["shared"] == 2
    assert fingerprints.compare(X, evaluated)["shared"] == 4
    assert fingerprints.compare(X[:1], evaluated)["shared"] == 0


def test_no_digit_is_trained_on_and_held_out():
    digits = datasets.load("digits")
    found = fingerprints.compare(digits.x_train, digits.x_test)
    assert found["shared"] == 0
    assert found["trained_on"]["examples"] + found["evaluated_on"]["examples"] == 1797
