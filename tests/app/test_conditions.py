"""Labels of the data as conditions of the model, and of its samples."""

import json

import numpy as np
import pytest

from tests.conftest import matches
from tests.support.recording import record_run
from tfvae import datasets
from tfvae.app import conditions, runs
from tfvae.errors import InputError
from tfvae.export import Sampler

RNG = np.random.default_rng(0)
LABELS = {"condition_shape": [], "num_classes": 3}


@pytest.fixture
def labelled(tmp_path):
    """A file of vectors that their label decides, `x` and `y`."""
    y = np.arange(120) % 3
    x = (np.eye(3).repeat(2, axis=1)[y] + RNG.normal(0, 0.1, (120, 6))).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, y=y)
    return tmp_path / "data.npz"


def test_labels_reach_training_evaluation_and_files(tfvae_command, labelled, monkeypatch):
    calls = record_run(monkeypatch)
    options = ["--condition", "labels", "--early-stopping", 3, "--num-examples", 7, "--out", "run"]
    status, out, err = tfvae_command("train", labelled, *options)
    assert (status, err) == (0, "") and "one of the labels" in out
    (fit,), (evaluate,), (written,) = calls.fit, calls.evaluate, calls.to_tflite
    with np.load(labelled) as file:
        by_row = {row.tobytes(): label for row, label in zip(file["x"], file["y"])}
    for x, y in ((fit["x"], fit["y"]), (evaluate["x"], evaluate["y"]), fit["validation_data"]):
        assert len(x) == len(y) and {by_row[row.tobytes()] for row in x} == {0, 1, 2}
        assert all(by_row[row.tobytes()] == label for row, label in zip(x, y))
    assert (len(evaluate["x"]), len(written["data_y"])) == (7, 20)
    assert fit["self"].num_classes == 3


@pytest.mark.nightly
def test_a_conditional_run_draws_each_label_and_the_one_asked_for(tfvae_command, labelled):
    quick = ["--condition", "labels", "--epochs", 400, "--num-samples", 3, "--hidden", 32]
    assert tfvae_command("train", labelled, *quick, "--out", "run")[0] == 0
    report = json.loads((labelled.parent / "run" / runs.REPORT).read_text())
    assert report["export"]["parity"]["samples"] and report["settings"]["condition"] == "labels"

    assert tfvae_command("sample", "run", "--count", 9, "--out", "all.npz")[0] == 0
    assert tfvae_command("sample", "run", "--count", 9, "--label", 2, "--out", "two.npz")[0] == 0
    sampler = Sampler(labelled.parent / "run" / "decoder.tflite")
    for name, y in (("all", np.arange(9) // 3), ("two", np.full(9, 2))):
        with np.load(labelled.parent / f"{name}.npz") as file:
            assert np.array_equal(file["x"], sampler.sample(9, 0, y=y))
    with np.load(labelled.parent / "two.npz") as file:
        assert file["x"][:, 4:].mean() == pytest.approx(1, abs=0.2)
        assert file["x"][:, :4].mean() == pytest.approx(0, abs=0.2)
    status, _, err = tfvae_command("sample", "run", "--label", 3, "--out", "three.npz")
    assert status == 2 and "a number from 0 to 2" in err
    assert tfvae_command("evaluate", "run", "--num-samples", 3)[0] == 0


def test_samples_have_as_many_of_each_label_in_pages_as_at_once():
    at_once = conditions.of_samples(LABELS, 10)(0, 10)
    assert at_once.tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    pages = conditions.of_samples(LABELS, 10)
    assert np.concatenate([pages(0, 4), pages(4, 6)]).tolist() == at_once.tolist()
    assert conditions.of_samples(LABELS, 2)(0, 2).tolist() == [0, 1]


@pytest.mark.parametrize("label, number", [("2", 2), ("dog", 1), ("0", 0)])
def test_one_label_is_named_or_numbered(label, number):
    y = conditions.of_samples(LABELS, 4, label, ("cat", "dog", "eel"))(0, 4)
    assert y.tolist() == [number] * 4


def test_known_numbers_are_taken_in_turn():
    numbers = {"condition_shape": [2], "num_classes": None}
    known = np.arange(6.0).reshape(3, 2)
    found = conditions.of_samples(numbers, 5, known=known)
    assert found(2, 3).tolist() == known[[2, 0, 1]].tolist()
    with pytest.raises(InputError, match=matches("Sampler")):
        conditions.of_samples(numbers, 5)


@pytest.mark.parametrize(
    "label, metadata, words",
    [
        ("3", LABELS, "from 0 to 2"),
        ("-1", LABELS, "from 0 to 2"),
        ("cow", LABELS, "cat, dog"),
        ("0", {"condition_shape": None, "num_classes": None}, "leave --label out"),
    ],
)
def test_a_label_that_there_is_not_is_refused(label, metadata, words):
    with pytest.raises(InputError, match=words):
        conditions.of_samples(metadata, 4, label, ("cat", "dog"))


def test_labels_are_counted_by_names_and_by_both_parts():
    x, y = np.zeros((4, 2), np.float32), np.array([0, 1, 1, 0], np.int32)
    assert conditions.of_model(datasets.Dataset("d", x, x, y, y + 1)) == 3
    assert conditions.of_model(datasets.Dataset("d", x, x, y, y, classes=tuple("abcde"))) == 5
    assert conditions.of_model(datasets.Dataset("d", x, x, x + 0.5, x)) == (2,)


@pytest.mark.parametrize("condition", ["labels", "label"])
def test_data_without_labels_and_other_words_are_refused(condition):
    x = np.zeros((4, 2), np.float32)
    with pytest.raises(InputError, match=matches("condition labels")):
        conditions.check(condition, datasets.Dataset("d", x, x))
