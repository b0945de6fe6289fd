"""Every writer leaves alone what it did not write: a table of writers and things in the way."""

import json
import os
import resource
import shutil
import socket

import numpy as np
import pytest
from PIL import Image

import tfvae
from tests._files.test_whole import dead_process
from tests.conftest import matches
from tests.support.trees import tree
from tfvae import plots
from tfvae.app import runs
from tfvae.app.settings import Settings
from tfvae.errors import WriteError
from tfvae.export import quantize, sidecar

pytestmark = pytest.mark.xdist_group("export")  # one process makes the files they share

WRITERS = {
    "pair": ("report.tflite", lambda vae, path: tfvae.export.to_tflite(vae, path)),
    "SavedModel": ("thesis", lambda vae, path: tfvae.export.to_saved_model(vae, path)),
    "page": ("site", lambda vae, path: tfvae.export.to_web(vae, path)),
    "picture": ("grid.png", lambda vae, path: plots.save_png(path, np.zeros((2, 2), np.uint8))),
    "run": ("run", lambda vae, path: runs.train(Settings(out=str(path)), str, overwrite=True)),
}


def in_the_way(kind, path):
    """Puts something at a path, and returns the path to write to."""
    if kind == "a file":
        path.write_text("mine")
    elif kind == "a folder":
        path.mkdir()
        (path / "chapter 1").write_text("mine")
    elif kind == "an own name in a folder":
        (path / "variables").mkdir(parents=True)
        (path / "saved_model.pb").write_text("mine")
        (path / "index.html").write_text("mine")
    elif kind == "a link to a file":
        (path.parent / "elsewhere").write_text("mine")
        path.symlink_to("elsewhere")
    elif kind == "a link to a folder":
        (path.parent / "elsewhere").mkdir()
        path.symlink_to("elsewhere")
    elif kind == "a link to itself":
        path.symlink_to(path.name)
    elif kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as there:
            there.bind(path.name)
    elif kind == "a file for a folder around it":
        path.parent.joinpath("around").write_text("mine")
        return path.parent / "around" / path.name
    elif kind == "a name too long":
        return path.with_name("x" * 300 + path.suffix)
    elif kind == "an address":
        return f"gs://bucket/{path.name}"
    elif kind == "the system's":
        return f"/proc/{path.name}"
    elif kind == "the working folder":
        return "."
    return path


KINDS = (
    "a file",
    "a folder",
    "an own name in a folder",
    "a link to a file",
    "a link to a folder",
    "a link to itself",
    "a FIFO",
    "a socket",
    "a file for a folder around it",
    "a name too long",
    "an address",
    "the system's",
    "the working folder",
)


@pytest.fixture
def no_work(monkeypatch):
    """What takes long is not begun."""
    monkeypatch.setattr(tfvae.VAE, "fit", lambda *_, **__: pytest.fail("trained in vain"))
    for owner in (quantize, "tfvae.export.saved_model"):
        name = "convert_parts" if owner is quantize else "write_archive"
        owner = owner if owner is quantize else __import__(owner, fromlist=["x"])
        monkeypatch.setattr(owner, name, lambda *_, **__: pytest.fail("worked in vain"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("writer", WRITERS)
def test_what_is_in_the_way_stays_and_is_told_before_any_work(
    tmp_path, monkeypatch, untrained, no_work, writer, kind
):
    monkeypatch.chdir(tmp_path)
    name, write = WRITERS[writer]
    path = in_the_way(kind, tmp_path / name)
    before = tree(tmp_path)
    error = ValueError if (writer, kind) == ("pair", "the working folder") else WriteError
    with pytest.raises(error, match=matches()):
        write(untrained, path)
    assert tree(tmp_path) == before


@pytest.fixture(scope="module")
def untrained():
    return tfvae.mlp_vae((4,), 2, (4,), seed=0)


def test_the_message_of_a_link_says_where_it_leads(tmp_path, untrained, no_work):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WriteError, match=matches("a symbolic link", str(tmp_path / "elsewhere"))):
        tfvae.export.to_saved_model(untrained, tmp_path / "link")


def test_a_report_of_the_users_own_is_no_sidecar(tmp_path, untrained, no_work):
    for text in ('{"sha256": "of something"}', "no JSON", "[1]"):
        (tmp_path / "report.json").write_text(text)
        with pytest.raises(WriteError, match=matches("report.json", "another .json file")):
            tfvae.export.to_tflite(untrained, tmp_path / "report.tflite")
        assert tree(tmp_path) == {"report.json": text}


def test_a_page_of_the_users_own_with_our_names_stays(tmp_path, exported):
    """A page whose model is another one's."""
    tfvae.export.to_web(exported / "batch_1.tflite", tmp_path / "page")
    (tmp_path / "page" / "model.tflite").write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(WriteError, match=matches("without its sidecar")):
        tfvae.export.to_web(exported / "batch_1.tflite", tmp_path / "page")
    assert tree(tmp_path) == before


def test_a_picture_replaces_a_picture_of_ours_alone(tmp_path):
    path = tmp_path / "grid.png"
    for grey in (0, 9):
        plots.save_png(path, np.full((2, 2), grey, np.uint8))
    assert np.asarray(Image.open(path)).max() == 9
    Image.open(path).convert("RGB").save(path)
    before = path.read_bytes()
    with pytest.raises(WriteError, match=matches("another file")):
        plots.save_png(path, np.zeros((2, 2), np.uint8))
    assert path.read_bytes() == before


def test_a_pair_that_was_half_placed_is_known_and_a_stray_file_is_not(tmp_path, exported):
    """Its writer was killed after the file and before the sidecar; others see the old sidecar."""
    path = tmp_path / "m.tflite"
    shutil.copy(exported / "batch_1.tflite", path)
    assert sidecar.foreign_model(path)
    old = json.loads((exported / "batch_5_16.json").read_text())
    sidecar.sidecar_path(path).write_text(json.dumps(old))
    assert sidecar.foreign_model(path)
    left = tmp_path / f".m.tflite.tfvae-{dead_process()}-0123abcd"
    left.mkdir()
    shutil.copy(exported / "batch_1.json", left / "m.json")
    assert sidecar.foreign_model(path) is None


def test_a_saved_model_is_replaced_and_one_with_notes_in_it_is_not(
    tmp_path, monkeypatch, untrained
):
    def write_archive(vae, folder, functions):
        (folder / "assets").mkdir()  # which TensorFlow leaves empty
        (folder / "saved_model.pb").write_text("")

    monkeypatch.setattr("tfvae.export.saved_model.write_archive", write_archive)
    for _ in range(2):
        tfvae.export.to_saved_model(untrained, tmp_path / "saved")
    (tmp_path / "saved" / "notes.txt").write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(WriteError, match=matches("notes.txt")):
        tfvae.export.to_saved_model(untrained, tmp_path / "saved")
    assert tree(tmp_path) == before


@pytest.mark.nightly
def test_a_disk_that_is_full_while_tensorflow_writes_is_told(tmp_path, untrained):
    """TensorFlow has an error class of its own. A limit on files stands in for the disk."""
    tfvae.export.to_saved_model(untrained, tmp_path / "saved")
    before = tree(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(WriteError, match=matches("a place to write")):
            tfvae.export.to_saved_model(untrained, tmp_path / "saved")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert tree(tmp_path) == before
