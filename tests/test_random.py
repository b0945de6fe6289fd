"""The counter-based stream against published answers, a NumPy reference and JAX."""

import functools
from pathlib import Path

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference, matches
from tests.golden import needs_their_keras
from tfvae import random
from tfvae.seeds import as_int32, check_range

# See make_jax_normal.py there.
VECTORS = np.load(Path(__file__).parent / "vectors" / "jax_normal.npz")
SEEDS = sorted({int(name.split("_")[1]) for name in VECTORS})

# Random123's kat_vectors, threefry2x32 with 20 rounds: counter, key, output.
KNOWN_ANSWERS = [
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


def numpy_threefry(key, counter):
    """Threefry-2x32-20 as the paper writes it, in NumPy's own unsigned arithmetic."""
    key = [np.uint32(k) for k in key]
    keys = [*key, key[0] ^ key[1] ^ np.uint32(0x1BD11BDA)]
    x = [np.asarray(c, np.uint32) for c in counter]
    with np.errstate(over="ignore"):
        x = [x[0] + keys[0], x[1] + keys[1]]
        for i in range(20):
            r = np.uint32([13, 15, 26, 6, 17, 29, 16, 24][i % 8])
            x[0] = x[0] + x[1]
            x[1] = ((x[1] << r) | (x[1] >> (np.uint32(32) - r))) ^ x[0]
            if i % 4 == 3:
                s = i // 4 + 1
                x = [x[0] + keys[s % 3], x[1] + keys[(s + 1) % 3] + np.uint32(s)]
    return x


def words(pair):
    return tuple(tf.constant(np.asarray(w, np.uint32).view(np.int32)) for w in pair)


@pytest.mark.parametrize(("counter", "key", "output"), KNOWN_ANSWERS)
def test_threefry_gives_the_published_answers(counter, key, output):
    found = random.threefry2x32(words(key), words(counter))
    assert tuple(int(np.asarray(w).view(np.uint32)) for w in found) == output
    assert tuple(int(w) for w in numpy_threefry(key, counter)) == output


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("unrolled", [False, True])
def test_threefry_equals_the_numpy_reference_bit_for_bit(compiled, unrolled):
    numbers = np.random.default_rng(0).integers(0, 2**32, (4, 10_000), dtype=np.uint32)
    function = functools.partial(random.threefry2x32, unrolled=unrolled)
    if compiled:
        function = tf.function(function, jit_compile=True)
    for column in (0, 9_999):
        key = (numbers[0, column], numbers[1, column])
        found = function(words(key), words(numbers[2:]))
        expected = numpy_threefry(key, numbers[2:])
        assert all((np.asarray(f).view(np.uint32) == e).all() for f, e in zip(found, expected))


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("how", ["eager", "graph", "unrolled"])
def test_streams_side_by_side_are_those_one_by_one_bit_for_bit(how, rows):
    tags, width = (7, 0, 31), 4
    one = random.Stream(random.seed_key(3), tf.constant([5, 0, 9]), unrolled=how == "unrolled")

    def drawn():
        many = one.side_by_side(tags, rows)
        within = many.fold_in(2)
        size = rows * len(tags) * width
        return many.bits(size), within.uniform(size), many.normal(size), *many.uniforms(2, size)

    found = drawn() if how == "eager" else tf.function(drawn, jit_compile=how == "unrolled")()
    several = one.side_by_side(tags, rows)
    assert np.array_equal(several.of([1]).bits(9), one.fold_in(tags[1]).bits(9))
    some = one.side_by_side([tags[2], tags[0]], rows)
    assert np.array_equal(several.of([2, 0]).bits(2 * rows), some.bits(2 * rows))
    for i, tag in enumerate(tags):
        alone = one.fold_in(tag)
        of_tag = [np.reshape(each, (3, rows, len(tags), width))[:, :, i] for each in found]
        size = rows * width
        expected = (
            alone.bits(size),
            alone.fold_in(2).uniform(size),
            alone.normal(size),
            *alone.uniforms(2, size),
        )
        for each, by_itself in zip(of_tag, expected, strict=True):
            assert largest_difference(each.reshape(3, -1), by_itself) < 1e-6


@pytest.mark.parametrize("seed", SEEDS)
def test_the_stream_is_jax_random(seed):
    expected = VECTORS[f"normal_{seed}"]
    stream = random.Stream(random.seed_key(as_int32(seed)), tf.range(len(expected)))
    assert largest_difference(stream.normal(expected.shape[1]), expected) < 1e-6
    assert largest_difference(stream.uniform(expected.shape[1]), VECTORS[f"uniform_{seed}"]) == 0
    folded = stream.fold_in(random.TAGS["draw"])
    assert largest_difference(folded.normal(expected.shape[1]), VECTORS[f"folded_{seed}"]) < 1e-6


def test_every_uniform_becomes_a_finite_normal_close_to_the_exact_one():
    mantissas = np.arange(2**23, dtype=np.float32)
    u = mantissas * np.float32(2.0**-22) - np.float32(0.99999994)
    assert (np.abs(u) < 1).all()
    assert (u != 0).all()
    found = np.asarray(random.erfinv(tf.constant(u)))
    assert np.isfinite(found).all()
    error = np.abs(found - scipy.special.erfinv(u.astype(np.float64)))
    assert error[np.abs(u) < 0.999].max() < 4e-6
    assert error.max() < 2e-5  # 1 - u*u has few bits left at the ends, in JAX as here


def test_a_sample_depends_on_its_number_alone():
    key = random.seed_key(tf.constant([7]))
    whole, two = random.Stream(key, tf.range(40)), random.Stream(key, tf.constant([37, 2]))
    assert largest_difference(two.bits(5), tf.gather(whole.bits(5), [37, 2])) == 0
    assert largest_difference(two.normal(5), tf.gather(whole.normal(5), [37, 2])) < 1e-6


def test_the_counter_wraps_above_two_to_the_31():
    index = 2**32 // 16 - 1
    found = random.Stream(random.seed_key(tf.constant(3)), tf.constant([index])).bits(16)
    low = (np.arange(16) + index * 16).astype(np.uint32)
    high_word, low_word = numpy_threefry((0, 3), (np.zeros(16, np.uint32), low))
    assert (np.asarray(found).view(np.uint32)[0] == (high_word ^ low_word)).all()


@pytest.mark.parametrize("seed", [-(2**31) - 1, 2**32])
def test_a_seed_of_more_than_32_bits_is_refused(seed):
    with pytest.raises(ValueError, match=matches("seed")):
        as_int32(seed)


@pytest.mark.parametrize("seed", [1.5, "7", True, None])
def test_a_seed_that_is_no_whole_number_is_refused(seed):
    with pytest.raises(TypeError, match=matches("seed")):
        as_int32(seed)


def test_seeds_keep_their_32_bits():
    found = [as_int32(seed) for seed in (0, 2**31 - 1, 2**31, 2**32 - 1, -1)]
    assert found == [0, 2**31 - 1, -(2**31), -1, -1]


@pytest.mark.parametrize(
    ("start", "count", "size"), [(-1, 4, 8), (0, 0, 8), (2**29 - 3, 4, 8), (0, 2**32 + 1, 1)]
)
def test_what_leaves_the_stream_is_refused(start, count, size):
    with pytest.raises(ValueError, match=matches()):
        check_range(start, count, size)


def test_the_last_sample_of_the_stream_is_allowed():
    check_range(2**29 - 4, 4, 8)


def integers(value):
    """A whole number in every type of NumPy's and TensorFlow's that holds it, and Python's."""
    types = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
    holding = [t for t in types if np.iinfo(t).min <= value <= np.iinfo(t).max]
    found = [value, *[t(value) for t in holding], *[np.array(value, t) for t in holding]]
    return [*found, *[tf.constant(value, t) for t in holding]]


@pytest.mark.parametrize("seed", [7, 100, -1, -(2**31), 2**31 - 1, 2**31, 2**32 - 1])
def test_a_seed_of_any_type_is_the_same_seed(seed):
    expected = int(np.array(seed % 2**32, np.uint32).view(np.int32))
    assert [as_int32(given) for given in integers(seed)] == [expected] * len(integers(seed))


@pytest.mark.parametrize(
    "value", [np.float32(3.0), np.bool_(True), np.array([3]), tf.constant(3.0)]
)
def test_what_is_no_integer_of_any_type_is_refused(value):
    with pytest.raises(TypeError, match=matches("seed")):
        as_int32(value)
    with pytest.raises(TypeError, match=matches("start")):
        check_range(value, 1, 8)


@pytest.mark.parametrize("start", [100, 2**31 - 1, 2**32 // 8])
def test_a_range_of_small_types_does_not_wrap_past_the_end_of_the_stream(start):
    for given in integers(start):
        for count in integers(127):
            if (start + 127) * 2**24 <= 2**32:
                assert check_range(given, count, np.int32(2**24)) == (start, 127)
            else:
                with pytest.raises(ValueError, match=matches("length of one seed's stream")):
                    check_range(given, count, np.int32(2**24))
    assert check_range(np.int8(100), np.int8(100), np.int8(64)) == (100, 100)


@needs_their_keras
def test_samples_do_not_depend_on_the_type_of_their_seed_and_number():
    """Against JAX's normals of that seed, which lie one after the other, in model and file."""
    golden = Path(__file__).parent / "golden" / "0.1.0" / "plain"
    vae = tfvae.load_model(golden.with_suffix(".keras"))
    sampler = tfvae.export.Sampler(golden.with_suffix(".tflite"))
    expected = VECTORS["normal_7"].reshape(-1, 2)[120:123]
    for n, seed, start in zip(integers(3), integers(7), integers(120)):
        drawn = vae.sample_latent(n, seed=seed, start=start)
        assert largest_difference(drawn, expected) < 1e-6
        _, drawn = sampler.sample(n, seed=seed, start=start, return_latent=True)
        assert largest_difference(drawn, expected) < 1e-6


@pytest.mark.parametrize("seed", [np.int8(7), np.uint32(2**32 - 1), np.array(7), 2**32 - 1])
def test_seeds_of_models_and_priors_take_any_type(seed):
    vaes = [
        tfvae.mlp_vae((4,), 2, (3,), seed=s, prior=tfvae.priors.VampPrior(2, seed=s))
        for s in (seed, int(seed))
    ]
    assert vaes[0].loop_hooks.order_seed() == vaes[1].loop_hooks.order_seed() == int(seed)
    assert np.array_equal(*[vae.prior.pseudo_inputs.numpy() for vae in vaes])
    assert [vae.get_config()["seed"] for vae in vaes] == [int(seed)] * 2
    assert tfvae.priors.ExPostMixture(1, seed).seed == int(seed)


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: tfvae.mlp_vae((4,), 2, (3,), seed=seed),
        lambda seed: tfvae.priors.VampPrior(2, seed=seed),
        lambda seed: tfvae.priors.ExPostMixture(2, seed=seed),
    ],
)
@pytest.mark.parametrize("seed", [-1, 2**32, True, 7.0])
def test_seeds_beyond_the_generators_are_refused(make, seed):
    with pytest.raises(ValueError, match=matches("seed")):
        make(seed)
