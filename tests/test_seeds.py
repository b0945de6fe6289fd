"""Every purpose has noise of its own, by the table `random.TAGS`."""

import ast
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.models.test_conformance import eagerly
from tests.support import zoo
from tests.support.by_hand import drawn
from tests.support.nightly import nightly
from tfvae import evaluation, likelihoods, priors, random
from tfvae.imputation import impute

COUNT = 20_000
# Not the hierarchies, of which TFP draws one z more for its shapes, by a fixed seed.
OF_EVERY_DRAW = (
    "diagonal-mixture",
    "full-vamp",
    "planar-standard",
    "sphere-sphere",
    "relaxed-relaxed",
    "two_layers",
    "bernoulli_dynamic-elbo-pathwise",
    "bernoulli-beta_tc-pathwise",
)
SOURCES = [path for path in Path(tfvae.__file__).parent.rglob("*.py") if path.name != "random.py"]
SOURCES += Path(tfvae.export.__file__).parent.glob("*.py")


def correlations(rows):
    """The largest between two different rows."""
    found = np.abs(np.corrcoef(rows))
    return (found - np.eye(len(found))).max()


def test_no_two_tags_are_equal():
    assert len(set(random.TAGS.values())) == len(random.TAGS)
    assert min(random.TAGS.values()) > 0


def test_streams_of_different_purposes_are_uncorrelated():
    """Of samples, the layers of a purpose and the next seed among them, by 5 standard errors."""
    for seed in (0, 7):
        keys = random.seed_key(tf.constant(seed)), random.seed_key(tf.constant(seed + 1))
        streams = [random.Stream(key, tf.range(COUNT)) for key in keys]
        streams += [streams[0].fold_in(tag) for tag in random.TAGS.values()]
        streams += [streams[0].fold_in(random.TAGS["layer"]).fold_in(layer) for layer in (1, 2, 3)]
        for draw in (random.Stream.uniform, random.Stream.normal):
            rows = np.stack([draw(stream, 1).numpy()[:, 0] for stream in streams])
            assert correlations(rows) < 5 / np.sqrt(COUNT)


def test_seeds_of_different_purposes_are_uncorrelated():
    """Of training and evaluation, under neighbouring pairs."""
    pairs = [tf.constant(pair) for pair in ((0, 0), (0, 1), (1, 0))]
    seeds = [random.seed_for(pair, name) for pair in pairs for name in random.TAGS]
    seeds += [random.seed_for(seeds[0], name) for name in random.TAGS] + pairs
    for draw in (tf.random.stateless_uniform, tf.random.stateless_normal):
        rows = np.stack([draw([COUNT], seed) for seed in seeds])
        assert correlations(rows) < 6 / np.sqrt(COUNT)


