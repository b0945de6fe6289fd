"""The command, as a new user types it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.conftest import matches
from tests.test_datasets import write_images, write_mnist
from tfvae import cli

pytestmark = pytest.mark.xdist_group("cli")  # one process makes the files they share

FILES = {"model.keras", "saved_model", "decoder.tflite", "decoder.json", "samples.png", "reconstructions.png", "report.json"}


def shell(*arguments, cwd):
    command = [sys.executable, "-m", "tfvae", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


@pytest.fixture
def tfvae_command(capfd, monkeypatch, tmp_path):
    """Runs the command in this process: `(exit status, output, errors)`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["tfvae", *map(str, arguments)])
        try:
            cli.main()
            status = 0
        except SystemExit as leaving:
            status = leaving.code or 0
        output = capfd.readouterr()
        return status, output.out, output.err

    return run


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    """`tfvae train`, with fewer epochs, from an empty folder."""
    folder = tmp_path_factory.mktemp("new user")
    return folder, shell("train", "--epochs", 12, cwd=folder)


def test_train_leaves_everything_and_nothing_on_the_error_stream(digits_run):
    folder, done = digits_run
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert {path.name for path in (folder / "runs" / "digits").iterdir()} == FILES
    assert Image.open(folder / "runs" / "digits" / "samples.png").size >= (256, 256)
    assert "Epoch 12/12" in done.stdout
    assert "━" in done.stdout  # the Keras progress bar
    for row in (
        "NLL",
        "ELBO",
        "rate",
        "distortion",
        "active units",
        "importance samples",
        "model.keras",
        "decoder.tflite",
        "parity",
    ):
        assert row in done.stdout


def test_the_report_holds_settings_versions_and_numbers(digits_run):
    report = json.loads((digits_run[0] / "runs" / "digits" / "report.json").read_text())
    assert report["settings"]["epochs"] == 12
    assert report["settings"]["seed"] == 0
    assert report["evaluation"]["binarization"] == "one Bernoulli draw per value, seed 0"
    assert 21 < report["evaluation"]["nll"] < 26
    assert report["evaluation"]["nll"] < -report["evaluation"]["elbo"]
    assert {"tfvae", "tensorflow", "keras", "python"} <= set(report["versions"])
    assert report["export"]["parity"]["max_abs_error_x"] < 1e-5


def test_the_digits_can_be_told_from_noise_in_the_samples(digits_run):
    """Nearest neighbours: a sample is closer to a real digit than a shuffled sample is."""
    from tfvae import datasets, export

    samples = export.Sampler(digits_run[0] / "runs" / "digits" / "decoder.tflite").sample(64).reshape(64, 64)
    real = datasets.load("digits").x_train.reshape(-1, 64)
    shuffled = np.random.default_rng(0).permuted(samples, axis=1)

    def distance(x):
        return np.sqrt(((x[:, None] - real) ** 2).sum(-1)).min(1).mean()

    assert distance(samples) < 0.6 * distance(shuffled)


def test_evaluate_sample_and_export_work_on_the_run(digits_run, tfvae_command, tmp_path):
    run = digits_run[0] / "runs" / "digits"
    status, out, err = tfvae_command("evaluate", run, "--num-samples", 50, "--num-examples", 100)
    assert (status, err) == (0, "")
    assert "NLL" in out
    for source in (run, run / "decoder.tflite"):
        status, out, err = tfvae_command("sample", source, "--count", 16, "--seed", 7, "--out", tmp_path / "grid.png")
        assert (status, err) == (0, "")
        assert Image.open(tmp_path / "grid.png").size >= (128, 128)
    status, out, err = tfvae_command("export", run, "--out", tmp_path / "out", "--batch-size", 1, "--batch-size", 4, "--encoder")
    assert (status, err) == (0, "")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"saved_model", "decoder.tflite", "decoder.json"}
    metadata = json.loads((tmp_path / "out" / "decoder.json").read_text())
    assert "reconstruct_4" in metadata["signatures"]
    assert "decoder.tflite" in out
    status, out, err = tfvae_command("export", run, "--web", tmp_path / "page")
    assert (status, err) == (0, "")
    assert f"tfvae demo {tmp_path / 'page'}" in out
    assert (tmp_path / "page" / "index.html").is_file()
    assert json.loads((tmp_path / "page" / "model.json").read_text())["batch_sizes"] == [1, 16]


