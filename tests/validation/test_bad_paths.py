"""A table of what may lie at a path that is to be read, and of disks that are full.

What lies where something is written is in `tests/_files/test_writers.py`.
"""

import json
import os
import shutil
import socket
import subprocess
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import tfvae
from tests.conftest import matches
from tests.golden import needs_their_keras
from tests.support.damage import GOLDEN
from tests.support.trees import tree
from tfvae import _files, datasets, plots
from tfvae.app import demo_server
from tfvae.errors import InputError, InputTypeError, WriteError
from tfvae.models import files

pytestmark = pytest.mark.xdist_group("bad paths")  # one process makes what they share


def page(path):
    with demo_server.folder_with_page(path):
        pass


READERS = {
    "x.npy": datasets.load,
    "x.npz": datasets.load,
    "x.csv": datasets.load,
    "x.parquet": datasets.load,
    "album": datasets.load,
    "x.tflite": tfvae.export.Sampler,
    "x.keras": tfvae.load_model,
    "page": page,
}


def at(kind, path):
    """Puts something at a path, and returns what is given to the reader."""
    if kind == "an empty file":
        path.write_text("")
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a link to itself":
        path.symlink_to(path.name)
    elif kind == "a link to nothing":
        path.symlink_to("nowhere")
    elif kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as there:
            there.bind(path.name)
    elif kind == "a file that cannot be read":  # by anybody, the superuser included
        path.symlink_to("/proc/self/mem")
    given = {
        "an address": f"gs://bucket/{path.name}",
        "a name too long": "x" * 300 + path.suffix,
        "a name with a zero": f"x\0{path.suffix}",
        "no name": "",
        "nobody's home": f"~nobody-of-this-name/{path.name}",
        "bytes": os.fsencode(path),
        "a number": 3,
        "nothing at all": None,
    }
    return given.get(kind, path)


KINDS = (
    "nothing",
    "an empty file",
    "a folder",
    "a link to itself",
    "a link to nothing",
    "a FIFO",
    "a socket",
    "a file that cannot be read",
    "an address",
    "a name too long",
    "a name with a zero",
    "no name",
    "nobody's home",
    "bytes",
    "a number",
    "nothing at all",
)
OF_PATHS = ("an address", "a name with a zero", "no name", "nobody's home")  # as for writers


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", READERS)
def test_what_cannot_be_read_is_told_and_stays(tmp_path, monkeypatch, name, kind):
    monkeypatch.chdir(tmp_path)
    given = at(kind, tmp_path / name)
    before = tree(tmp_path)
    error = InputTypeError if kind in KINDS[-3:] else WriteError if kind in OF_PATHS else InputError
    if name == "x.tflite" and kind in ("a name with a zero", "no name"):
        error = InputError  # of the argument
    with pytest.raises(error, match=matches()) as caught:
        READERS[name](given)
    assert caught.type is error
    assert tree(tmp_path) == before


# What is in a file


def golden(folder, **changes):
    """The pair of a model, with keys of its sidecar changed."""
    for end in ("tflite", "json"):
        shutil.copy(GOLDEN / f"plain.{end}", folder / f"m.{end}")
    sidecar = folder / "m.json"
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), **changes}))
    return folder / "m.tflite"


def text_of_sidecar(folder, text):
    path = golden(folder)
    path.with_suffix(".json").write_bytes(text)
    return path


def zipped(path, **parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name.replace("_", ".", 1), data)
    return path


def written(path, data):
    path.write_bytes(data)
    return path


WEIGHTS = "model_weights.h5"
CONTENT = {
    "a member that is no array": (
        lambda folder: zipped(folder / "x.npz", x_npy=b"no array", y_npy=b""),
        ["x.npz", "no array"],
    ),
    "an infinite number in a table": (
        lambda folder: written(folder / "x.csv", b"a,b\n1.5,2\ninf,3\n2.5,4\n7.5,5"),
        ["x.csv", "'a'", "infinite"],
    ),
    "a table of one row": (lambda folder: written(folder / "x.csv", b"a\n1"), ["x.csv"]),
    "a sidecar nested without end": (
        lambda folder: text_of_sidecar(folder, b"[" * 100_000),
        ["m.json"],
    ),
    "a sidecar in no UTF-8": (lambda folder: text_of_sidecar(folder, b"\xff\xfe"), ["m.json"]),
    "a sidecar of a later version": (
        lambda folder: golden(folder, format_version=2),
        ["m.json", "version 2"],
    ),
    "a sidecar without sizes": (lambda folder: golden(folder, batch_sizes=[]), ["m.json"]),
    "a sidecar of other shapes": (lambda folder: golden(folder, event_shape=[3]), ["m.tflite"]),
    "a file that is no model, by its hash": (
        lambda folder: written(
            golden(
                folder, sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
            ),
            b"",
        ),
        ["m.tflite", "LiteRT"],
    ),
    "a model without its weights": (
        lambda folder: zipped(folder / "m.keras", config_json="{}", metadata_json="{}"),
        ["m.keras", "weights"],
    ),
    "a model that unpacks to the whole memory": (
        lambda folder: zipped(
            folder / "m.keras",
            config_json="{}",
            metadata_json="{}",
            **{WEIGHTS: bytes(2**28 + 1)},
        ),
        ["m.keras", "unpacks to"],
    ),
    "a model of no class": (
        lambda folder: zipped(
            folder / "m.keras", config_json="[]", metadata_json="{}", **{WEIGHTS: b""}
        ),
        ["m.keras"],
    ),
    "a model of another format": (
        lambda folder: written(folder / "m.h5", b"\x89HDF\r\n\x1a\n"),
        ["m.h5"],
    ),
}