def calls(name):
    """Arguments, as written, of every call of a function or method of that name in the package."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            called = getattr(node, "func", None)
            if getattr(called, "attr", getattr(called, "id", None)) == name:
                yield path.name, [ast.unparse(argument) for argument in node.args]


def test_every_purpose_in_the_package_is_of_the_table():
    used = {ast.literal_eval(arguments[1]) for _, arguments in calls("seed_for")}
    for name, (*_, tag) in calls("fold_in"):
        if tag.startswith("random.TAGS["):
            used.add(ast.literal_eval(tag.removeprefix("random.TAGS[").removesuffix("]")))
        else:  # the number of a layer, a column, a chunk or a replica, under such a purpose
            numbers = {
                ("columns.py", "i"),
                ("hierarchy.py", "layer"),
                ("block_estimates.py", "first // samples"),
                ("replicas.py", "_number()"),
            }
            assert (name, tag) in numbers
    assert used == set(random.TAGS)
    assert not [path for path in SOURCES if "tf.random.split" in path.read_text()]


@pytest.fixture
def streams(monkeypatch):
    """Key and counter of every float that is drawn eagerly, by TensorFlow or by `random.Stream`."""
    found, bits = [], random.Stream.bits

    def noted(stream, size):
        if tf.executing_eagerly():
            found.append(("stream", *(int(np.ravel(word)[0]) for word in stream.key)))
        return bits(stream, size)

    monkeypatch.setattr(random.Stream, "bits", noted)
    with drawn() as noise:
        yield lambda: found + [draw.stream for draw in noise]


@pytest.mark.parametrize("name", OF_EVERY_DRAW)
def test_no_two_draws_of_a_fit_share_a_stream(streams, name):
    vae, x, y = zoo.BUILDERS[name]()
    vae.compile(run_eagerly=True)
    before = len(streams())  # weights were drawn before
    vae.fit(x, y, batch_size=5, verbose=0)
    found = streams()[before:]
    assert len(set(found)) == len(found)
    assert len(found) >= 3  # of three batches


def test_no_two_calls_share_a_stream_under_the_same_seed(streams):
    """Nor does a Dropout whose seed is the model's."""
    dense = keras.layers.Dense
    encoder = keras.Sequential([keras.Input((6,)), keras.layers.Dropout(0.5, seed=0), dense(4)])
    decoder = keras.Sequential([keras.Input((2,)), dense(6)])
    likelihood = likelihoods.Observed(likelihoods.Bernoulli(dynamic_binarization=True))
    vae = tfvae.VAE(encoder, decoder, likelihood=likelihood, seed=0)
    vae.compile(run_eagerly=True)
    x, before = zoo.grey(12, (6,)), len(streams())
    vae.fit(x, batch_size=5, verbose=0)
    vae.evaluate(x, batch_size=5, verbose=0)
    vae.terms((x > 0.5), 2, seed=0)
    with eagerly():
        evaluation.estimate(vae, x, 3, seed=0)
    impute(vae, x, 3, seed=0, draws=2)
    priors.ExPostMixture(2, seed=0).fit(vae, x)
    vae.sample(3, seed=0, draw=True)
    found = streams()[before:]
    assert len(set(found)) == len(found)
    assert len(found) >= 3 * 3 + 2 * 3 + 2 + 1 + 3 + 1 + 2


@pytest.mark.parametrize("jit_compile", [False, nightly(True)])
def test_the_draws_that_make_data_binary_are_independent_of_the_latents(jit_compile):
    """-log p = log(1 + exp(l)) - x l of a logit l; for x and z independent, E[x l] = E[l] / 2 = 0.

    The data are grey, all 1/2, q = p = N(0, I), and each logit mixes all latents.
    """
    size, count = 8, 20_000
    mixing = np.random.default_rng(4).random((size, size), np.float32)
    layer = keras.layers.Dense(2 * size, kernel_initializer="zeros")
    encoder = keras.Sequential([keras.Input((size,)), layer])
    decoder = keras.Sequential([keras.Input((size,)), keras.layers.Dense(size)])
    layer.bias.assign([0.0] * size + [np.log(np.e - 1)] * size)
    decoder.set_weights([mixing, np.zeros(size)])
    likelihood = likelihoods.Bernoulli(dynamic_binarization=True)
    vae = tfvae.VAE(encoder, decoder, likelihood=likelihood, seed=1)
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=jit_compile)
    x = np.full((count, size), 0.5, np.float32)
    found = vae.fit(x, batch_size=count, epochs=2, verbose=0).history["distortion"]
    spread = np.sqrt((mixing**2).sum(axis=0))  # of each logit
    grid, weights = np.polynomial.hermite_e.hermegauss(80)
    expected = sum((weights * np.logaddexp(0, s * grid)).sum() / np.sqrt(2 * np.pi) for s in spread)
    stderr = np.sqrt(size * (spread**2).sum() / count)  # at most
    assert found == pytest.approx([expected] * 2, abs=3 * stderr)
    assert found[0] != found[1]
