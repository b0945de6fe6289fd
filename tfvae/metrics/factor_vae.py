"""The score of FactorVAE: which latent varies least where one factor is held fixed.

References:
    [1] Kim & Mnih, Disentangling by factorising. ICML 2018. arXiv:1802.05983.
    [2] Locatello et al., Challenging common assumptions in the unsupervised learning of
        disentangled representations. ICML 2019. arXiv:1811.12359.
"""

import numpy as np
import numpy.typing as npt

from tfvae.metrics.factors import checked
from tfvae.validation import arguments

_VOTES, _GROUP = 800, 64
_COLLAPSED = 0.05


def factor_vae_score(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    votes: int = _VOTES,
    group: int = _GROUP,
    collapsed: float = _COLLAPSED,
    seed: int = 0,
) -> float:
    """Computes the score of FactorVAE [1].

    A vote draws a factor and one of its values, and a group of examples that have it. The latent
    whose codes vary least in the group, in units of their variance over all examples, votes for
    the factor. Each latent stands for the factor that it voted for most often; the score is the
    share of as many new votes that are right.

    Args:
        codes: `[N, D]`, D from 2.
        factors: `[N, F]`, whole numbers.
        votes: how many votes to learn from, and to test on.
        group: examples of a vote, drawn with replacement.
        collapsed: latents whose codes vary less than so much, in units of the prior's variance,
            are left out [2], since what varies with nothing would win by chance.
        seed: seed of the votes.

    Returns:
        From 0 to 1, about 1/F by chance; 0 if all latents are collapsed.

    Raises:
        InputError: arrays of other shapes, a factor of one value, a code that is not finite, or
            counts out of range.
    """
    codes, factors = checked(codes, factors)
    votes = arguments.whole_number("votes", votes, 1)
    group = arguments.whole_number("group", group, 2)
    least = arguments.real_number("collapsed", collapsed, 0.0)
    generator = np.random.default_rng(arguments.seed("seed", seed))

    spread = codes.var(axis=0)
    kept = spread > least
    if not kept.any():
        return 0.0
    scaled = codes[:, kept] / np.sqrt(spread[kept])
    rows = _rows_by_value(factors)
    learned, tested = (_votes(scaled, factors, rows, votes, group, generator) for _ in range(2))

    counts = np.zeros((scaled.shape[1], factors.shape[1]), np.int64)
    np.add.at(counts, learned, 1)
    latents, wanted = tested
    return float(np.mean(counts.argmax(axis=1)[latents] == wanted))


def _rows_by_value(factors):
    """Returns for each factor the numbers of the examples of each of its values."""
    return [
        {value: np.flatnonzero(column == value) for value in np.unique(column)}
        for column in factors.T
    ]


def _votes(codes, factors, rows, votes, group, generator):
    """Returns which latents vote, and for which factors, both `[votes]`."""
    wanted = generator.integers(factors.shape[1], size=votes)
    examples = generator.integers(len(codes), size=votes)
    latents = []
    for factor, example in zip(wanted, examples):
        alike = rows[factor][factors[example, factor]]
        chosen = codes[generator.choice(alike, group)]
        latents.append(np.argmin(chosen.var(axis=0)))
    return np.array(latents), wanted
