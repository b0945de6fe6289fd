"""What an exported file draws is distributed as it should be.

Many draws; each test has a level of 0.001 for all that it compares.
"""

import itertools

import numpy as np
import pytest
import scipy.stats

import tfvae
from tfvae.export import Sampler

pytestmark = pytest.mark.xdist_group("export")  # one process makes the files they share

LEVEL = 0.001
COUNT = 100_000


@pytest.fixture(scope="module")
def sampler(digits_vae, tmp_path_factory):
    path = tmp_path_factory.mktemp("statistics") / "m.tflite"
    tfvae.export.to_tflite(digits_vae, path, batch_size=(1, 1000))
    return Sampler(path)


@pytest.fixture(scope="module")
def latents(sampler):
    return sampler.sample(COUNT, seed=7, return_latent=True)[1]


def assert_uncorrelated(pairs):
    """Of `(name, a, b)`, independent normals: the correlation of n is nearly N(0, 1 / n)."""
    pairs = list(pairs)
    bound = scipy.stats.norm.isf(LEVEL / 2 / len(pairs))
    found = {name: np.corrcoef(a, b)[0, 1] * np.sqrt(len(a)) for name, a, b in pairs}
    assert {name: r for name, r in found.items() if not abs(r) < bound} == {}


def test_every_latent_is_standard_normal(latents):
    assert latents.shape == (COUNT, 8)
    for column in latents.T:
        assert scipy.stats.kstest(column, "norm").pvalue > LEVEL / 8
    squares = (latents.astype(np.float64) ** 2).sum(axis=0)
    low, high = scipy.stats.chi2(COUNT).ppf([LEVEL / 16, 1 - LEVEL / 16])
    assert ((low < squares) & (squares < high)).all()


def test_latents_of_a_sample_are_uncorrelated(latents):
    columns = latents.T
    pairs = list(itertools.combinations(range(8), 2))
    assert_uncorrelated(((i, j), columns[i], columns[j]) for i, j in pairs)
    assert_uncorrelated(((i, j), columns[i] ** 2, columns[j] ** 2) for i, j in pairs)


def lagged(latents, lag, i, j):
    """Latent i of each sample, and latent j of the sample `lag` after it."""
    return latents[:-lag, i], latents[lag:, j]


def test_consecutive_samples_are_uncorrelated(latents):
    cases = list(itertools.product((1, 2), range(8), range(8)))
    assert_uncorrelated((case, *lagged(latents, *case)) for case in cases)
    assert len(np.unique(latents[:, 0])) > 0.98 * COUNT  # of 2^23 values, a few come twice


def test_seeds_are_uncorrelated(sampler):
    seeds = (*range(10), 2**31 - 1, 2**31, 2**32 - 1)
    drawn = {seed: sampler.sample(1000, seed=seed, return_latent=True)[1].ravel() for seed in seeds}
    assert_uncorrelated(((a, b), drawn[a], drawn[b]) for a, b in itertools.combinations(seeds, 2))


def test_components_of_a_mixture_come_as_often_as_they_weigh(tmp_path):
    vae = tfvae.mlp_vae((4, 4, 1), 2, (8,), prior=tfvae.priors.GaussianMixture(4), seed=0)
    weights = np.array([0.5, 0.3, 0.15, 0.05])
    corners = np.array([[-9, -9], [-9, 9], [9, -9], [9, 9]], np.float32)
    vae.prior.logits.assign(np.log(weights))
    vae.prior.loc.assign(corners)
    tfvae.export.to_tflite(vae, tmp_path / "m.tflite", batch_size=(1, 1000))
    n = 50_000
    z = Sampler(tmp_path / "m.tflite").sample(n, seed=3, return_latent=True)[1]
    chosen = np.square(z[:, None] - corners).sum(axis=2).argmin(axis=1)
    assert scipy.stats.chisquare(np.bincount(chosen, minlength=4), n * weights).pvalue > LEVEL
    for column in (z - corners[chosen]).T:  # the choice does not lean on what is drawn within
        assert scipy.stats.kstest(column, "norm").pvalue > LEVEL / 2
    counts = [np.bincount(chosen[i::2], minlength=4) for i in (0, 1)]
    assert scipy.stats.chi2_contingency(counts).pvalue > LEVEL