@pytest.mark.parametrize(("make", "words"), CONTENT.values(), ids=CONTENT)
def test_a_wrong_file_is_named_and_stays(tmp_path, make, words):
    path = make(tmp_path)
    readers = {".tflite": tfvae.export.Sampler, ".keras": tfvae.load_model, ".h5": tfvae.load_model}
    before = tree(tmp_path)
    with pytest.raises(InputError, match=matches(*words)) as caught:
        readers.get(path.suffix, datasets.load)(path)
    assert caught.type is InputError
    assert tree(tmp_path) == before


def test_a_function_in_a_model_file_is_run_only_if_that_is_asked_for(tmp_path):
    """A `Lambda`, whose code is in the file."""
    inputs = keras.Input((4,))
    network = keras.layers.Lambda(lambda x: x * 2)(inputs)
    keras.Model(inputs, network).save(tmp_path / "m.keras")
    with pytest.raises(InputError, match=matches("m.keras", "safe_mode")):
        tfvae.load_model(tmp_path / "m.keras")
    with pytest.raises(InputTypeError, match=matches("a saved tfvae.VAE", "m.keras")):
        tfvae.load_model(tmp_path / "m.keras", safe_mode=False)


def keras_file_of(path, version):
    """A copy of the golden `.keras` file that says it is of a version of Keras, or says nothing.

    It holds a layer that Keras does not have.
    """
    with zipfile.ZipFile(GOLDEN / "plain.keras") as golden, zipfile.ZipFile(path, "w") as copy:
        for name in golden.namelist():
            data = golden.read(name)
            if name == "metadata.json":
                data = b"[]" if version is None else json.dumps({"keras_version": version}).encode()
            if name == "config.json":
                data = data.replace(b'"Dense"', b'"Denser"')
            copy.writestr(name, data)


def test_a_file_of_a_later_keras_says_so(tmp_path):
    keras_file_of(tmp_path / "m.keras", "99.1.0")
    words = matches("m.keras", keras.__version__, "a file of Keras 99.1.0", "keras>=99.1.0")
    with pytest.raises(InputError, match=words):
        tfvae.load_model(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        archive.extractall(tmp_path / "unpacked" / "m.keras")
    with pytest.raises(InputError, match=words):
        files.built(tmp_path / "unpacked" / "m.keras")


@pytest.mark.parametrize("version", ["3.0.0", keras.__version__, "new", None])
def test_another_file_that_keras_cannot_build_is_not_called_a_later_one(tmp_path, version):
    keras_file_of(tmp_path / "m.keras", version)
    with pytest.raises(InputError, match=matches("m.keras", "Denser", "custom_objects")):
        tfvae.load_model(tmp_path / "m.keras")


@needs_their_keras
def test_what_was_compiled_may_stay_in_the_file():
    assert tfvae.load_model(GOLDEN / "plain.keras").compiled
    assert not tfvae.load_model(GOLDEN / "plain.keras", compile=False).compiled


# Disks that are full


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    """A file system of 32 kB, where this process may make one."""
    folder = tmp_path_factory.mktemp("small")
    command = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def mark_folder(path):
    with _files.whole_folder(_files.Target(path, "a folder", lambda _: None)) as folder:
        (folder / "x").write_bytes(bytes(2**17))


NOISE = np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8)
WRITERS = {
    "a picture": ("grid.png", lambda path: plots.save_png(path, NOISE)),
    "a page": ("site", lambda path: tfvae.export.to_web(GOLDEN / "plain.tflite", path)),
    "an app": ("app", lambda path: tfvae.export.to_app(GOLDEN / "plain.tflite", path)),
    "a folder": ("folder", mark_folder),
    "a file in a new folder": ("new/grid.png", lambda path: plots.save_png(path, NOISE)),
}


@pytest.mark.parametrize(("name", "write"), WRITERS.values(), ids=WRITERS)
def test_a_full_disk_is_told_and_holds_what_it_held(small_disk, name, write):
    (small_disk / "notes").write_text("mine")
    before = tree(small_disk)
    with pytest.raises(WriteError, match=matches("No space left", Path(name).name)):
        write(small_disk / name)
    assert tree(small_disk) == before == {"notes": "mine"}


@pytest.mark.parametrize("name", ["samples.npz", "samples.csv", "samples.png"])
def test_the_command_tells_of_a_full_disk(small_disk, tfvae_command, name):
    (small_disk / "notes").write_text("mine")
    path = small_disk / name
    arguments = ("--count", 4000, "--out", path)
    status, _, errors = tfvae_command("sample", GOLDEN / "plain.tflite", *arguments)
    assert (status, "No space left" in errors, "Traceback" in errors) == (2, True, False)
    assert tree(small_disk) == {"notes": "mine"}
