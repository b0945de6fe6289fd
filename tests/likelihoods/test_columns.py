"""Rows of columns of several kinds, against SciPy."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference
from tests.support import zoo
from tests.support.arguments import covers
from tests.support.nightly import nightly
from tests.support.noise import N, stream
from tfvae import random
from tfvae.errors import InputError, InputTypeError
from tfvae.likelihoods import (
    Bernoulli,
    Categorical,
    Columns,
    Laplace,
    LogNormal,
    NegativeBinomial,
    Normal,
    Observed,
    Poisson,
    Rescaled,
    StudentT,
)
from tfvae.ops import networks

# Of one row: height, income, smokes, three jobs, children.
PARAMS = np.array([[0.3, 1.1, -0.4, 0.2, 1.0, -1.0, 0.7]], np.float32)
SCALE = 0.6


def mixed():
    height = Rescaled(Normal(SCALE), 170.0, 10.0)
    made = Columns(
        [height, LogNormal(SCALE), Bernoulli(), Categorical(), Poisson()],
        widths=[1, 1, 1, 3, 1],
        names=["height", "income", "smokes", "job", "children"],
    )  # fmt: skip
    made.build((7,))
    return made


def log_prob(row, params=PARAMS[0]):
    """By SciPy, column by column."""
    height = scipy.stats.norm(170 + 10 * params[0], 10 * SCALE).logpdf(row[0])
    income = scipy.stats.lognorm(SCALE, scale=np.exp(params[1])).logpdf(row[1])
    smokes = scipy.stats.bernoulli(1 / (1 + np.exp(-params[2]))).logpmf(row[2])
    shares = np.exp(params[3:6]) / np.exp(params[3:6]).sum()
    job = np.log(shares[np.argmax(row[3:6])])
    return height + income + smokes + job + scipy.stats.poisson(np.exp(params[6])).logpmf(row[6])


@covers(Columns, "likelihoods", "widths")
def test_a_row_is_as_probable_as_its_columns_together():
    rows = np.array(
        [[181.0, 2.5, 1, 0, 1, 0, 3], [166.0, 0.1, 0, 0, 0, 1, 0]], np.float32
    )  # fmt: skip
    found = mixed().distribution(tf.constant(np.repeat(PARAMS, 2, axis=0))).log_prob(rows)
    assert found.numpy() == pytest.approx([log_prob(row) for row in rows], abs=1e-4)
    assert mixed().params_shape((7,)) == (7,) and mixed().dimensions((7,)) == 5


def test_draws_of_each_column_are_its_own_and_independent_of_the_others():
    x = mixed().draw(tf.constant(np.repeat(PARAMS, N, axis=0)), stream()).numpy().astype(float)
    smooth = [
        scipy.stats.norm(173.0, 6.0).cdf(x[:, 0]),
        scipy.stats.lognorm(SCALE, scale=np.exp(1.1)).cdf(x[:, 1]),
    ]
    for uniform in smooth:
        assert scipy.stats.kstest(uniform, "uniform").pvalue > 1e-3

    assert x[:, 2].mean() == pytest.approx(1 / (1 + np.exp(0.4)), abs=0.02)
    shares = np.exp(PARAMS[0, 3:6]) / np.exp(PARAMS[0, 3:6]).sum()
    assert x[:, 3:6].mean(axis=0) == pytest.approx(shares, abs=0.02)
    assert (x[:, 3:6].sum(axis=1) == 1).all()
    assert x[:, 6].mean() == pytest.approx(np.exp(0.7), abs=0.05)
    ranks = scipy.stats.spearmanr(np.c_[x[:, [0, 1, 2, 6]], x[:, 3]]).statistic
    assert np.abs(ranks - np.eye(5)).max() < 0.03  # columns that shared noise would be near 1


def test_the_mean_of_each_column_is_its_own():
    found = mixed().mean(tf.constant(PARAMS)).numpy()[0]
    shares = np.exp(PARAMS[0, 3:6]) / np.exp(PARAMS[0, 3:6]).sum()
    income = scipy.stats.lognorm(SCALE, scale=np.exp(1.1)).mean()
    expected = [173.0, income, 1 / (1 + np.exp(0.4)), *shares, np.exp(0.7)]
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_missing_cell_adds_nothing_and_a_category_is_missing_as_a_whole():
    made = Columns([Observed(Normal(SCALE)), Observed(Categorical())], widths=[1, 3])
    made.build((4,))
    params = tf.constant(np.repeat([[0.3, 0.2, 1.0, -1.0]], 3, axis=0), tf.float32)
    nan = np.nan
    rows = np.array([[nan, 0, 1, 0], [0.5, nan, nan, nan], [nan] * 4], np.float32)
    shares = np.exp([0.2, 1.0, -1.0]) / np.exp([0.2, 1.0, -1.0]).sum()
    expected = [np.log(shares[1]), scipy.stats.norm(0.3, SCALE).logpdf(0.5), 0.0]
    found = made.distribution(params).log_prob(rows).numpy()
    assert found == pytest.approx(expected, abs=1e-5)
    assert made.in_support(rows).all()
    assert np.isfinite(made.encoder_input(tf.constant(rows))).all()


def test_the_encoder_sees_each_column_in_its_own_form():
    rows = np.array([[180.0, np.e, 1, 0, 1, 0, 3]], np.float32)
    expected = [1.0, 1.0, 1, 0, 1, 0, np.log(4)]
    assert mixed().encoder_input(tf.constant(rows)).numpy()[0] == pytest.approx(expected, rel=1e-5)


def test_a_column_that_fits_its_scale_to_the_batch_does_so_alone():
    x = np.random.default_rng(0).normal(5.0, 3.0, (64, 2)).astype(np.float32)
    made = Columns([Normal(optimal_scale=True), Normal(0.5)])
    made.build((2,))
    assert made.updates_state_in_training and not mixed().updates_state_in_training
    params = tf.fill([1, 64, 2], 5.0)
    scale = np.sqrt(np.mean((x[:, 0] - 5.0) ** 2))
    expected = scipy.stats.norm(5, scale).logpdf(x[:, 0]) + scipy.stats.norm(5, 0.5).logpdf(x[:, 1])
    found = made.training_distribution(params, tf.constant(x)).log_prob(x)
    assert largest_difference(found[0], expected) < 1e-3
    weights = np.arange(64, dtype=np.float32)
    weighted = np.sqrt(np.average((x[:, 0] - 5.0) ** 2, weights=weights))
    found = made.training_distribution(params, tf.constant(x), example_weights=weights).log_prob(x)
    expected = scipy.stats.norm(5, weighted).logpdf(x[:, 0])
    expected += scipy.stats.norm(5, 0.5).logpdf(x[:, 1])
    assert largest_difference(found[0], expected) < 1e-3


def test_grey_columns_are_binarized_by_noise_of_their_own():
    made = Columns([Bernoulli(dynamic_binarization=True), Bernoulli(dynamic_binarization=True)])
    made.build((2,))
    x = made.prepare_for_training(np.full((N, 2), 0.5, np.float32), tf.constant([1, 2])).numpy()
    assert abs(np.corrcoef(x.T)[0, 1]) < 0.03 and set(np.unique(x)) == {0, 1}
    fixed, note = made.prepare_for_evaluation(np.full((4, 2), 0.5, np.float32))
    assert set(np.unique(fixed)) <= {0, 1} and note.startswith("0: ")


@covers(Columns, "names", "labels")
def test_a_wrong_cell_is_refused_with_the_name_of_its_column():
    vae = tfvae.mlp_vae(7, 2, (4,), likelihood=mixed())
    vae.compile("sgd")
    rows = np.array([[181.0, -2.5, 1, 0, 1, 0, 3]] * 4, np.float32)
    with pytest.raises(InputError, match="column 'income', which takes positive numbers"):
        vae.fit(rows)
    assert zoo.columns().labels["job"] == ["cook", "nurse", "pilot"]


class Flat(Normal):
    """Whose parameters are one vector."""

    def params_shape(self, event_shape):
        return (12,)


WRONG = {
    "no likelihood": (lambda: Columns([1.0]), InputTypeError, "a list of likelihoods"),
    "none": (lambda: Columns([]), InputTypeError, "a list of likelihoods"),
    "widths": (lambda: Columns([Normal()], widths=[1, 2]), InputError, "2 widths for 1"),
    "width 0": (lambda: Columns([Normal()], widths=[0]), InputTypeError, "whole numbers from 1"),
    "names": (lambda: Columns([Normal()], names=["a", "b"]), InputError, "2 names for 1"),
    "twice": (lambda: Columns([Normal()] * 2, names=["a", "a"]), InputError, "different names"),
    "labels": (lambda: Columns([Bernoulli()], labels={"b": ["no"]}), InputError, "different names"),
    "sum": (lambda: Columns([Normal()] * 2).build((3,)), InputError, "2 elements"),
    "axis": (
        lambda: Columns([Flat()], widths=[3]).build((4, 3)),
        InputError,
        "along the last axis",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_columns_that_do_not_fit_are_refused(name):
    make, error, words = WRONG[name]
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize("offset, unit", [(0.0, 1.0), (170.0, 10.0), (-2.0, [0.1, 5.0, 1.0])])
@covers(Rescaled, "base", "offset", "unit")
def test_a_density_in_other_units_is_that_of_scipy(offset, unit):
    made = Rescaled(Normal(SCALE), offset, unit)
    made.build((3,))
    params = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    x = (offset + np.asarray(unit) * (params + 0.3)).astype(np.float32)
    expected = scipy.stats.norm(offset + np.asarray(unit) * params, SCALE * np.asarray(unit))
    found = made.distribution(tf.constant(params))
    assert found.log_prob(x).numpy() == pytest.approx(expected.logpdf(x).sum(-1), rel=1e-4)
    assert made.mean(tf.constant(params)).numpy() == pytest.approx(expected.mean(), rel=1e-5)
    assert made.encoder_input(tf.constant(x)).numpy() == pytest.approx(params + 0.3, abs=1e-4)


def test_whole_numbers_are_seen_in_units_that_are_none():
    """In the type of a tensor of integers the unit 0.5 would be 0."""
    made = Rescaled(LogNormal(), 0.5, 0.5)
    x = np.array([[0, 1, 3]])
    for whole in (x, tf.constant(x)):
        assert np.asarray(made.in_support(whole)).tolist() == [[False, True, True]]


def test_the_same_model_has_the_same_bound_in_any_unit_but_for_the_unit():
    """log p(x) of x = offset + unit u is log p(u) - log unit for each element."""
    u = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
    plain = tfvae.mlp_vae(3, 2, (8,), likelihood=Normal(0.5), seed=0)
    rescaled = tfvae.mlp_vae(3, 2, (8,), likelihood=Rescaled(Normal(0.5), 4.0, 2.0), seed=0)
    rescaled.set_weights(plain.get_weights())
    expected = tfvae.evaluation.log_likelihood(plain, u, 50) - 3 * np.log(2.0)
    found = tfvae.evaluation.log_likelihood(rescaled, 4.0 + 2.0 * u, 50)
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("loc, scale", [(0.0, 1e-3), (3.0, 0.5), (-20.0, 2.0), (40.0, 1.0)])
def test_a_log_normal_is_that_of_scipy(loc, scale):
    made = LogNormal(scale)
    made.build((1,))
    exact = scipy.stats.lognorm(scale, scale=np.exp(loc))
    params = tf.fill([N, 1], loc)
    x = made.draw(params, stream()).numpy().astype(float)
    assert scipy.stats.kstest(exact.cdf(x[:, 0]), "uniform").pvalue > 1e-3
    found = made.distribution(params).log_prob(x.astype(np.float32)).numpy()
    assert found == pytest.approx(exact.logpdf(x[:, 0]), rel=1e-3, abs=2e-2)
    assert made.mean(params).numpy()[0, 0] == pytest.approx(exact.mean(), rel=1e-4)


@covers(LogNormal, "scale", "learn_scale", "per_element_scale")
def test_the_scale_of_a_log_normal_is_fixed_or_learned_or_of_each_element():
    x = np.array([[0.3, 2.0]], np.float32)
    loc = np.array([[0.5, -1.0]], np.float32)
    fixed, learned = LogNormal(SCALE), LogNormal(0.1, learn_scale=True)
    for likelihood in (fixed, learned):
        likelihood.build((2,))
    learned.log_scale.assign(np.log(SCALE))
    expected = scipy.stats.lognorm(SCALE, scale=np.exp(loc)).logpdf(x).sum()
    for likelihood in (fixed, learned):
        found = likelihood.distribution(tf.constant(loc)).log_prob(x).numpy()
        assert found[0] == pytest.approx(expected, abs=1e-4)

    each = LogNormal(per_element_scale=True)
    each.build((2,))
    params = np.concatenate([loc, [[0.0, 2.0]]], axis=1).astype(np.float32)
    scales = np.log1p(np.exp([0.0, 2.0])) + 1e-3
    expected = scipy.stats.lognorm(scales, scale=np.exp(loc)).logpdf(x).sum()
    found = each.distribution(tf.constant(params)).log_prob(x).numpy()
    assert found[0] == pytest.approx(expected, abs=1e-4)
    assert len(learned.trainable_weights) == 1 and each.params_shape((2,)) == (4,)


def test_a_log_normal_takes_positive_numbers_and_stays_finite():
    made = LogNormal()
    made.build((1,))
    assert made.in_support(np.array([-1.0, 0.0, 1e-30, np.inf, np.nan])).tolist() == [
        False, False, True, False, False,
    ]  # fmt: skip
    assert np.isfinite(made.mean(tf.constant([[1e4]]))).all()
    assert np.isfinite(made.encoder_input(tf.constant([[-3.0, 0.0]]))).all()


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: Rescaled(Poisson()), "is a density"),
        (lambda: Rescaled(3.0), "is a density"),
        (lambda: Rescaled(Normal(), np.nan), "finite numbers"),
        (lambda: Rescaled(Normal(), "a"), "finite numbers"),
        (lambda: Rescaled(Normal(), 0.0, 0.0), "a positive unit"),
        (lambda: Rescaled(Normal(), [1.0, 2.0]).build((3,)), "broadcasts to an event"),
        (lambda: Rescaled(Normal(), [[1.0], [2.0]]).build((3,)), "broadcasts to an event"),
        (lambda: NegativeBinomial(0.0), "positive"),
    ],
)
def test_units_that_do_not_fit_are_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()


class OwnElements(Normal):
    """Whose elements are of a class that TFP does not know."""

    def _element(self, loc, scale):
        return tfvae.distributions.rescaled.Rescaled(super()._element(loc, scale), 0.0, 1.0)


def test_elements_of_a_class_of_ones_own_are_independent_elements():
    made = Observed(OwnElements(SCALE))
    made.build((2,))
    found = made.distribution(tf.zeros([1, 2])).log_prob([[np.nan, 0.5]])
    assert found.numpy() == pytest.approx(scipy.stats.norm(0, SCALE).logpdf([0.5]), abs=1e-5)


def many_columns():
    """Each kind several times in other units, with missing cells in some, in a mixed order."""
    rng = np.random.default_rng(3)
    kinds = {
        "real": lambda: Rescaled(Normal(rng.uniform(0.2, 2)), rng.normal(), rng.uniform(0.5, 3)),
        "learned": lambda: Normal(rng.uniform(0.2, 2), learn_scale=True),
        "heavy": lambda: StudentT(rng.uniform(0.2, 2), df=3.0),
        "each": lambda: Laplace(per_element_scale=True),
        "positive": lambda: Rescaled(LogNormal(rng.uniform(0.2, 2)), 0.0, rng.uniform(0.5, 3)),
        "missing": lambda: Observed(Rescaled(Normal(0.5), rng.normal(), 2.0), fill=rng.normal()),
        "binary": Bernoulli,
        "drawn": lambda: Bernoulli(dynamic_binarization=True),
        "category": Categorical,
        "chosen": lambda: Observed(Categorical()),
        "count": lambda: NegativeBinomial(rng.uniform(0.5, 5)),
        "rare": Poisson,
        "fitted": lambda: Normal(optimal_scale=True),
    }
    order = rng.permutation(np.repeat(list(kinds), 3)).tolist()
    widths = [rng.integers(3, 5).item() if name in ("category", "chosen") else 1 for name in order]
    made = Columns([kinds[name]() for name in order], widths)
    made.build((sum(widths),))
    return made, rng


def rows_of(made, rng, n=6):
    """Rows that each column's likelihood can model, a fifth of the cells missing where allowed."""
    params = rng.normal(size=(n, *made.params_shape((sum(made.widths),)))).astype(np.float32)
    x = made.draw(tf.constant(params), stream(n)).numpy()
    for part, column in zip(made.likelihoods, made.split(x)):
        if isinstance(part, Observed):
            column[rng.random(n) < 0.3] = np.nan
    return params, x


