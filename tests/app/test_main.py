"""The command as a whole: its version, its completion, and an install without its extras."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

import tfvae
from tfvae import __main__


def test_the_version_is_told(tfvae_command):
    assert tfvae_command("--version") == (0, f"tfvae {tfvae.__version__}\n", "")


def test_a_shell_is_told_the_commands_that_begin_as_typed(tfvae_command, monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__package__", None)  # not `python -m pytest`
    monkeypatch.setenv("_TFVAE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "tfvae e")
    monkeypatch.setenv("COMP_CWORD", "1")
    _, out, _ = tfvae_command()
    assert out.split() == ["evaluate", "encode", "export"]


def test_a_core_install_says_what_the_command_needs(monkeypatch, capsys):
    for module in [m for m in sys.modules if m.startswith("tfvae.app")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delattr(tfvae, "app", raising=False)
    monkeypatch.setitem(sys.modules, "typer", None)
    with pytest.raises(SystemExit) as leaving:
        __main__.main()
    assert leaving.value.code == 2
    assert "pip install 'tfvae[app]'" in capsys.readouterr().err


def test_a_missing_extra_is_named(tfvae_command, monkeypatch, tmp_path):
    def sample(*_):
        import PIL.Image  # noqa: F401

    monkeypatch.setattr("tfvae.app.runs.sample", sample)
    monkeypatch.setitem(sys.modules, "PIL", None)
    status, out, err = tfvae_command("sample", "a.tflite")
    assert (status, out) == (2, "")
    assert "Pillow" in err and "pip install 'tfvae[app]'" in err


@pytest.mark.parametrize(
    ("error", "received"),
    [
        (MemoryError("Unable to allocate 8 TiB"), "Unable to allocate 8 TiB"),
        (MemoryError(), "MemoryError"),
        (
            tf.errors.ResourceExhaustedError(
                None, None, "{{function_node __x__}} OOM when allocating [9,9] on /job:localhost"
            ),
            "OOM when allocating [9,9]",
        ),
    ],
    ids=["NumPy", "Python", "TensorFlow"],
)
def test_what_does_not_fit_into_the_memory_is_told_in_words(
    tfvae_command, monkeypatch, error, received
):
    def sample(*_):
        raise error

    monkeypatch.setattr("tfvae.app.runs.sample", sample)
    status, out, err = tfvae_command("sample", "a.tflite")
    assert (status, out) == (2, "")
    assert f"Received: {received}. Fix: smaller networks" in " ".join(err.split())


@pytest.mark.skipif(sys.platform == "win32", reason="closes file descriptors")
def test_closed_streams_are_opened_and_take_no_file(tmp_path):
    """As of a process of a scheduler. What native code writes would else go into a file."""
    code = (
        "import os\n"
        "from tfvae.app.quiet_stderr import open_closed_streams\n"
        "open_closed_streams()\n"
        "file = open('kept', 'w')\n"
        "os.write(2, b'a note of native code')\n"
        "print('lost'), file.write(str(file.fileno()))"
    )
    command = f"exec {shlex.quote(sys.executable)} -c {shlex.quote(code)} <&- >&- 2>&-"
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment, check=True)
    assert done.returncode == 0
    assert int((tmp_path / "kept").read_text()) > 2


@pytest.mark.skipif(sys.platform == "win32", reason="closes file descriptors")
def test_a_command_without_an_error_stream_answers(tmp_path):
    command = f"exec {shlex.quote(sys.executable)} -m tfvae --version 2>&-"
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"tfvae {tfvae.__version__}\n")
