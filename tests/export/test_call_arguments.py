"""What callers pass in place of what is meant is refused, with the remedy, before any work."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import matches
from tfvae.errors import InputError, InputTypeError
from tfvae.export import Sampler, call_arguments, quantize, to_saved_model, to_tflite, to_web


@pytest.fixture(scope="module")
def vae():
    return tfvae.mlp_vae((4, 4, 1), 3, (8,), seed=0)


@pytest.fixture(autouse=True)
def _in_vain(monkeypatch):
    monkeypatch.setattr(quantize, "convert_parts", lambda *_: pytest.fail("converted in vain"))
    monkeypatch.setattr(
        "tfvae.export.saved_model.write_archive", lambda *_: pytest.fail("written in vain")
    )


@pytest.mark.parametrize(
    ("passed", "sizes"),
    [
        (np.int64(4), (4,)),
        (np.uint8(4), (4,)),
        (np.array(4), (4,)),
        (tf.constant(4), (4,)),
        ([np.int32(1), 16], (1, 16)),
        (np.array([1, 16]), (1, 16)),
        (tf.constant([1, 16]), (1, 16)),
        (range(1, 3), (1, 2)),
    ],
)
def test_a_batch_size_is_a_whole_number_of_any_type(passed, sizes):
    found = call_arguments.as_batch_sizes(passed)
    assert found == sizes
    assert {type(size) for size in found} == {int}  # which a sidecar can hold


OPTIONS = [
    ({"batch_size": None}, "batch_size=None"),
    ({"batch_size": 4.0}, "batch_size=4.0"),
    ({"batch_size": True}, "batch_size=True"),
    ({"batch_size": (1, True)}, r"batch_size\[1\]=True"),
    ({"batch_size": (1, None)}, r"batch_size\[1\]=None"),
    ({"batch_size": np.array([1.0, 2.0])}, r"batch_size\[0\]"),
    ({"batch_size": ()}, "several different"),
    ({"batch_size": {1, 16}}, "batch_size"),
    ({"batch_size": "16"}, "batch_size='16'"),
    ({"batch_size": (4, np.int64(4))}, "several different"),
    ({"batch_size": -1}, "batch_size=-1"),
    ({"quantization": tf.float16}, "pass quantization='float16'"),
    ({"quantization": np.float16}, "pass quantization='float16'"),
    ({"quantization": np.dtype("float16")}, "pass quantization='float16'"),
    ({"quantization": tf.int8}, "pass quantization='int8'"),
    ({"quantization": tf.float32}, "pass quantization=None"),
    ({"quantization": tf.lite.Optimize.DEFAULT}, "pass quantization='dynamic_int8'"),
    ({"quantization": "Float16"}, "pass quantization='float16'"),
    ({"quantization": "none"}, "pass quantization=None"),
    ({"quantization": True}, "quantization=True"),
    ({"quantization": ["int8"]}, r"quantization=\['int8'\]"),
    ({"quantization": np.zeros(2)}, "quantization"),
    ({"max_quality_loss": "0.5"}, "max_quality_loss='0.5'"),
    ({"max_quality_loss": float("nan")}, "max_quality_loss=nan"),
    ({"max_quality_loss": True}, "max_quality_loss=True"),
    ({"max_quality_loss": (0.5,)}, "max_quality_loss"),
    ({"include_encoder": "yes"}, "include_encoder to be True or False"),
    ({"include_encoder": None}, "include_encoder=None"),
    ({"data": tf.data.Dataset.range(3)}, "data to be an array"),
    ({"data": "x.npy"}, "data to be an array"),
    ({"data": np.zeros((0, 4, 4, 1))}, "at least one row"),
    ({"data_y": 3}, "data_y to be an array"),
]


@pytest.mark.parametrize(("options", "word"), OPTIONS, ids=lambda value: str(value)[:50])
def test_an_option_of_another_kind_is_refused(vae, tmp_path, options, word):
    with pytest.raises((InputError, InputTypeError), match=matches(word)):
        to_tflite(vae, tmp_path / "m.tflite", **options)
    assert not list(tmp_path.iterdir())


WRONG = [
    (lambda vae, path: (path, vae), "swap the two"),
    (lambda vae, path: (str(path), "other"), "load_model"),
    (lambda vae, path: (vae.decoder, path), r"tfvae.VAE\(encoder, decoder\)"),
    (lambda vae, path: (tfvae.VAE, path), "the class VAE"),
    (lambda vae, path: (None, path), "None"),
    (lambda vae, path: (vae, None), "(path|folder) to be a path"),
    (lambda vae, path: (vae, 3), "to be a path"),
    (lambda vae, path: (vae, vae), "to be a path"),
    (lambda vae, path: (vae, b"m.tflite"), "to be a path"),
    (lambda vae, path: (vae, ""), "to be a path"),
    (lambda vae, path: (vae, "a\0.tflite"), "to be a path"),
]


@pytest.mark.parametrize("export", [to_tflite, to_saved_model, to_web])
@pytest.mark.parametrize(("arguments", "word"), WRONG)
def test_what_is_no_model_or_no_path_is_refused(vae, tmp_path, export, arguments, word):
    given = arguments(vae, tmp_path / "m.tflite")
    if export is to_web and given[1] == "other":
        pytest.skip("to_web takes the path of a file")
    with pytest.raises((InputError, InputTypeError), match=matches(word)):
        export(*given)
    assert not list(tmp_path.iterdir())


def test_folders_in_place_of_files_are_refused_before_the_work(vae, tmp_path):
    for name in ("m.tflite", "n.json"):
        (tmp_path / name).mkdir()
        with pytest.raises(InputError, match=matches("a folder there")):
            to_tflite(vae, (tmp_path / name).with_suffix(".tflite"))


def test_a_saved_model_takes_no_folder_with_other_files(vae, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=matches("thesis.tex", "would be lost")):
        to_saved_model(vae, tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: Sampler(None), "path=None"),
        (lambda: Sampler(keras.layers.Dense(2)), "path to be a path"),
        (lambda: Sampler("m.tflite", compiled=1), "compiled to be True or False"),
        (lambda: to_web("m.tflite", "page", title=None), "title to be a text"),
        (lambda: to_web("m.tflite", "page", litert=3), "litert to be a path"),
    ],
)
def test_the_other_functions_check_theirs(call, word):
    with pytest.raises((InputError, InputTypeError), match=matches(word)):
        call()


def test_a_path_of_any_kind_is_taken():
    assert call_arguments.as_model_path("a/b.tflite") == Path("a/b.tflite")
    with pytest.raises(InputError, match=matches("write to a/b.tflite")):
        call_arguments.as_model_path(Path("a/b.bin"))
    with pytest.raises(InputError, match=matches("write to model.tflite")):
        call_arguments.as_model_path(Path("."))
