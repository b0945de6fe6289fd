"""Noise for draws that are compared with distributions."""

import tensorflow as tf

from tfvae import random

N = 20_000


def stream(n=N, seed=5):
    """The stream of samples 0 ... n - 1 under a seed."""
    return random.Stream(random.seed_key(tf.constant(seed)), tf.range(n))