def params_of_each(made, params):
    return tf.split(params, made._params_widths, axis=-1)


def one_by_one(made, params, noise):
    """The draw of each column from the stream of its number."""
    pairs = enumerate(zip(made.likelihoods, params_of_each(made, params)))
    return tf.concat([part.draw(own, noise.fold_in(i)) for i, (part, own) in pairs], -1)


@pytest.mark.parametrize("compiled", [False, nightly(True)])
def test_draws_of_columns_side_by_side_are_those_one_by_one(compiled):
    made, rng = many_columns()
    params = tf.constant(rows_of(made, rng)[0])
    draw = tf.function(made.draw, jit_compile=True) if compiled else made.draw
    noise = random.Stream(stream(6).key, stream(6).indices, unrolled=compiled)
    expected = one_by_one(made, params, stream(6)).numpy()
    assert draw(params, noise).numpy() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_columns_of_several_rows_have_the_noise_that_each_has_alone():
    kinds = [Normal(0.5), StudentT(0.5), Categorical(), StudentT(0.5), Categorical(), Normal(2.0)]
    made = Columns(kinds, widths=[1, 2, 3, 2, 3, 1])
    made.build((5, 12))
    params = np.random.default_rng(0).normal(size=(4, 5, 12)).astype(np.float32)
    expected = one_by_one(made, tf.constant(params), stream(4)).numpy()
    assert made.draw(tf.constant(params), stream(4)).numpy() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_columns_side_by_side_are_those_one_by_one(dtype):
    made, rng = many_columns()
    params, x = rows_of(made, rng)
    params, x = tf.constant(params[None], dtype), tf.constant(x, dtype)
    weights = tf.constant(rng.uniform(size=len(x)), tf.float32)
    triples = list(zip(made.likelihoods, params_of_each(made, params), made.split(x)))

    alone = [part.distribution(p).log_prob(each) for part, p, each in triples]
    found = made.distribution(params)
    tolerance = 1e-12 if dtype == tf.float64 else 1e-5
    assert found.event_shape == (sum(made.widths),)
    assert found.log_prob(x).numpy() == pytest.approx(tf.add_n(alone).numpy(), rel=tolerance)
    means = np.concatenate([part.mean(p) for part, p, _ in triples], -1)
    assert made.mean(params).numpy() == pytest.approx(means, rel=1e-5)
    assert found.mean().numpy() == pytest.approx(
        np.concatenate([part.distribution(p).mean() for part, p, _ in triples], -1), rel=1e-5
    )
    seen = [part.encoder_input(each) for part, _, each in triples]
    assert np.allclose(made.encoder_input(x), tf.concat(seen, -1), rtol=1e-6, atol=1e-7)
    inside = tf.concat([part.in_support(each) for part, _, each in triples], -1)
    assert np.array_equal(made.in_support(x), inside)
    if dtype == tf.float32:
        fitted = made.training_distribution(params, x, weights).log_prob(x)
        alone = [
            networks.fitted(part, p, each, weights).log_prob(each) for part, p, each in triples
        ]
        assert fitted.numpy() == pytest.approx(tf.add_n(alone).numpy(), rel=0.02)


