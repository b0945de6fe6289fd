"""Sidecars that are not their file's, and copies of samplers."""

import copy
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import matches
from tests.golden import __file__ as golden
from tfvae.export import Sampler, sidecar, to_web
from tfvae.export.runtime import CompiledRuntime

FOLDER = Path(golden).parent / "0.1.0"
ABSENT = object()


@pytest.fixture
def altered(tmp_path):
    """Writes a copy of a golden file with changes to its sidecar, and returns its path."""

    def write(name, **changes):
        path = tmp_path / f"{name}.tflite"
        shutil.copyfile(FOLDER / path.name, path)
        told = json.loads((FOLDER / f"{name}.json").read_text())
        told.update(changes)
        told = {key: value for key, value in told.items() if value is not ABSENT}
        sidecar.sidecar_path(path).write_text(json.dumps(told))
        return path

    return write


def refused(path, *words):
    """By everything that reads a file, with one message."""
    for read in (Sampler, lambda p: Sampler(p, compiled=True), lambda p: to_web(p, p.parent / "w")):
        with pytest.raises(ValueError, match=matches(*words)):
            read(path)


@pytest.mark.parametrize(
    "key",
    [
        "batch_sizes",
        "condition_dtype",
        "condition_shape",
        "event_shape",
        "latent_dim",
        "latent_sizes",
        "likelihood",
        "num_classes",
        "outputs",
        "package_version",
        "posterior",
        "prior",
        "quantization",
        "signatures",
        "value_range",
    ],
)
def test_a_missing_key_is_named(altered, key):
    refused(altered("plain", **{key: ABSENT}), f"no {key}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("batch_sizes", []),
        ("batch_sizes", 5),
        ("batch_sizes", [5, 5]),
        ("batch_sizes", [True]),
        ("batch_sizes", [0]),
        ("event_shape", [4.0, 4, 1]),
        ("event_shape", "4x4"),
        ("latent_dim", None),
        ("latent_dim", []),
        ("latent_sizes", 3),
        ("condition_shape", 0),
        ("condition_dtype", 3),
        ("condition_dtype", "label"),
        ("num_classes", "ten"),
        ("value_range", [0]),
        ("value_range", ["0", "1"]),
        ("signatures", ["sample"]),
        ("outputs", {"sample": "x"}),
        ("prior", None),
        ("quality", 0.1),
        ("left_out", ["draw"]),
    ],
)
def test_a_value_of_another_kind_is_named(altered, key, value):
    refused(altered("plain", **{key: value}), f"{key} = ", "not ")


def test_everything_wrong_is_in_one_message(altered):
    path = altered("plain", event_shape=None, prior=ABSENT)
    refused(path, "event_shape = None", "no prior")


def without(name):
    told = json.loads((FOLDER / "plain.json").read_text())
    return {key: {k: v for k, v in told[key].items() if k != name} for key in NAMED}


NAMED = ("signatures", "outputs")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch_sizes": [6]}, ["\\[6,", "\\[5,"]),  # read as 6, 1 of 6 samples was drawn
        ({"batch_sizes": [5, 16]}, ["batch sizes", "\\[16\\]"]),
        ({"event_shape": [4, 5, 1]}, ["x of", "\\[5, 4, 5, 1\\]", "\\[5, 4, 4, "]),
        ({"latent_dim": 9}, ["input z of decode", "9"]),
        ({"latent_sizes": [9]}, ["output z of", "9"]),
        ({"signatures": {}, "outputs": {}}, ["signatures", "sample"]),
        (without("draw"), ["signatures", "draw"]),
        ({"condition_shape": [], "condition_dtype": None}, ["condition_shape"]),
    ],
)
def test_a_sidecar_of_another_file_is_refused(altered, changes, words):
    refused(altered("plain", **changes), *words)


@pytest.mark.parametrize("name", ["plain", "ladder", "colours", "conditional_vamp"])
def test_files_of_earlier_versions_are_read(altered, name):
    sampler = Sampler(altered(name))
    size = sampler.metadata["batch_sizes"][0]
    with pytest.raises(ValueError, match=matches("batch sizes", f"\\[{size}", "7")):
        sampler.with_batch_size(7)


def drawn(sampler):
    return sampler.sample(7, seed=3)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_copy_of_a_sampler_draws_the_same_with_a_runtime_of_its_own(compiled):
    sampler = Sampler(FOLDER / "plain.tflite", compiled=compiled)
    expected = drawn(sampler)
    only = sampler.with_batch_size(sampler.metadata["batch_sizes"][0])
    for original in (sampler, only):
        for made in (
            copy.copy(original),
            copy.deepcopy(original),
            pickle.loads(pickle.dumps(original)),
        ):
            assert np.array_equal(drawn(made), expected)
            assert made._runtime is not original._runtime
            assert isinstance(made._runtime, CompiledRuntime) == compiled
            assert made._sizes == original._sizes
