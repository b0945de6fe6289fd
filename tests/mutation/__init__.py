"""Mistakes planted on purpose, and a run of the tests that should notice them, see README.md."""