def test_the_gradients_of_columns_side_by_side_are_those_one_by_one():
    made, rng = many_columns()
    params, x = rows_of(made, rng)
    params, x = tf.constant(params), tf.constant(x)
    weights = made.trainable_variables
    assert len(weights) == 6  # of learned scales and dispersions
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(params)
        together = tf.reduce_sum(made.distribution(params).log_prob(x))
        triples = zip(made.likelihoods, params_of_each(made, params), made.split(x))
        alone = tf.reduce_sum([part.distribution(p).log_prob(each) for part, p, each in triples])
    for source in (params, *weights):
        expected = tape.gradient(alone, source).numpy()
        assert tape.gradient(together, source).numpy() == pytest.approx(
            expected, rel=1e-4, abs=1e-5
        )


def test_a_program_has_one_part_for_each_kind_of_column():
    def size(function, columns):
        made = Columns([Rescaled(Normal(0.5 + i), i, 1.0) for i in range(columns)])
        made.build((columns,))
        program = tf.function(lambda params, x: function(made, params, x))
        shape = tf.TensorSpec([8, columns])
        return len(program.get_concrete_function(shape, shape).graph.get_operations())

    def log_prob(made, params, x):
        return made.distribution(params).log_prob(x)

    def draw(made, params, x):
        return made.draw(params, stream(8))

    for function in (log_prob, draw):
        assert size(function, 60) < 1.2 * size(function, 3)


