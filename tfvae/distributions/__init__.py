"""Distributions of TensorFlow Probability's kind that it does not have."""
