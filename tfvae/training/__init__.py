"""Runs the steps of a model; README.md in this folder shows the way of a batch."""