class ShiftedNormal(Normal):
    """Of a user, with a number of its own that no other class names."""

    def __init__(self, shift, **kwargs):
        super().__init__(**kwargs)
        self.shift = shift

    def _element(self, loc, scale):
        return super()._element(loc + self.shift, scale)


def test_a_class_of_ones_own_is_never_taken_for_another_column():
    made = Columns([ShiftedNormal(0.0), ShiftedNormal(5.0)])
    made.build((2,))
    found = made.distribution(tf.zeros([1, 2])).log_prob([[0.0, 5.0]])
    assert found.numpy()[0] == pytest.approx(2 * scipy.stats.norm.logpdf(0), abs=1e-5)


def test_what_is_drawn_in_a_column_does_not_follow_from_how_many_there_are_of_its_kind():
    """Noise is that of the column's number, in training and in samples."""
    grey = np.full((50, 4), 0.5, np.float32)
    seed, params = tf.constant([3, 4]), tf.zeros([50, 4])
    drawn = [Bernoulli(dynamic_binarization=True) for _ in range(3)]
    many = Columns([Normal(), Normal(), *drawn[:2]])
    few = Columns([Poisson(), Normal(), LogNormal(), drawn[2]])
    for made in (many, few):
        made.build((4,))
    prepared = [made.prepare_for_training(grey, seed).numpy()[:, 3] for made in (many, few)]
    drawn = [made.draw(params, stream(50)).numpy()[:, 1] for made in (many, few)]
    for first, second in (prepared, drawn):
        assert len(np.unique(first)) > 1 and np.array_equal(first, second)
