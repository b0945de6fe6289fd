"""Files of data: what is read of them, and the name of the one that cannot be read."""

import gzip
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import matches
from tests.datasets.test_datasets import write_idx, write_mnist
from tfvae import datasets
from tfvae.datasets import readers

# IDX


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(8, ">u1"), (9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")],
)
@pytest.mark.parametrize("shape", [(6,), (3, 2), (1, 3, 2)])
def test_an_idx_file_of_each_type_is_read(tmp_path, code, dtype, shape):
    """Numbers with another value in the other order of bytes."""
    array = np.array([1, -2, 3, 100, 7, 0]).astype(dtype).reshape(shape)
    header = struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape)
    (tmp_path / "x.gz").write_bytes(gzip.compress(header + array.tobytes()))
    found = readers.read_idx(tmp_path / "x.gz")
    assert found.shape == shape
    assert found.tolist() == array.tolist()


NO_SIZES, TOO_SHORT = b"\0\0\x08", b"\0\0\x08\x01\0\0\0\x09abc"
DAMAGED = {
    "empty": b"",
    "not gzip": b"not gzip",
    "no sizes": gzip.compress(NO_SIZES),
    "too short": gzip.compress(TOO_SHORT),
    "too long": gzip.compress(TOO_SHORT + b"defghij"),
    "another kind": gzip.compress(b"\1" + TOO_SHORT[1:] + b"defghi"),
    "unknown type": gzip.compress(b"\0\0\x0a" + TOO_SHORT[3:] + b"defghi"),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_idx_file_is_named(tmp_path, damage):
    write_mnist(tmp_path, "mnist")
    (tmp_path / "mnist" / "train-labels-idx1-ubyte.gz").write_bytes(damage)
    with pytest.raises(ValueError, match=matches("train-labels-idx1-ubyte.gz")):
        datasets.load("mnist", tmp_path)


# NumPy


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_file_that_is_no_array_is_named(tmp_path, suffix):
    (tmp_path / f"text{suffix}").write_text("hello")
    with pytest.raises(ValueError, match=matches(f"text{suffix}")):
        datasets.load(tmp_path / f"text{suffix}")
    with pytest.raises(ValueError, match=matches(f"gone{suffix}")):
        datasets.load(tmp_path / f"gone{suffix}")


def bomb(path):
    """A file of zeros that unpacks to a thousand times its size."""
    zeros = np.zeros(2**29, np.uint8)
    if path.suffix == ".npz":
        np.savez_compressed(path, x=zeros)
    else:
        header = struct.pack(">HBB1I", 0, 8, 1, len(zeros))
        path.write_bytes(gzip.compress(header + zeros.tobytes(), 9))


@pytest.mark.parametrize("name", ["x.npz", "x.gz"])
def test_a_file_that_would_fill_the_memory_is_refused_before_it_does(tmp_path, name):
    bomb(tmp_path / name)
    read = readers.read_npz if name == "x.npz" else readers.read_idx
    tracemalloc.start()
    with pytest.raises(ValueError, match=matches(name, "unpacks to")):
        read(tmp_path / name)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_an_array_that_is_shorter_than_it_states_takes_no_memory(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 2)))
    whole = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(whole.replace(b"(2, 2), }   ", b"(2, 99999), }"[:12]))
    with pytest.raises(ValueError, match=matches("x.npy")):
        readers.read_npy(tmp_path / "x.npy")


@pytest.mark.parametrize("name", ["x.npz", "x.npy", "x.gz"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    read = {".npz": readers.read_npz, ".npy": readers.read_npy, ".gz": readers.read_idx}
    with pytest.raises(ValueError, match=matches(name, "regular")):
        read[Path(name).suffix](tmp_path / name)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("labels_of_another_count", ["labels", "29"]),
        ("labels_for_images", ["images", "t10k-images"]),
        ("images_for_labels", ["label", "t10k-labels"]),
    ],
)
def test_images_and_labels_that_do_not_belong_together_are_refused(tmp_path, wrong, words):
    write_mnist(tmp_path, "mnist")
    folder = tmp_path / "mnist"
    images, labels = (folder / f"t10k-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1"))
    if wrong == "labels_for_images":
        images.write_bytes(labels.read_bytes())
    elif wrong == "images_for_labels":
        labels.write_bytes(images.read_bytes())
    else:
        write_idx(folder / "train-labels-idx1-ubyte.gz", np.zeros(29))
    with pytest.raises(ValueError, match=matches(*words)):
        datasets.load("mnist", tmp_path)


def test_labels_beside_arrays_are_read_and_split_with_them(tmp_path):
    x, y = np.arange(24).reshape(12, 2), np.arange(12) + 100
    np.savez(tmp_path / "one.npz", x=x, y=y)
    found = datasets.load(tmp_path / "one.npz")
    for examples, labels in found:
        assert (examples[:, 0] / 2 + 100 == labels).all() and labels.dtype == np.int32
    np.savez(tmp_path / "two.npz", x_train=x, x_test=x[:3], y_train=y / 8, y_test=y[:3] / 8)
    found = datasets.load(tmp_path / "two.npz")
    assert (found.y_train == y / 8).all() and found.y_test.dtype == np.float32


@pytest.mark.parametrize("y", [np.zeros(11), np.array(["a"] * 12), np.array(3)])
def test_labels_that_are_no_labels_are_refused(tmp_path, y):
    np.savez(tmp_path / "one.npz", x=np.zeros((12, 2)), y=y)
    with pytest.raises(ValueError, match=matches("y in", "12 examples", "one.npz")):
        datasets.load(tmp_path / "one.npz")


class Attack:
    """What unpickling runs: it makes a folder of this name."""

    def __init__(self, name):
        self.name = name

    def __reduce__(self):
        return os.mkdir, (self.name,)


@pytest.mark.parametrize("name", ["x.npz", "x.npy"])
def test_what_is_pickled_in_a_file_is_never_run(tmp_path, name):
    attack = np.array([Attack(str(tmp_path / "ran"))], dtype=object)
    save = np.savez if name == "x.npz" else np.save
    save(tmp_path / name, attack)
    with pytest.raises((ValueError, TypeError), match=matches(name)):
        datasets.load(tmp_path / name)
    assert not (tmp_path / "ran").exists()
