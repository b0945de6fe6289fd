"""Draws of the exported file over each likelihood's parameters, against SciPy.

The tests of `tests/likelihoods/test_draws.py` once more, on what the interpreter draws: 20,000
draws each, Kolmogorov-Smirnov at a level of 0.001.
"""

import numpy as np
import pytest
import scipy.stats

import tfvae
from tests.likelihoods import test_draws as exact
from tfvae.export import quantize, signatures
from tfvae.export.runtime import InterpreterRuntime

BATCH = 4000


def drawn_on_device(likelihood, params, event_shape=(1,)):
    """Draws of one event under `params` by the converted part `draw`, float64 `[N, *event]`."""
    params = np.asarray(params, np.float32)
    if params.ndim == 3:  # of one pixel
        event_shape = (1, 1, likelihood.channels)
    vae = tfvae.mlp_vae(event_shape, 2, (2,), likelihood=likelihood)
    part = {"draw": signatures.parts(vae, BATCH, encoder=False)["draw"]}
    runtime = InterpreterRuntime(quantize.convert_parts(vae, part, None, {})["draw"])

    rows = np.tile(params, (BATCH,) + (1,) * params.ndim)
    found = []
    for first in range(0, exact.N, BATCH):
        seeded = {"seed": np.array([3], np.int32), "index": np.array([first], np.int32)}
        found.append(runtime.run("draw", {"params": rows, **seeded})["x"].copy())

    return np.concatenate(found).astype(np.float64)


@pytest.fixture(autouse=True)
def _on_device(monkeypatch):
    monkeypatch.setattr(exact, "drawn", drawn_on_device)


def by_night(*case):
    return pytest.param(case, marks=pytest.mark.nightly, id=str(case))


CASES = [
    ("location_and_a_scale", "normal", 1.0),
    ("location_and_a_scale", "laplace", 1.0),
    ("location_and_a_scale", "student_3", 1.0),
    by_night("location_and_a_scale", "student_0.2", 1.0),
    by_night("location_and_a_scale", "student_1e+07", 1.0),
    by_night("location_and_a_scale", "student_1e+30", 1e-4),
    by_night("location_and_a_scale", "normal", 1e6),
    by_night("location_and_a_scale", "laplace", 1e-4),
    ("bernoulli", 0.0),
    by_night("bernoulli", -3.0),
    by_night("bernoulli", 1e4),
    ("continuous", 1e-4, 1.0),
    by_night("continuous", 0.0, 1.0),
    by_night("continuous", 17.0, -1.0),
    by_night("continuous", 1e4, -1.0),
    ("categories", 1.0),
    by_night("categories", 5.0),
    ("levels", 0.3, 0.05),
    by_night("levels", -1e4, 1.0),
    by_night("levels", 0.5, 1e-6),
    by_night("levels", 1.3, 50.0),
    ("mixture", -3.0),
    by_night("mixture", -7.0),
    by_night("mixture", 7.0),
    ("poisson", 30.0),
    by_night("poisson", 1e-3),
    by_night("poisson", 300.0),
    ("negative_binomial", 30.0, 1.0),
    by_night("negative_binomial", 1e-3, 0.1),
    by_night("negative_binomial", 30.0, 1e6),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_file_draws_what_scipy_says(case):
    kind, *arguments = case
    tests = {
        "location_and_a_scale": exact.test_draws_of_a_location_and_a_scale_are_those_of_scipy,
        "bernoulli": exact.test_draws_of_the_bernoulli_come_as_often_as_their_probability,
        "continuous": (
            exact.test_draws_of_the_continuous_bernoulli_are_within_its_ends_and_those_of_its_formula
        ),
        "categories": exact.test_draws_of_categories_come_as_often_as_their_probability,
        "levels": exact.test_draws_of_levels_come_as_often_as_their_probability,
        "mixture": exact.test_draws_of_a_mixture_of_levels_come_as_often_as_their_probability,
        "poisson": exact.test_draws_of_the_poisson_are_those_of_scipy,
        "negative_binomial": exact.test_draws_of_the_negative_binomial_are_those_of_scipy,
    }
    tests[kind](*arguments)


def test_samples_and_samples_of_the_posterior_are_normal_on_the_device(tmp_path):
    """z of `sample` is N(0, 1), and z of `encode_sample` N(loc, scale^2) of the same file."""
    vae = tfvae.mlp_vae((3,), 2, (4,), seed=0)
    path = tmp_path / "m.tflite"
    tfvae.export.to_tflite(vae, path, batch_size=BATCH, include_encoder=True)
    sampler = tfvae.export.Sampler(path)
    _, z = sampler.sample(exact.N, seed=5, return_latent=True)
    for column in np.asarray(z).T:
        assert scipy.stats.kstest(column, "norm").pvalue > exact.LEVEL / 4

    rows = np.tile(np.array([[0.0, 1.0, 1.0]], np.float32), (BATCH, 1))
    encoded = sampler.encode(rows)
    runtime, found = InterpreterRuntime(path.read_bytes()), []
    for first in range(0, exact.N, BATCH):
        seeded = {"seed": np.array([5], np.int32), "index": np.array([first], np.int32)}
        z = runtime.run("encode_sample", {"x": rows, **seeded})["z"]
        found.append((z - encoded["loc"]) / encoded["scale"])

    for column in np.concatenate(found).T:
        assert scipy.stats.kstest(column, "norm").pvalue > exact.LEVEL / 4
