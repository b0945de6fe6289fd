"""The command as a whole: its version, its completion, and an install without its extras."""

import sys

import pytest

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
