"""Checks that refuse arguments, data and pieces the package cannot work with."""
