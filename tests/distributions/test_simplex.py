"""Groups of classes side by side: each has probabilities, a mode and draws of its own."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from tfvae import random
from tfvae.distributions import simplex
from tfvae.ops import inverse_cdf

GROUPS, CLASSES = 2, 3
LOGITS = np.array([[1.0, -0.5, 0.2, 3.0, 2.0, -1.0]], np.float32)
WEIGHTS = scipy.special.softmax(LOGITS.reshape(GROUPS, CLASSES).astype(np.float64), axis=-1)


def test_the_probabilities_of_each_group_sum_to_one():
    assert simplex.softmax(LOGITS, CLASSES).numpy() == pytest.approx(WEIGHTS.reshape(1, -1))


def test_the_mode_has_one_class_of_each_group():
    assert simplex.argmax(LOGITS, CLASSES).numpy().tolist() == [[1, 0, 0, 1, 0, 0]]


@pytest.mark.parametrize("relaxed", [False, True])
def test_groups_are_drawn_by_their_weights_and_independently(relaxed):
    noise = random.Stream(random.seed_key(tf.constant(3)), tf.range(20_000))
    if relaxed:
        drawn = simplex.draw_relaxed(np.repeat(LOGITS, 20_000, axis=0), 0.5, CLASSES, noise)
    else:
        drawn = simplex.draw_one_hot(LOGITS, CLASSES, noise)

    classes = np.reshape(drawn, (-1, GROUPS, CLASSES)).argmax(axis=-1)
    together = np.zeros((CLASSES, CLASSES))
    np.add.at(together, tuple(classes.T), 1)
    expected = len(classes) * np.outer(*WEIGHTS)
    assert scipy.stats.chisquare(together.ravel(), expected.ravel()).pvalue > 1e-4


@pytest.mark.parametrize("kind", [np.float64, np.float32, tf.constant])
def test_numbers_are_whole_within_a_tolerance(kind):
    x = kind([0.0, 2.0, 2.004, 1.9, -3.0])

    assert np.array_equal(inverse_cdf.is_whole(x), [True, True, False, False, True])
    assert np.array_equal(inverse_cdf.is_whole(x, 0.01), [True, True, True, False, True])
