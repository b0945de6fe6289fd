"""Examples that lie on disk are the same, in the same order, as those in memory."""

import collections
import shutil

import numpy as np
import pytest

from tests.conftest import matches
from tests.datasets.test_pictures import write_images
from tests.datasets.test_records import write
from tfvae import datasets
from tfvae._files import mapped
from tfvae.app import early_stopping, fingerprints, suited
from tfvae.datasets import storage
from tfvae.errors import InputError

Usage = collections.namedtuple("Usage", ("total", "used", "free"))
RNG = np.random.default_rng(0)


def a_folder(folder):
    for name in ("cat", "dog"):
        write_images(folder / "x" / name, sizes=((9, 12), (8, 8), (10, 11)), mode="RGB")
    return folder / "x"


def records_of_pictures(folder):
    files = sorted(write_images(folder / "files", mode="L").iterdir())
    rows = [{"image": file.read_bytes(), "label": i % 3} for i, file in enumerate(files)]
    return write(folder / "x.tfrecord", rows)


def records_of_numbers(folder):
    return write(folder / "x.tfrecord", [{"x": RNG.normal(size=4)} for _ in range(30)])


def an_array(dtype):
    def save(folder):
        np.save(folder / "x.npy", (RNG.random((40, 3, 2)) * 200).astype(dtype))
        return folder / "x.npy"

    return save


def two_parts(folder):
    np.savez(folder / "x.npz", x_train=RNG.random((20, 4)), x_test=RNG.random((9, 4)))
    return folder / "x.npz"


SOURCES = {
    "pictures of a folder": a_folder,
    "pictures of records": records_of_pictures,
    "numbers of records": records_of_numbers,
    "float32": an_array("f4"),
    "float64": an_array("f8"),
    "of 8 bits": an_array("u1"),
    "big-endian": an_array(">f4"),
    "two parts": two_parts,
}


@pytest.mark.parametrize("name", SOURCES)
def test_examples_on_disk_are_those_in_memory(tmp_path, monkeypatch, name):
    path = SOURCES[name](tmp_path)
    here = datasets.load(path)
    monkeypatch.setattr(storage, "IN_MEMORY", 16)
    monkeypatch.setattr(mapped, "_PAGE", 20)  # numbers, so that there are several pages
    there = datasets.load(path)
    assert mapped.is_mapped(there.x_train) or name == "two parts"
    for part in ("x_train", "x_test", "y_train", "y_test"):
        assert np.array_equal(getattr(there, part), getattr(here, part))
    assert there.x_train.dtype == np.float32
    assert (there.note, there.classes) == (here.note, here.classes)

    assert np.array_equal(datasets.joined(there)[0], datasets.joined(here)[0])
    assert fingerprints.digests(there.x_train) == fingerprints.digests(here.x_train)
    assert suited.likelihood(there.x_train) == suited.likelihood(here.x_train)


def test_what_is_kept_back_and_standardized_is_so_on_disk(tmp_path, monkeypatch):
    path = an_array("f4")(tmp_path)
    here = datasets.load(path)
    rest, (back, _) = early_stopping.kept_back(here)
    made = suited.made(suited.STANDARDIZED, here.x_train)
    monkeypatch.setattr(storage, "IN_MEMORY", 16)
    monkeypatch.setattr(mapped, "_PAGE", 20)
    there = datasets.load(path)
    rest_there, (back_there, _) = early_stopping.kept_back(there)
    assert mapped.is_mapped(rest_there.x_train) and mapped.is_mapped(back_there)
    assert np.array_equal(rest_there.x_train, rest.x_train) and np.array_equal(back_there, back)
    assert suited.made(suited.STANDARDIZED, there.x_train).unit == pytest.approx(made.unit, 1e-12)


def test_numbers_beyond_float32_are_refused_wherever_they_are(tmp_path, monkeypatch):
    x = RNG.random((40, 6))
    x[37, 2] = 1e39
    np.save(tmp_path / "x.npy", x)
    monkeypatch.setattr(storage, "IN_MEMORY", 16)
    monkeypatch.setattr(mapped, "_PAGE", 20)
    with pytest.raises(InputError, match=matches("x.npy", "float32", r"1e\+39")):
        datasets.load(tmp_path / "x.npy")


def test_a_disk_without_room_is_named_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "IN_MEMORY", 16)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(0, 0, 2**30 + 3 * 2**20))
    with pytest.raises(InputError, match=matches("4 MiB", str(tmp_path), "my pictures", "3 MiB")):
        storage.empty((2**20,), "my pictures")
    assert storage.empty((2**19,), "numbers").shape == (2**19,)


def test_pictures_without_room_on_the_disk_are_refused_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "IN_MEMORY", 16)
    monkeypatch.setattr(storage, "_SPARE", 2**60)
    write_images(tmp_path)
    with pytest.raises(InputError, match=matches("8 pictures", "TMPDIR", "--image-size 64")):
        datasets.load(tmp_path)
