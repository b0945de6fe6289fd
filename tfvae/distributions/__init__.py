"""Distributions that TensorFlow Probability lacks, built from its parts."""
