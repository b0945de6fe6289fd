"""Properties that hold for any shape, dtype and option, on examples that Hypothesis looks for."""

import dataclasses

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

import tfvae
from tests.support.nightly import nightly
from tfvae import datasets, likelihoods
from tfvae.app import config_file, expressions
from tfvae.app.settings import Settings
from tfvae.callbacks import file, state
from tfvae.errors import InputError, InputTypeError
from tfvae.ops import weighting
from tfvae.training import replicas
from tfvae.validation import data_checks

EXAMPLES = pytest.mark.parametrize("examples", [25, nightly(2000)])
REFUSED = (InputError, InputTypeError)
FLOATS = st.floats(-1e6, 1e6, width=32)
DTYPES = st.one_of(
    nps.boolean_dtypes(), nps.integer_dtypes(), nps.unsigned_integer_dtypes(),
    nps.floating_dtypes(), nps.complex_number_dtypes(), nps.unicode_string_dtypes(max_len=3),
)  # fmt: skip
SHAPES = nps.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


@pytest.fixture
def hold(examples):
    """Looks for arguments for which a function fails."""

    def of(**arguments):
        def run(function):
            chosen = hypothesis.settings(
                max_examples=examples, deadline=None, derandomize=examples < 100, database=None,
                suppress_health_check=list(hypothesis.HealthCheck),
            )  # fmt: skip
            chosen(hypothesis.given(**arguments)(function))()

        return run

    return of


@EXAMPLES
def test_arrays_are_checked_or_refused_in_words(hold):
    likelihood = likelihoods.Bernoulli()

    @hold(x=nps.arrays(DTYPES, SHAPES))
    def _(x):
        try:
            found = data_checks.check_events(x, likelihood, (2,))
        except REFUSED as error:
            assert all(word in str(error) for word in ("Expected", "Received", "Fix"))
            return
        assert found.shape == (len(x), 2)
        assert np.isin(np.asarray(found), [0, 1]).all()


@EXAMPLES
def test_files_of_arrays_are_read_or_refused_in_words(hold, tmp_path):
    path = tmp_path / "x.npy"

    @hold(x=nps.arrays(DTYPES, SHAPES))
    def _(x):
        np.save(path, x)
        try:
            found = datasets.load(str(path))
        except REFUSED as error:
            assert str(path) in str(error)
            return
        assert len(found.x_train) + len(found.x_test) == len(x)
        assert np.isfinite(found.x_train).all() or not np.isfinite(x).all()


NAMES = [
    "Bernoulli", "bernoulli", "Normal", "VampPrior", "Flow", "flows.RealNVP", "IWAE", "ELBO", "MMD",
    "GaussianMixture", "StickingTheLanding", "Observed", "schedules.x", "os.system", "x",
]  # fmt: skip
WORDS = st.recursive(
    st.one_of(
        st.sampled_from(NAMES), st.integers().map(str), st.floats().map(str),
        st.text(max_size=4).map(repr), st.text(max_size=6),
    ),
    lambda inner: st.tuples(st.sampled_from(NAMES), st.lists(inner, max_size=3), inner).map(
        lambda t: f"{t[0]}({', '.join(t[1])}) + {t[2]}" if len(t[1]) == 3
        else f"{t[0]}({', '.join(t[1])})"
    ),
    max_leaves=6,
)  # fmt: skip


@EXAMPLES
def test_words_are_a_piece_or_refused_in_words(hold):
    @hold(text=WORDS, role=st.sampled_from(sorted(expressions.ROLES)))
    def _(text, role):
        try:
            made = expressions.piece(text, expressions.ROLES[role])
        except REFUSED as error:
            assert "Fix" in str(error)
            return
        assert type(made).__module__.startswith("tfvae.")


NUMBER = st.one_of(st.none(), st.integers(1, 10**6))
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), min_size=1, max_size=20)


@EXAMPLES
def test_settings_come_back_from_their_file_as_they_were(hold, tmp_path):
    path = tmp_path / config_file.NAME

    @hold(
        data=TEXT, latent_dim=NUMBER, prior=st.one_of(st.none(), TEXT), seed=st.integers(0, 2**31),
        learning_rate=st.one_of(st.none(), st.floats(1e-9, 10.0)),
        hidden=st.one_of(st.none(), st.lists(st.integers(1, 999), min_size=1).map(tuple)),
        strategy=st.sampled_from([None, "mirrored", "multiworker"]),
    )  # fmt: skip
    def _(**given):
        settings = Settings(**given)
        path.write_text(config_file.text(settings), encoding="utf-8")
        read = config_file.read(str(path))
        read["hidden"] = given["hidden"] and tuple(map(int, read["hidden"].split(",")))
        assert Settings(**read) == dataclasses.replace(settings, out=None)


KEPT = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(),
        nps.arrays(st.sampled_from(["f4", "f8", "i8", "u1", "?"]), SHAPES, elements=st.just(1)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(), inner, max_size=3),
    ),
    max_leaves=8,
)  # fmt: skip


def equal(one, other):
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(equal, one, other))
    return type(one) is type(other) and one == other


@EXAMPLES
def test_what_a_callback_remembers_comes_back_from_the_file_of_a_checkpoint(hold, tmp_path):
    path = tmp_path / "checkpoint-000001.tfvae"

    @hold(value=KEPT)
    def _(value):
        arrays = []
        file.write(path, {"value": state.encode(value, arrays)}, arrays)
        content, read = file.read(path)
        assert equal(value, state.decode(content["value"], read))


@EXAMPLES
def test_a_weighted_mean_is_numpys(hold):
    lengths = st.integers(1, 6)

    @hold(data=st.data(), count=lengths, tail=st.lists(lengths, max_size=2))
    def _(data, count, tail):
        values = data.draw(nps.arrays("f4", (count, *tail), elements=FLOATS))
        # The product of two numbers near 1e-20 is 0 in float32.
        weight = st.one_of(st.just(0.0), st.floats(0.125, 100, width=32))
        weights = data.draw(nps.arrays("f4", count, elements=weight))
        found = weighting.mean(tf.constant(values), tf.constant(weights)).numpy()
        total = weights.astype(np.float64).sum()
        expected = np.tensordot(weights.astype(np.float64), values.astype(np.float64), 1)
        expected = expected / total if total else np.zeros(tail)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(values).max())


@EXAMPLES
def test_replicas_share_every_row_of_a_batch_once_and_evenly(hold):
    @hold(size=st.integers(1, 1000), number=st.integers(1, 64))
    def _(size, number):
        chosen = [replicas.rows_of(replica, number, size) for replica in range(number)]
        present = [row for rows, weight in chosen if weight for row in range(size)[rows]]
        assert present == list(range(size))
        lengths = [rows.stop - rows.start for rows, _ in chosen]
        assert min(lengths) >= 1
        assert max(lengths) - min(lengths) <= 1
        assert max(rows.stop for rows, _ in chosen) <= size


@pytest.fixture(scope="module")
def vae():
    return tfvae.mlp_vae((3,), 2, (4,), seed=0)


@EXAMPLES
def test_a_sample_is_the_same_in_every_batch(hold, vae):
    @hold(seed=st.integers(-(2**31), 2**32 - 1), start=st.integers(0, 2**30), n=st.integers(1, 5))
    def _(seed, start, n):
        together = vae.sample_latent(n, seed, start=start).numpy()
        alone = [vae.sample_latent(1, seed, start=start + i).numpy()[0] for i in range(n)]
        np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)
