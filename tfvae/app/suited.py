"""Chooses a likelihood for data by what their values are."""

from typing import TYPE_CHECKING

import numpy as np

from tfvae._files import mapped
from tfvae.app import expressions
from tfvae.datasets.binary import is_grey
from tfvae.datasets.dataset import CHANNELS

if TYPE_CHECKING:
    from tfvae.likelihoods import Likelihood

COLUMNS = "columns"  # of a table, each by its kind
STANDARDIZED = "standardized_normal"  # in units of the data's standard deviation
_BINARIZED = "Bernoulli(dynamic_binarization=True)"
_LEVELLED = "DiscretizedLogistic(learn_scale=True)"
_NORMAL = "Normal(0.5, learn_scale=True)"
_FIRST_SCALE = 0.5  # in standard deviations

_LEVELS = 255
_EXAMPLES = 2000  # that are looked at
_NEAR = 0.1  # of 0 or 1, where a grey value is nearly black or white
_MOSTLY = 0.65  # of the values, from where on grey data are taken for binary ones,
_BOTH = 0.01  # if there are so many of either kind; a dark photograph has none nearly white


def likelihood(x: np.ndarray) -> tuple[str, str]:
    """Returns the likelihood that suits data, and why.

    Args:
        x: examples, float32 `[N, *event]`.

    Returns:
        Words for `made`, such as "DiscretizedLogistic(learn_scale=True)", and the reason, the
        rest of a sentence that begins with "since".
    """
    x = x[:_EXAMPLES]
    if _is_one_hot(x):
        return "Categorical()", "every vector along the last axis has one 1 and else 0"
    if np.isin(x, (0, 1)).all():
        return "Bernoulli()", "every value is 0 or 1"
    if not (x.min() >= 0 and x.max() <= 1):
        return _of_numbers(x)

    colour = x.ndim == 4 and x.shape[-1] in (3, 4)
    dark, bright = np.mean(x < _NEAR), np.mean(x > 1 - _NEAR)
    near = dark + bright
    if near >= _MOSTLY and min(dark, bright) >= _BOTH and not colour:
        share = f"{near:.0%} of the values are nearly 0 or 1"
        return _BINARIZED, f"{share}, which every step draws anew"
    if _has_levels(x):
        # Not the mixture, which fits colours by neighbouring channels first: after 1,000 steps on
        # 250 photographs it has 2.5 bits per dimension, where this has 6.1, but draws them grey.
        levels = "colours" if colour else "grey levels"
        return _LEVELLED, f"the values are {levels} of 8 bits"

    return _of_numbers(x)


def made(words: str, x: np.ndarray) -> "Likelihood":
    """Makes the likelihood that words name.

    Args:
        words: what `likelihood` returned or what was typed, such as "bernoulli", "normal" or
            "Normal(0.1)". These plain names get arguments that suit the data.
        x: examples to train on, `[N, *event]`.

    Raises:
        InputError: words that are no likelihood.
    """
    if words == STANDARDIZED:
        return _standardized(x)
    if words == "bernoulli":
        words = _BINARIZED if is_grey(x[:_EXAMPLES]) else "Bernoulli()"
    words = {"normal": _NORMAL, "discretized_logistic": _LEVELLED}.get(words, words)
    return expressions.piece(words, "likelihoods")


def _standardized(x):
    """Returns normals in units of the data, of each feature of a vector or each channel."""
    from tfvae.likelihoods import Normal, Rescaled

    each = x.ndim == 2 or x.shape[-1] < CHANNELS
    axes = tuple(range(x.ndim - 1)) if each else None
    count = np.maximum(_sum(x, axes, np.isfinite), 1)
    mean = _sum(x, axes, _known) / count
    std = np.sqrt(_sum(x, axes, lambda page: np.square(_known(page - mean))) / count)
    std = np.where(std > 1e-6 * np.abs(mean), std, 1.0)
    return Rescaled(Normal(_FIRST_SCALE, learn_scale=True), mean, std)


def _known(page):
    """Returns values with 0 in place of those that are missing."""
    return np.where(np.isfinite(page), page, 0)


def _sum(x, axes, of_page):
    """Returns the sum of what a function makes of each value, page by page."""
    pages = (of_page(x[rows]).sum(axis=axes, dtype=np.float64) for rows in mapped.pages(x))
    return sum(pages, start=np.float64(0))


def _of_numbers(x):
    if x.min() >= 0 and x.max() > 1 and (x == np.round(x)).all():
        return "NegativeBinomial()", "every value is a count"
    return STANDARDIZED, "the values are real numbers"


def _has_levels(x):
    return bool(np.abs(x * _LEVELS - np.round(x * _LEVELS)).max() < 1e-3)


def _is_one_hot(x):
    few = x.shape[-1] > 1 and np.isin(x, (0, 1)).all()
    return bool(few and (x.sum(axis=-1) == 1).all())
