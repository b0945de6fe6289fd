"""The likelihood that data of each kind get, with its reason."""

import numpy as np
import pytest

from tfvae.app import suited

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (50, 8, 8, 1)) / 255
NEARLY = np.where(RNG.random((50, 8, 8, 1)) < 0.9, GREY > 0.5, GREY)
LEVELS = "DiscretizedLogistic(learn_scale=True)"
KINDS = {
    "binary": (GREY > 0.5, "Bernoulli()", "0 or 1"),
    "nearly_binary": (NEARLY, "Bernoulli(dynamic_binarization=True)", "% of the values"),
    "grey": (GREY, LEVELS, "grey levels of 8 bits"),
    "dark_grey": (np.round(GREY * 20) / 255, LEVELS, "grey"),
    "flat_grey": (np.round(GREY * 99) / 255, LEVELS, "grey"),
    "colours": (
        RNG.integers(0, 256, (50, 8, 8, 3)) / 255, LEVELS, "colours",
    ),
    "white_colours": (np.ones((5, 8, 8, 3)) * 0.8, LEVELS, "colours"),
    "fine_grey": (RNG.random((50, 8, 8, 1)) * 0.6 + 0.2, suited.STANDARDIZED, "real"),
    "real": (RNG.normal(size=(50, 4)), suited.STANDARDIZED, "real numbers"),
    "counts": (RNG.poisson(3, (50, 4)), "NegativeBinomial()", "a count"),
    "one_hot": (np.eye(4)[RNG.integers(0, 4, (50, 3))], "Categorical()", "one 1"),
    "negative_whole": (RNG.integers(-3, 4, (50, 4)), suited.STANDARDIZED, "real"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_likelihood_is_chosen_by_the_values_and_takes_them(kind):
    x, words, reason = KINDS[kind]
    x = x.astype(np.float32)
    found, why = suited.likelihood(x)
    assert found == words and reason in why
    assert np.all(suited.made(found, x).in_support(x))


def test_real_numbers_are_in_units_of_their_feature_or_channel():
    x = RNG.normal([5.0, -3.0, 0.0], [2.0, 0.1, 0.0], (5000, 3)).astype(np.float32)
    made = suited.made(suited.STANDARDIZED, x)
    assert made.offset == pytest.approx([5.0, -3.0, 0.0], abs=0.1)
    assert made.unit == pytest.approx([2.0, 0.1, 1.0], rel=0.1)

    signals = RNG.normal([5.0, -3.0], [2.0, 0.1], (50, 40, 2))
    assert suited.made(suited.STANDARDIZED, signals).unit == pytest.approx([2.0, 0.1], rel=0.1)
    pages = RNG.normal(5.0, 2.0, (50, 40, 40))
    assert suited.made(suited.STANDARDIZED, pages).unit == pytest.approx(2.0, rel=0.1)


def test_the_digits_stay_binary(digits):
    assert suited.likelihood(digits.x_train)[0] == "Bernoulli(dynamic_binarization=True)"
