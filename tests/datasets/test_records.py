"""TFRecord files and prepared data sets, beside the same examples from elsewhere."""

import gzip
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.conftest import matches
from tests.datasets.test_pictures import write_images
from tfvae import datasets
from tfvae._files import mapped
from tfvae.datasets import pictures, storage
from tfvae.errors import InputError

RNG = np.random.default_rng(0)


def feature(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    value = np.ravel(value)
    if value.dtype.kind == "f":
        return tf.train.Feature(float_list=tf.train.FloatList(value=value))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=value))


def record(**values):
    features = tf.train.Features(feature={name: feature(v) for name, v in values.items()})
    return tf.train.Example(features=features).SerializeToString()


def write(path, rows):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row in rows:
            writer.write(record(**row))
    return path


def everything(dataset):
    x, y = datasets.joined(dataset)
    return x, y


def test_lists_of_numbers_and_their_labels_are_found_by_themselves(tmp_path):
    x, y = RNG.normal(size=(600, 5)).astype(np.float32), RNG.integers(0, 3, 600)
    rows = [{"pixels": a, "label": b, "weight": 0.5} for a, b in zip(x, y)]
    write(tmp_path / "a.tfrecord-00000-of-00002", rows[:350])
    write(tmp_path / "a.tfrecord-00001-of-00002", rows[350:])
    found = datasets.load(tmp_path)
    assert (len(found.x_train), len(found.x_test)) == (500, 100)
    assert np.array_equal(everything(found)[0], x) and np.array_equal(everything(found)[1], y)
    shaped = datasets.load(tmp_path, kinds={"pixels": "5x1", "label": "y"})
    assert np.array_equal(everything(shaped)[0], x[..., None])


def test_pictures_in_records_are_those_of_a_folder(tmp_path):
    folder = write_images(tmp_path / "images", sizes=((9, 12), (8, 8), (10, 11)), mode="RGB")
    kinds = [b"cat", b"dog", b"cat"]
    files = sorted(folder.iterdir())
    rows = [{"image/encoded": f.read_bytes(), "image/label": k} for f, k in zip(files, kinds)]
    found = datasets.load(write(tmp_path / "b.tfrecords", rows))
    x, y = everything(found)
    assert np.array_equal(x, pictures.read(folder).x)
    assert found.classes == ("cat", "dog") and y.tolist() == [0, 1, 0]
    assert "cropped at the centre and resized to 8x8" in found.note
    assert datasets.load(tmp_path / "b.tfrecords", image_size=4).event_shape == (4, 4, 3)


def test_values_of_8_bits_are_read_in_the_shape_that_was_said_also_packed(tmp_path):
    x = RNG.integers(0, 256, (7, 3, 4, 1)).astype(np.uint8)
    file = write(tmp_path / "c.tfrecord", [{"raw": each.tobytes()} for each in x])
    (tmp_path / "c.tfrecord.gz").write_bytes(gzip.compress(file.read_bytes()))
    for name in ("c.tfrecord", "c.tfrecord.gz"):
        found = datasets.load(tmp_path / name, kinds={"raw": "3x4x1"})
        assert np.array_equal(everything(found)[0], x.astype(np.float32) / np.float32(255))


def picture():
    file = io.BytesIO()
    Image.new("L", (4, 4)).save(file, "png")
    return file.getvalue()


@pytest.mark.parametrize(
    ("rows", "kinds", "words"),
    [
        ([{"a": [1.0, 2.0], "b": [3.0, 4.0]}], None, ["2 of the features a (floats, 2)", "=x"]),
        ([{"a": b"text"}], None, ["0 of the features a (bytes, 4)"]),
        ([{"a": [1.0, 2.0]}], {"c": "x"}, ["one of the features a", "c"]),
        ([{"a": [1.0, 2.0]}], {"a": "real"}, ["x, y or a shape", "real", "28x28x1"]),
        ([{"a": [1.0, 2.0]}], {"a": "3"}, ["3 values in each record", "a (floats, 2)"]),
        ([{"a": [1.0, 2.0]}, {"b": 1}], {"a": "x"}, ["absent in some"]),
        ([{"a": picture()}, {"a": picture()[:40]}], None, ["record 1 of", "to be an image"]),
        ([{"a": [1.0, 2.0]}], None, ["to train on and to hold out"]),
        ([], None, ["records with features"]),
    ],
)
def test_records_that_are_not_clear_are_refused_by_name(tmp_path, rows, kinds, words):
    file = write(tmp_path / "d.tfrecord", rows)
    with pytest.raises(InputError, match=matches("d.tfrecord")) as refused:
        datasets.load(file, kinds=kinds)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize("content", [b"no records at all", b""])