def test_sampling_needs_no_tensorflow(digits_run, tmp_path):
    program = (
        "import sys; sys.argv = ['tfvae', 'sample', sys.argv[1], '--out', sys.argv[2]]\n"
        "from tfvae import cli\n"
        "try: cli.main()\n"
        "except SystemExit as e: assert not e.code, e.code\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    arguments = [str(digits_run[0] / "runs" / "digits"), str(tmp_path / "grid.png")]
    subprocess.run([sys.executable, "-c", program, *arguments], check=True)


def test_help_imports_no_tensorflow(tmp_path):
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tfvae", "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    for command in ("train", "evaluate", "sample", "export", "demo"):
        assert command in found.stdout
    assert not [m for m in ("tensorflow", "keras", "numpy", "sklearn") if f" {m}\n" in found.stderr]


@pytest.mark.parametrize("kind", ["vectors", "grey", "folder", "mnist"])
def test_train_takes_arrays_folders_and_named_sets(tfvae_command, tmp_path, kind):
    rng = np.random.default_rng(0)
    arguments = ["data"]
    if kind == "vectors":
        np.savez(tmp_path / "data.npz", x_train=rng.normal(size=(20, 6)), x_test=rng.normal(size=(20, 6)))
        arguments = ["data.npz"]
    elif kind == "grey":
        np.save(tmp_path / "data.npy", rng.integers(0, 256, (60, 16, 18), np.uint8))
        arguments = ["data.npy"]
    elif kind == "folder":
        write_images(tmp_path / "data", sizes=((17, 16),) * 60, mode="RGB")
    else:
        write_mnist(tmp_path, "mnist", 40, 12)
        arguments = ["mnist", "--data-dir", tmp_path, "--network", "mlp"]
    options = ["--epochs", 1, "--batch-size", 10, "--num-samples", 5, "--out", tmp_path / "run", "--latent-dim", 3]
    status, out, err = tfvae_command("train", *arguments, *options)
    assert (status, err) == (0, "")
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES
    settings = json.loads((tmp_path / "run" / "report.json").read_text())["settings"]
    expected = {
        "vectors": ("mlp", "normal"),
        "grey": ("conv", "bernoulli"),
        "folder": ("conv", "normal"),
        "mnist": ("mlp", "bernoulli"),
    }
    assert (settings["network"], settings["likelihood"]) == expected[kind]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "mnits"], ["digits, mnist"]),
        (["train", "--batch-size", "400"], ["at least one batch of 400"]),
        (["train", "nan.npy", "--batch-size", "2"], ["nan", "x_train"]),
        (["train", "grey.npy", "--likelihood", "bernoulli", "--batch-size", "2"], ["Normal"]),
        (["train", "--out", "file/run"], ["a place to write"]),
        (["evaluate", "nowhere"], ["a run"]),
        (["export", "nowhere", "--out", "x"], ["a run"]),
        (["sample", "nowhere.tflite"], ["no such file"]),
        (["sample", "file"], ["sidecar"]),
        (["demo", "nowhere"], ["a page, a run"]),
        (["evaluate", "damaged"], ["readable files", "damaged"]),
    ],
)
def test_a_mistake_ends_in_one_message_and_no_file(tfvae_command, tmp_path, arguments, words):
    (tmp_path / "file").write_text("")
    np.save(tmp_path / "nan.npy", np.full((30, 3), np.nan))
    np.save(tmp_path / "grey.npy", np.random.default_rng(0).normal(size=(30, 3)))
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "model.keras").write_text("no zip")
    (tmp_path / "damaged" / "report.json").write_text('{"settings": {}}')
    before = sorted(tmp_path.iterdir())
    status, out, err = tfvae_command(*arguments)
    assert status == 2
    assert "Traceback" not in err
    assert err.startswith("tfvae: ")
    import re

    assert re.search(matches(*words), err.removeprefix("tfvae: "))
    assert "Epoch" not in out
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["trian"],
        ["train", "--epochs", "0"],
        ["train", "--network", "rnn"],
        ["sample"],
        ["export", "x"],
        ["demo", "x", "--port", "-1"],
    ],
)
def test_a_wrong_word_or_option_is_explained(tfvae_command, arguments):
    status, _, err = tfvae_command(*arguments)
    assert status == 2
    assert "Traceback" not in err
    assert "Usage" in err
