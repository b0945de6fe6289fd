"""Marks the cases of a test that are left to the night."""

import pytest


def nightly(*values, **options):
    """A case of `pytest.mark.parametrize` that `pytest -m nightly` runs."""
    return pytest.param(*values, marks=pytest.mark.nightly, **options)