def test_a_file_of_another_format_is_named(tmp_path, content):
    (tmp_path / "e.tfrecord").write_bytes(content)
    with pytest.raises(InputError, match=matches("e.tfrecord")):
        datasets.load(tmp_path / "e.tfrecord")
    rows = [{"a": RNG.normal(size=3)} for _ in range(300)]
    whole = write(tmp_path / "f.tfrecord", rows).read_bytes()
    (tmp_path / "f.tfrecord").write_bytes(whole[: len(whole) - 10])
    with pytest.raises(InputError, match=matches("f.tfrecord", "TFRecords")):
        datasets.load(tmp_path / "f.tfrecord")


# Streams


def gathered(stream):
    return np.concatenate([batch.numpy() for batch in stream])


def rows_of(x):
    return sorted(x.reshape(len(x), -1).tolist())


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_stream_has_the_examples_of_load_in_another_order_each_epoch(tmp_path, mode):
    folder = write_images(tmp_path / "images", sizes=((9, 12), (8, 8)) * 20, mode=mode)
    files = sorted(folder.iterdir())
    write(tmp_path / "g.tfrecord", [{"image": f.read_bytes()} for f in files])
    expected = pictures.read(folder).x
    for path in (folder, tmp_path / "g.tfrecord"):
        assert np.array_equal(gathered(datasets.stream(path, 7, seed=None)), expected)
        stream = datasets.stream(path, 7, seed=3)
        assert tuple(stream.element_spec.shape[1:]) == expected.shape[1:]
        first, second = gathered(stream), gathered(stream)
        assert rows_of(first) == rows_of(second) == rows_of(expected)
        assert not np.array_equal(first, second) and not np.array_equal(first, expected)
        again = gathered(datasets.stream(path, 7, seed=3))
        assert np.array_equal(first, again)


def test_a_stream_of_numbers_is_that_of_the_records(tmp_path):
    x = RNG.normal(size=(50, 6)).astype(np.float32)
    file = write(tmp_path / "h.tfrecord", [{"a": each} for each in x])
    stream = datasets.stream(file, 8, kinds={"a": "2x3"}, seed=None)
    assert np.array_equal(gathered(stream), x.reshape(50, 2, 3))
    with pytest.raises(InputError, match=matches("nowhere", "TFRecord")):
        datasets.stream(tmp_path / "nowhere", 8)


# TensorFlow Datasets


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorflow_datasets", None)
    with pytest.raises(InputError, match=matches("tfds:mnist", "tfvae.tfds")):
        datasets.load("tfds:mnist")


@pytest.fixture
def tfds():
    return pytest.importorskip("tensorflow_datasets")


def made(tfds, folder, x, y, splits):
    """Prepares a data set as that package does."""

    class Squares(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            names = tfds.features.ClassLabel(names=["dark", "light"])
            image = tfds.features.Image(shape=(4, 4, 1))
            features = tfds.features.FeaturesDict({"image": image, "label": names})
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, manager):
            return {name: self._generate_examples(rows) for name, rows in splits.items()}

        def _generate_examples(self, rows):
            for i in rows:
                yield i, {"image": x[i], "label": int(y[i])}

    Squares(data_dir=folder).download_and_prepare()


@pytest.mark.parametrize("splits", [("train", "test"), ("train",)])
@pytest.mark.parametrize("in_memory", [2**30, 16])  # bytes; beyond, arrays lie on disk
def test_a_prepared_data_set_is_found_by_its_name(tfds, tmp_path, monkeypatch, splits, in_memory):
    monkeypatch.setattr(storage, "IN_MEMORY", in_memory)
    x = RNG.integers(0, 256, (12, 4, 4, 1)).astype(np.uint8)
    y = np.arange(12) % 2
    parts = dict(zip(splits, (range(8), range(8, 12)) if len(splits) == 2 else (range(12),)))
    made(tfds, tmp_path, x, y, parts)
    found = datasets.load("tfds:squares", tmp_path)
    assert (len(found.x_train), len(found.x_test)) == ((8, 4) if len(splits) == 2 else (10, 2))
    assert mapped.is_mapped(found.x_train) == (in_memory == 16)
    assert found.name == "squares" and found.classes == ("dark", "light")
    both = [*zip(found.x_train, found.y_train), *zip(found.x_test, found.y_test)]
    expected = {(each / np.float32(255)).astype(np.float32).tobytes(): k for each, k in zip(x, y)}
    assert {each.tobytes(): label for each, label in both} == expected


def test_a_name_that_is_unknown_there_is_told(tfds, tmp_path):
    with pytest.raises(InputError, match=matches("the name of a data set there", "nosuchset")):
        datasets.load("tfds:nosuchset", tmp_path)
