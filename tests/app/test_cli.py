"""The command, as a new user types it."""

import dataclasses
import inspect
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.datasets.test_datasets import write_mnist
from tests.datasets.test_pictures import write_images
from tests.support.recording import record_run
from tfvae import evaluation
from tfvae.app import screen, tables, training_commands
from tfvae.app.settings import Settings

pytestmark = pytest.mark.xdist_group("cli")  # one process makes the files they share

FILES = {
    "model.keras",
    "saved_model",
    "decoder.tflite",
    "decoder.json",
    "samples.png",
    "reconstructions.png",
    "report.json",
    "report.html",
    "config.toml",
}


def shell(*arguments, cwd):
    command = [sys.executable, "-m", "tfvae", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    """`tfvae train digits`, with fewer epochs, from an empty folder."""
    folder = tmp_path_factory.mktemp("new user")
    return folder, shell("train", "digits", "--epochs", 12, cwd=folder)


def test_a_first_run_is_of_the_images_that_a_package_carries():
    arguments = inspect.signature(training_commands.train).parameters
    assert arguments["data"].default == Settings().data == "mnist_5k"


def test_train_leaves_everything_and_nothing_on_the_error_stream(digits_run):
    folder, done = digits_run
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert {path.name for path in (folder / "runs" / "digits").iterdir()} == FILES
    assert Image.open(folder / "runs" / "digits" / "samples.png").size >= (256, 256)
    epochs = [line for line in done.stdout.splitlines() if line.startswith("Epoch ")]
    assert [line.split()[1] for line in epochs] == [f"{i}/12" for i in range(1, 13)]
    assert "\x1b" not in done.stdout and "\r" not in done.stdout and "\b" not in done.stdout
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

    sampler = export.Sampler(digits_run[0] / "runs" / "digits" / "decoder.tflite")
    samples = sampler.sample(64).reshape(64, 64)
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
        status, out, err = tfvae_command(
            "sample", source, "--count", 16, "--seed", 7, "--out", tmp_path / "grid.png"
        )
        assert (status, err) == (0, "")
        assert Image.open(tmp_path / "grid.png").size >= (128, 128)
    status, out, err = tfvae_command(
        "export", run, "--out", tmp_path / "out", "--batch-size", 1, "--batch-size", 4, "--encoder"
    )
    assert (status, err) == (0, "")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"saved_model", "decoder.tflite", "decoder.json"}
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
        "from tfvae.app import cli\n"
        "try: cli.main()\n"
        "except SystemExit as e: assert not e.code, e.code\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    arguments = [str(digits_run[0] / "runs" / "digits"), str(tmp_path / "grid.png")]
    subprocess.run([sys.executable, "-c", program, *arguments], check=True)


def test_help_imports_no_tensorflow(tmp_path):
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tfvae", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    uses = ("reconstruct", "interpolate", "encode", "impute", "anomalies")
    for command in ("train", "evaluate", "sample", *uses, "export", "demo"):
        assert command in found.stdout
    assert not [m for m in ("tensorflow", "keras", "numpy", "sklearn") if f" {m}\n" in found.stderr]


def write_data(folder, kind):
    """Small data of a kind; returns what `tfvae train` is given to find them."""
    rng = np.random.default_rng(0)
    if kind == "vectors":
        parts = {"x_train": rng.normal(size=(20, 6)), "x_test": rng.normal(size=(20, 6))}
        np.savez(folder / "data.npz", **parts)
        return ["data.npz"]
    if kind == "grey":
        np.save(folder / "data.npy", rng.integers(0, 256, (60, 16, 18), np.uint8))
        return ["data.npy"]
    if kind == "folder":
        write_images(folder / "data", sizes=((17, 16),) * 60, mode="RGB")
        return ["data"]
    write_mnist(folder, "mnist", 40, 12)
    return ["mnist", "--data-dir", folder, "--network", "mlp"]


