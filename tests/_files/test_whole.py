"""Files and folders are written whole or not at all, and killed writers leave nothing."""

import os
import resource
import subprocess
import sys

import pytest

from tests.conftest import matches
from tests.support.trees import tree
from tfvae import _files
from tfvae._files import beside, placing
from tfvae.errors import InputTypeError, WriteError


def target(path):
    """A place where anything is replaced."""
    return _files.Target(path, "anything", lambda _: None)


def test_a_file_or_folder_is_replaced_whole_or_not_at_all(tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(RuntimeError), _files.whole_file(target(tmp_path / "file")) as path:
        path.write_text("half")
        raise RuntimeError
    assert (tmp_path / "file").read_text() == "old"
    with _files.whole_file(target(tmp_path / "file")) as path:
        path.write_text("new")
    for content in ("a", "b"):
        with _files.whole_folder(target(tmp_path / "deep" / "folder")) as path:
            (path / content).write_text("")
    assert tree(tmp_path) == {"file": "new", "deep": None, "deep/folder": None, "deep/folder/b": ""}


@pytest.mark.parametrize("body", ["raises", "is killed between the steps"])
def test_where_folders_cannot_be_exchanged_the_old_one_comes_back(tmp_path, monkeypatch, body):
    monkeypatch.setattr(placing, "_exchange", lambda *_: False)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").write_text("")
    with _files.whole_folder(target(tmp_path / "folder")) as path:
        (path / "new").write_text("")
    assert tree(tmp_path) == {"folder": None, "folder/new": ""}

    left = tmp_path / f".folder.tfvae-{dead_process()}-0123abcd"
    left.mkdir()
    (tmp_path / "folder").rename(left / beside.REPLACED)
    with pytest.raises(KeyError), _files.whole_folder(target(tmp_path / "folder")):
        raise KeyError
    assert tree(tmp_path) == {"folder": None, "folder/new": ""}


def dead_process():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_what_a_killed_writer_left_is_removed_and_nothing_else_is(tmp_path):
    dead = dead_process()
    kept = {
        f".file.tfvae-{os.getpid()}-0123abcd": "of a writer that runs",
        f".other.tfvae-{dead}-0123abcd": "of another file",
        f".file.tfvae-{dead}-mine": "no name of ours",
    }
    for name in (f".file.tfvae-{dead}-0123abcd", *kept):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part").write_text("")
    with _files.whole_file(target(tmp_path / "file")) as path:
        path.write_text("")
    assert {path.name for path in tmp_path.iterdir()} == {"file", *kept}


def test_a_writer_of_another_machine_holds_its_folder(tmp_path):
    """The number of its process may not run here; the lock tells."""
    folder = tmp_path / f".file.tfvae-{dead_process()}-0123abcd"
    folder.mkdir()
    with beside.locked(folder):
        assert beside.leftovers(tmp_path / "file") == []
    assert beside.leftovers(tmp_path / "file") == [folder]


def test_a_full_disk_is_told_and_leaves_what_was_there(tmp_path):
    (tmp_path / "file").write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with (
            pytest.raises(WriteError, match=matches("a place to write", "too large")),
            _files.whole_file(target(tmp_path / "file")) as path,
        ):
            path.write_bytes(bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert tree(tmp_path) == {"file": "old"}


def test_the_full_disk_of_a_native_library_is_told_and_other_errors_stay(tmp_path):
    class NativeError(Exception):
        """As TensorFlow's, which is no `OSError`."""

    with pytest.raises(WriteError), _files.whole_folder(target(tmp_path / "a" / "b")):
        raise NativeError("variables.data; No space left on device")
    with pytest.raises(FileNotFoundError), _files.whole_folder(target(tmp_path / "a" / "b")):
        (tmp_path.parent / "what is read").read_text()
    assert tree(tmp_path) == {}  # nor the folder `a`, which was made for `b`


@pytest.mark.parametrize("path", ["gs://bucket/x", "s3:/bucket/x", "", "a\0b", "~nobody_here/x"])
def test_what_is_no_path_of_this_machine_is_refused(path):
    with pytest.raises(WriteError, match=matches()):
        _files.local(path)


def test_a_path_is_a_string_and_home_is_expanded(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    assert str(_files.local("~/x")) == "/somewhere/x"
    with pytest.raises(InputTypeError, match=matches("bytes")):
        _files.local(b"x")


def test_a_marked_folder_is_known_by_all_that_it_holds(tmp_path):
    assert _files.foreign_to_mark(tmp_path) is None
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("a")
    assert "in" in _files.foreign_to_mark(tmp_path)
    _files.mark(tmp_path)
    assert _files.foreign_to_mark(tmp_path) is None
    for name, text in (("b", ""), ("in/b", ""), ("in/a", "mine now")):
        before = tree(tmp_path)
        (tmp_path / name).write_text(text)
        assert name in _files.foreign_to_mark(tmp_path)
        (tmp_path / name).unlink()
        assert _files.foreign_to_mark(tmp_path) is None  # what is gone cannot be lost
        (tmp_path / "in" / "a").write_text(before["in/a"])
    (tmp_path / "in" / "link").symlink_to("a")
    assert "in/link" in _files.foreign_to_mark(tmp_path)
