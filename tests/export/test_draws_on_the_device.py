"""Draws of the exported file: of x against SciPy, of z against the Keras distributions.

The tests of `tests/likelihoods/test_draws.py` once more, with their parameters, on what the
interpreter draws: 20,000 draws each, Kolmogorov-Smirnov at a level of 0.001. Most run by night.
"""

import itertools

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import tfvae
from tests.likelihoods import test_draws as exact
from tests.support import zoo
from tfvae.export import quantize, signatures
from tfvae.export.runtime import InterpreterRuntime

BATCH = 4000


def drawn_on_device(likelihood, params, event_shape=(1,), whole=None):
    """Draws of one event under `params` by a converted file, float64 `[N, *event]`.

    Args:
        likelihood: the likelihood.
        params: its parameters of one event, without a batch.
        event_shape: of one x.
        whole: where to write a file of the whole model, whose decoder says `params` whatever z
            is, or None for the part `draw` alone.
    """
    params = np.asarray(params, np.float32)
    if params.ndim == 3:  # of one pixel
        event_shape = (1, 1, likelihood.channels)
    vae = tfvae.mlp_vae(event_shape, 2, (2,), likelihood=likelihood)
    if whole is None:
        part = {"draw": signatures.parts(vae, BATCH, encoder=False)["draw"]}
        file = quantize.convert_parts(vae, part, None, {})["draw"]
        rows = {"params": np.tile(params, (BATCH,) + (1,) * params.ndim)}
    else:
        always(vae.decoder, params)
        tfvae.export.to_tflite(vae, whole, batch_size=BATCH)
        file, rows = whole.read_bytes(), {}

    return pages(InterpreterRuntime(file), "draw", rows)["x"].astype(np.float64)


def always(network, output):
    """Makes a network of dense layers return one output."""
    for weight in network.weights:
        weight.assign(tf.zeros_like(weight))
    network.weights[-1].assign(np.ravel(output))


def pages(runtime, signature, inputs):
    """The outputs of a signature for samples 0 ... N - 1 of a seed, `{name: [N, ...]}`."""
    found = []
    for first in range(0, exact.N, BATCH):
        seeded = {"seed": np.array([3], np.int32), "index": np.array([first], np.int32)}
        outputs = runtime.run(signature, {**inputs, **seeded})
        found.append({name: values.copy() for name, values in outputs.items()})

    return {name: np.concatenate([page[name] for page in found]) for name in found[0]}


TESTS = {
    "location_and_a_scale": exact.test_draws_of_a_location_and_a_scale_are_those_of_scipy,
    "log_normal": exact.test_draws_of_the_log_normal_are_those_of_scipy,
    "rescaled": exact.test_draws_in_other_units_are_those_of_scipy,
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
ONE_OF_EACH = {
    "location_and_a_scale": [
        {"name": name, "scale": 1.0} for name in ("normal", "laplace", "student_3")
    ],
    "log_normal": [{"loc": 0.0, "scale": 0.6}],
    "rescaled": [{"share": 20.0, "unit": 10.0}],
    "bernoulli": [{"logit": 0.0}],
    "continuous": [{"size": 1e-4, "sign": 1.0}],
    "categories": [{"size": 1.0}],
    "levels": [{"loc": 0.3, "scale": 0.05}],
    "mixture": [{"log_scale": -3.0}],
    "poisson": [{"mean": 30.0}],
    "negative_binomial": [{"mean": 30.0, "r": 1.0}],
}


# By day; the parts of every likelihood are compared with Python's draws in `test_conformance.py`.
OFTEN = [("negative_binomial", {"mean": 30.0, "r": 1.0})]


def grid(test):
    """The arguments of every case of a parametrized test."""
    marks = [mark.args for mark in test.pytestmark if mark.name == "parametrize"]
    names, values = [mark[0] for mark in marks], [mark[1] for mark in marks]
    return [dict(zip(names, case)) for case in itertools.product(*values)]


def cases():
    """Each case of each test, most by night."""
    for kind, test in TESTS.items():
        for case in grid(test):
            marks = [] if (kind, case) in OFTEN else [pytest.mark.nightly]
            told = "-".join(str(value) for _, value in sorted(case.items()))
            yield pytest.param(kind, case, marks=marks, id=f"{kind}-{told}")


def test_what_runs_often_is_of_the_grid():
    assert all(case in grid(TESTS[kind]) for kind, case in OFTEN)


@pytest.mark.parametrize(("kind", "case"), cases())
def test_the_file_draws_what_scipy_says(kind, case, monkeypatch):
    monkeypatch.setattr(exact, "drawn", drawn_on_device)
    TESTS[kind](**case)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("kind", "case"), [(kind, case) for kind, some in ONE_OF_EACH.items() for case in some], ids=str
)
def test_the_signature_draw_of_a_whole_file_draws_what_scipy_says(
    kind, case, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        exact, "drawn", lambda *given: drawn_on_device(*given, whole=tmp_path / "m.tflite")
    )
    TESTS[kind](**case)


