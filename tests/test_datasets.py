"""Data by name and by path, on small files of the published formats."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import matches
from tfvae import datasets, readers

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


def write_images(folder, sizes=((6, 5),) * 8, mode="L"):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for i, (width, height) in enumerate(sizes):
        shape = (height, width) if mode == "L" else (height, width, 3)
        Image.fromarray(rng.integers(0, 256, shape).astype(np.uint8)).save(folder / f"{i:02}.png")
    return folder


def test_the_digits_are_in_the_package_and_split_the_same_each_time():
    first, second = datasets.load("digits"), datasets.load("digits")
    assert (first.x_train.shape, first.x_test.shape) == ((1498, 8, 8, 1), (299, 8, 8, 1))
    assert first.x_train.dtype == np.float32
    assert (first.x_train.min(), first.x_train.max()) == (0.0, 1.0)
    assert (first.x_train == second.x_train).all()
    assert sorted(np.unique(first.y_train)) == list(range(10))
    (x_train, y_train), (x_test, y_test) = first
    assert len(x_train) == len(y_train)
    assert len(x_test) == len(y_test)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_idx_files_are_read_as_published(tmp_path, monkeypatch, name):
    write_mnist(tmp_path, name)
    found = datasets.load(name, tmp_path)
    assert (found.x_train.shape, found.x_test.shape) == ((30, 28, 28, 1), (10, 28, 28, 1))
    raw = readers.read_idx(tmp_path / name / "train-images-idx3-ubyte.gz")
    assert np.array_equal(np.round(found.x_train[..., 0] * 255), raw)
    monkeypatch.setenv("TFVAE_DATA", str(tmp_path))
    assert np.array_equal(datasets.load(name).x_train, found.x_train)


DAMAGED = [b"", b"not gzip", gzip.compress(b"\0\0\x08"), gzip.compress(b"\0\0\x08\x01\0\0\0\x09abc")]


@pytest.mark.parametrize("damage", DAMAGED, ids=["empty", "not gzip", "no sizes", "too short"])
def test_a_damaged_idx_file_is_named(tmp_path, damage):
    write_mnist(tmp_path, "mnist")
    (tmp_path / "mnist" / "train-labels-idx1-ubyte.gz").write_bytes(damage)
    with pytest.raises(ValueError, match=matches("train-labels-idx1-ubyte.gz")):
        datasets.load("mnist", tmp_path)


def test_binarized_mnist_is_read_as_published(tmp_path):
    rows = {
        part: np.random.default_rng(0).integers(0, 2, (n, 784), np.uint8) for part, n in (("train", 9), ("valid", 4), ("test", 5))
    }
    (tmp_path / "binarized_mnist").mkdir()
    np.savez(tmp_path / "binarized_mnist" / "binarized_mnist.npz", **rows)
    found = datasets.load("binarized_mnist", tmp_path)
    assert (found.x_train.shape, found.x_test.shape) == ((9, 28, 28, 1), (5, 28, 28, 1))
    assert np.array_equal(found.x_test.reshape(5, 784), rows["test"])
    assert not datasets.is_grey(found.x_train)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_absent_files_are_downloaded_by_keras(tmp_path, monkeypatch, name):
    import keras

    x, y = np.zeros((4, 28, 28), np.uint8), np.zeros(4, np.uint8)
    monkeypatch.setattr(getattr(keras.datasets, name), "load_data", lambda: ((x, y), (x[:2], y[:2])))
    assert datasets.load(name, tmp_path).x_test.shape == (2, 28, 28, 1)


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
    with pytest.raises(ValueError, match=matches("digits, mnist, fashion_mnist, binarized_mnist", "'mnits'")):
        datasets.load("mnits")


def test_arrays_are_taken_as_they_are_and_bytes_are_scaled(tmp_path):
    x = np.random.default_rng(0).normal(size=(24, 5))
    np.save(tmp_path / "x.npy", x)
    found = datasets.load(tmp_path / "x.npy")
    assert (found.x_train.shape, found.x_test.shape) == ((20, 5), (4, 5))
    assert np.allclose(np.sort(np.concatenate([found.x_train, found.x_test]), 0), np.sort(x, 0))
    np.savez(tmp_path / "pair.npz", x_train=np.full((6, 4, 4), 255, np.uint8), x_test=np.zeros((2, 4, 4), np.uint8))
    pair = datasets.load(tmp_path / "pair.npz")
    assert (pair.x_train.max(), pair.x_test.shape, pair.note) == (1.0, (2, 4, 4), "8-bit values divided by 255")
    np.savez(tmp_path / "one.npz", pictures=x)
    assert datasets.load(tmp_path / "one.npz").x_train.shape == (20, 5)


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


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_file_that_is_no_array_is_named(tmp_path, suffix):
    (tmp_path / f"text{suffix}").write_text("hello")
    with pytest.raises(ValueError, match=matches(f"text{suffix}")):
        datasets.load(tmp_path / f"text{suffix}")
    with pytest.raises(ValueError, match=matches(f"gone{suffix}")):
        datasets.load(tmp_path / f"gone{suffix}")


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_a_folder_of_images_is_read_in_order(tmp_path, mode, channels):
    write_images(tmp_path / "images", mode=mode)
    (tmp_path / "images" / "notes.txt").write_text("not an image")
    images = readers.read_images(tmp_path / "images")
    assert images.shape == (8, 5, 6, channels)
    assert 0 <= images.min() < images.max() <= 1
    assert np.array_equal(np.round(images[3] * 255).squeeze(), np.asarray(Image.open(tmp_path / "images" / "03.png")))
    assert datasets.load(tmp_path / "images").x_train.shape == (7, 5, 6, channels)


def test_an_unreadable_image_is_named(tmp_path):
    folder = write_images(tmp_path / "images")
    (folder / "05.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=matches("05.png")):
        datasets.load(folder)


def test_a_truncated_image_is_named(tmp_path):
    folder = write_images(tmp_path / "images", sizes=((60, 50),) * 3)
    whole = (folder / "01.png").read_bytes()
    (folder / "01.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=matches("01.png")):
        datasets.load(folder)


def test_images_of_two_sizes_are_refused_by_name(tmp_path):
    folder = write_images(tmp_path / "images", sizes=((6, 5), (6, 5), (7, 5)))
    with pytest.raises(ValueError, match=matches("02.png", r"\(5, 7\)", r"\(5, 6\)")):
        datasets.load(folder)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=matches("images in")):
        datasets.load(tmp_path)


def test_fewer_examples_than_one_batch_are_refused(digits):
    datasets.check_batches(digits, 299)
    with pytest.raises(ValueError, match=matches("at least one batch of 300", "299 examples held out")):
        datasets.check_batches(digits, 300)


def test_binarization_is_a_seeded_draw_with_the_pixel_as_probability():
    x = np.full((2000, 3), 0.3, np.float32)
    first = datasets.binarize(x, seed=1)
    assert set(np.unique(first)) == {0.0, 1.0}
    assert first.mean() == pytest.approx(0.3, abs=0.02)
    assert np.array_equal(datasets.binarize(x, seed=1), first)
    assert not np.array_equal(datasets.binarize(x, seed=2), first)
    assert np.array_equal(datasets.binarize(first, seed=3), first)


@real_data
@pytest.mark.parametrize(
    ("name", "train", "mean"), [("mnist", 60000, 0.1307), ("fashion_mnist", 60000, 0.2860), ("binarized_mnist", 50000, 0.1306)]
)
def test_real_data_sets_have_their_published_sizes_and_means(name, train, mean):
    found = datasets.load(name, Path(REAL))
    assert (len(found.x_train), len(found.x_test)) == (train, 10000)
    assert found.x_train.mean() == pytest.approx(mean, abs=2e-3)