@pytest.mark.parametrize(
    ("kind", "shape", "chosen"),
    [
        ("vectors", (20, 6), ("mlp", "Rescaled")),
        ("grey", (50, 16, 18), ("conv", "DiscretizedLogistic")),
        ("folder", (50, 16, 17, 3), ("conv", "DiscretizedLogistic")),
        ("mnist", (40, 28, 28, 1), ("mlp", "DiscretizedLogistic")),
    ],
)
def test_train_takes_any_kind_of_data(tfvae_command, tmp_path, monkeypatch, kind, shape, chosen):
    calls = record_run(monkeypatch)
    source = write_data(tmp_path, kind)
    status, out, err = tfvae_command("train", *source, "--batch-size", 10, "--out", "run")
    assert (status, err) == (0, "")
    words = "standardized_normal" if chosen[1] == "Rescaled" else rf"{chosen[1]}\(.*\)"
    assert f"{chosen[0]} network" in out and re.search(f"{words} likelihood", out)
    assert "chosen since" in out and "--likelihood takes another" in out
    (fit,) = calls.fit
    assert fit["x"].shape == shape
    layers = {type(layer).__name__ for layer in fit["self"].encoder.layers}
    built = "conv" if "Conv2D" in layers else "mlp"
    assert (built, type(fit["self"].likelihood).__name__) == chosen


@pytest.mark.nightly
def test_colour_images_are_trained_on_exported_and_drawn(tfvae_command, tmp_path):
    source = write_data(tmp_path, "folder")
    options = ["--epochs", 1, "--batch-size", 10, "--num-samples", 5, "--latent-dim", 3]
    status, _, err = tfvae_command("train", *source, *options, "--out", "run")
    assert (status, err) == (0, "")
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES
    assert Image.open(tmp_path / "run" / "samples.png").mode == "RGB"


def test_the_table_tells_each_number_beside_its_name(tfvae_command, tmp_path, monkeypatch):
    calls = record_run(monkeypatch)
    source = write_data(tmp_path, "vectors")
    status, out, _ = tfvae_command("train", *source, "--batch-size", 10, "--out", "run")
    assert status == 0
    told = {line[:22].strip(): line[22:].split() for line in out.splitlines() if line[22:].strip()}
    numbers = dataclasses.asdict(calls.report)
    for title in ("NLL", "ELBO", "rate", "distortion"):
        value, error = numbers[title.lower()], numbers[f"{title.lower()}_stderr"]
        assert told[title][:4] == [f"{value:.2f}", "±", f"{error:.2f}", "nats"]
    assert told["importance samples"][0] == str(numbers["num_samples"])
    assert told["held-out examples"][0] == str(numbers["num_examples"])
    assert told["bits per dimension"][0] == f"{numbers['bits_per_dim']:.3f}"
    assert told["active units"][0] == str(numbers["active_units"])
    parity = calls.parity
    assert told["parity of the file, x"][0] == f"{parity['max_abs_error_x']:.1e}"
    assert told["parity of the file, z"][0] == f"{parity['max_abs_error_z']:.1e}"
    assert told["mean difference of x"][0] == f"{parity['mean_abs_error_x']:.1e}"
    assert told["distortion lost"][0] == f"{parity['distortion_change_nats']:.4f}"


def test_the_table_says_what_is_exact_and_why_a_density_has_no_bits():
    fields = evaluation.Report.__dataclass_fields__
    numbers = {**dict.fromkeys(fields, 1), "binarization": None, "bits_per_dim": None}
    with screen.console.capture() as capture:
        screen.console.print(tables.of_evaluation({**numbers, "num_samples": 9, "exact": True}))
    told = {line[:22].strip(): line[22:].strip() for line in capture.get().splitlines()}
    assert told["values of z"].split(maxsplit=1) == ["9", "all of them, so NLL is exact"]
    assert "importance samples" not in told
    assert told["bits per dimension"].split(maxsplit=1) == ["none", "since p(x|z) is a density"]