LATENTS = {
    "of the prior": [
        "diagonal-mixture", "diagonal-vamp", "diagonal-realnvp", "diagonal-maf", "diagonal-expost",
        "sphere-sphere", "sphere-vamp", "categorical-categorical", "relaxed-relaxed",
        "bottom_up", "two_layers", "conditional_prior_mixture",
    ],
    "of the posterior": [
        "diagonal-standard", "full-standard", "iaf-standard", "planar-standard", "sphere-sphere",
        "categorical-categorical", "relaxed-relaxed", "bottom_up", "ladder", "conditional",
    ],
}  # fmt: skip


@pytest.mark.nightly
@pytest.mark.parametrize("size", [1.0, 4.0])
@pytest.mark.parametrize(
    ("side", "name"), [(side, name) for side, names in LATENTS.items() for name in names]
)
def test_latents_on_the_device_are_those_of_the_keras_distribution(side, name, size):
    """Each coordinate and three sums of them, of one example; `size` multiplies the weights."""
    vae, x, y = zoo.BUILDERS[name]()
    one = None if y is None else tf.constant(y[:1], vae.condition_dtype)
    for weight in vae.trainable_variables:
        weight.assign(size * weight)
    parts = signatures.parts(vae, BATCH)
    given = {} if y is None else {"y": np.repeat(one, BATCH, axis=0)}
    if side == "of the prior":
        part, distribution = "latent", vae.prior.distribution(one)
        given = {key: given[key] for key in given if key in part_inputs(parts[part])}
    else:
        part, distribution = "posterior", vae.encode(x[:1], one)
        codes = tf.nest.flatten(vae.encoder_params(x[:1], one, training=False))
        given = {n: np.repeat(c, BATCH, axis=0) for n, c in zip(parts["encoder"].outputs, codes)}

    file = quantize.convert_parts(vae, {part: parts[part]}, None, {})[part]
    outputs = pages(InterpreterRuntime(file), part, given)
    found = np.concatenate([outputs[port] for port in parts[part].outputs], axis=-1)
    drawn = [np.reshape(z, (exact.N, -1)) for z in tf.nest.flatten(distribution.sample(exact.N))]
    sums = np.random.default_rng(0).normal(size=(found.shape[1], 3))
    for ours, theirs in zip(columns(found, sums), columns(np.concatenate(drawn, axis=-1), sums)):
        assert scipy.stats.ks_2samp(ours, theirs).pvalue > exact.LEVEL / (found.shape[1] + 3)


def part_inputs(part):
    return [spec.name for spec in part.specs]


def columns(z, sums):
    """Each coordinate of latents `[N, D]` and their sums by weights `[D, S]`, `[D + S, N]`."""
    return np.concatenate([z, z @ sums], axis=-1).T


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
