"""A run, on data that tell training from held-out: what it trained on, measured and wrote."""

import dataclasses
import json
import math
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

import tfvae
from tests.app.test_fingerprints import by_hand
from tests.support.recording import record, record_run
from tfvae import datasets, likelihoods, plots
from tfvae._files.listing import sha256
from tfvae.app import alarms, config_file, run_folder, runs
from tfvae.app.report_page import page as page_of_run
from tfvae.app.settings import Settings, build, choose
from tfvae.export import Sampler

pytestmark = pytest.mark.xdist_group("runs")  # one process makes the files they share

SETTINGS = {"latent_dim": 2, "epochs": 40, "batch_size": 16, "learning_rate": 0.01}
EVALUATED = 11  # of the held-out examples


def marked(count, mark, seed):
    """Vectors of zeros and ones, of which the first element is `mark` in each."""
    x = np.random.default_rng(seed).integers(0, 2, (count, 6)).astype(np.float32)
    x[:, 0] = mark
    return x


@pytest.fixture(scope="module")
def arrays():
    """Training examples marked 1, and held-out examples marked 0."""
    return {"x_train": marked(48, 1, seed=1), "x_test": marked(24, 0, seed=2)}


@pytest.fixture(scope="module")
def run(arrays, tmp_path_factory):
    """A run of the marked examples: its folder, and its report."""
    folder = tmp_path_factory.mktemp("marked")
    np.savez(folder / "data.npz", **arrays)
    settings = {**SETTINGS, "num_samples": 300, "num_examples": EVALUATED, "seed": 3}
    runs.train(Settings(str(folder / "data.npz"), out=str(folder / "run"), **settings))
    report = json.loads((folder / "run" / runs.REPORT).read_text())
    return folder / "run", report


@pytest.fixture(scope="module")
def vae(run):
    return tfvae.load_model(run[0] / runs.MODEL)


def test_a_run_trains_on_the_training_examples_alone(vae):
    """A model that saw the 24 held-out ones as well would draw two marks in three."""
    drawn = vae.sample(500, seed=1, draw=True).numpy()
    assert drawn[:, 0].mean() > 0.95
    assert abs(drawn[:, 1:].mean() - 0.5) < 0.15


def test_the_report_tells_which_examples_were_trained_on_and_evaluated_on(run, arrays):
    found = run[1]["data"]
    assert (found["train"], found["held_out"]) == (48, 24)
    assert found["trained_on"] == by_hand(arrays["x_train"])
    assert found["evaluated_on"] == by_hand(arrays["x_test"][:EVALUATED])
    assert found["shared"] == 0
    assert "48 examples" in run[1]["alarms"]["few"]


@pytest.mark.parametrize(("num_examples", "count"), [(0, 24), (1, 1), (23, 23), (25, 24)])
def test_held_out_examples_are_counted_from_the_first_and_0_means_all(arrays, num_examples, count):
    dataset = datasets.Dataset("marked", **arrays)
    found = runs.held_out(dataset, num_examples)
    assert np.array_equal(found, arrays["x_test"][:count])


def test_examples_that_are_trained_on_and_held_out_are_told(tmp_path, monkeypatch):
    x = marked(20, 1, seed=1)
    x = np.unique(x, axis=0)[:12]
    np.savez(tmp_path / "data.npz", x_train=x[:8], x_test=x[5:])
    record_run(monkeypatch)
    settings = Settings(str(tmp_path / "data.npz"), batch_size=4, out=str(tmp_path / "run"))
    said = []
    report = runs.train(settings, say=said.append)
    assert report["data"]["shared"] == 3
    assert any(line.startswith("3 of the held-out examples") for line in said)


def posterior_of(vae, x):
    """Mean and standard deviation of q(z|x), and KL(q(z|x) || p(z)) per example, in NumPy."""
    q = vae.encode(x)
    loc, scale = np.asarray(q.mean(), np.float64), np.asarray(q.stddev(), np.float64)
    return loc, scale, 0.5 * (loc**2 + scale**2 - 1 - 2 * np.log(scale)).sum(axis=-1)


def importance_sampled(vae, x, num_samples=1000):
    """-log p(x) and the distortion per example, in NumPy from what the networks put out."""
    loc, scale, _ = posterior_of(vae, x)
    noise = np.random.default_rng(0).normal(size=(num_samples, *loc.shape))
    z = loc + scale * noise  # [K, N, D]
    p = np.clip(np.asarray(vae.decode(z).mean(), np.float64), 1e-7, 1 - 1e-7)
    log_likelihood = np.where(x == 1, np.log(p), np.log1p(-p)).sum(axis=-1)
    # log p(z) - log q(z|x), in which the constants of the two normals cancel.
    log_ratio = (0.5 * noise**2 + np.log(scale) - 0.5 * z**2).sum(axis=-1)
    weights = np.exp(log_likelihood + log_ratio)
    return -np.log(weights.mean(axis=0)), -log_likelihood.mean(axis=0)


def test_the_report_has_the_numbers_of_the_saved_model_on_the_held_out_examples(run, vae, arrays):
    found, x = run[1]["evaluation"], arrays["x_test"][:EVALUATED]
    loc, _, rate = posterior_of(vae, x)
    assert found["rate"] == pytest.approx(rate.mean(), rel=1e-4)
    assert found["rate_stderr"] == pytest.approx(rate.std(ddof=1) / EVALUATED**0.5, rel=1e-4)
    for other in (arrays["x_test"], arrays["x_train"]):  # the rate tells which examples they were
        assert abs(posterior_of(vae, other)[2].mean() - rate.mean()) > 1e-3 * rate.mean()

    nll, distortion = importance_sampled(vae, x)
    assert found["nll"] == pytest.approx(nll.mean(), abs=0.1)
    assert found["distortion"] == pytest.approx(distortion.mean(), abs=0.1)
    assert found["elbo"] == pytest.approx(-found["rate"] - found["distortion"], rel=1e-5)
    assert found["gap"] == pytest.approx(-found["nll"] - found["elbo"], abs=0.1)
    assert found["bits_per_dim"] == pytest.approx(found["nll"] / (6 * math.log(2)), rel=1e-5)
    assert found["active_units"] == (loc.var(axis=0) > 0.01).sum()
    counts = ("num_examples", "num_samples", "seed", "latent_dim", "binarization")
    assert [found[name] for name in counts] == [EVALUATED, 300, 3, 2, None]


def test_the_picture_of_a_run_has_the_samples_of_its_seed(run):
    drawn = Sampler(run[0] / runs.TFLITE).sample(64, seed=3)
    sheet = plots.grid(drawn, value_range=(0, 1))
    assert np.array_equal(unenlarged(run[0] / runs.SAMPLES, sheet.shape), sheet)


def test_the_picture_of_reconstructions_has_the_held_out_examples(run, vae, arrays):
    x = arrays["x_test"]
    rows = [x[:16], vae.reconstruct(x[:16]), x[16:], vae.reconstruct(x[16:])]
    sheet = plots.grid(np.concatenate(rows), columns=16, value_range=(0, 1))
    picture = unenlarged(run[0] / runs.RECONSTRUCTIONS, sheet.shape)
    assert np.abs(picture.astype(int) - sheet).max() <= 1


def unenlarged(path, shape):
    """The pixels of a small picture that was written enlarged by a whole factor."""
    picture = np.asarray(Image.open(path))
    factor = picture.shape[0] // shape[0]
    return picture[::factor, ::factor]


def test_the_settings_of_a_run_lie_in_it_to_repeat_it(run):
    text = (run[0] / "config.toml").read_text()
    assert text == config_file.text(Settings(**run[1]["settings"]))


def test_the_report_says_what_is_in_the_folder(run):
    folder, report = run
    sizes = report["export"]["sizes"]
    assert set(sizes) == {runs.MODEL, runs.SAVED_MODEL, runs.TFLITE}
    for name, size in sizes.items():
        files = [folder / name, *(folder / name).rglob("*")]
        assert size == sum(path.stat().st_size for path in files if path.is_file())
    sidecar = json.loads((folder / "decoder.json").read_text())
    assert report["export"]["parity"] == sidecar["quality"]
    assert report["versions"]["keras"] == keras.__version__
    assert report["versions"]["tfvae"] == tfvae.__version__


def test_a_run_of_the_same_seed_ends_at_the_same_weights(run, vae, monkeypatch):
    """Initial weights, order of examples and noise follow from it, whatever ran before."""
    np.random.random(7)
    fit = tfvae.VAE.fit
    calls = record_run(monkeypatch)
    monkeypatch.setattr(tfvae.VAE, "fit", fit)
    alarmed = record(monkeypatch, alarms, "of_run", returns={})
    again = run[0].with_name("again")
    runs.train(Settings(**{**run[1]["settings"], "out": str(again)}))
    found = tfvae.load_model(again / runs.MODEL).get_weights()
    assert all(map(np.array_equal, found, vae.get_weights()))

    (given,) = alarmed
    assert given["evaluation"] == calls.report.to_dict()
    assert {len(given["history"][name]) for name in ("loss", "elbo", "rate")} == {40}
    assert (given["train"], given["held_out"]) == (48, EVALUATED)


# What is chosen where nothing is said


def dataset(shape, low=0.0, high=1.0, name="data.npz", count=2):
    """Examples on a line from `low` to `high`, and as many held out."""
    x = np.linspace(low, high, count * math.prod(shape), dtype=np.float32).reshape(count, *shape)
    return datasets.Dataset(name, x, x)


NORMAL = "standardized_normal"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (dataset((16, 16)), {"network": "conv", "likelihood": NORMAL, "latent_dim": 16}),
        (dataset((16, 16), count=2000), {"network": "conv", "latent_dim": 32}),
        (dataset((15, 16)), {"network": "mlp", "latent_dim": 16}),
        (dataset((16, 15)), {"network": "conv1d", "latent_dim": 16}),
        (dataset((15, 16, 1)), {"network": "mlp", "latent_dim": 16}),
        (dataset((16, 16, 3)), {"network": "conv", "likelihood": NORMAL}),
        (dataset((255,)), {"network": "mlp", "latent_dim": 16}),
        (dataset((256,), count=1999), {"network": "mlp", "latent_dim": 16}),
        (dataset((256,), count=2000), {"network": "mlp", "latent_dim": 32}),
        (dataset((4,), low=-0.01), {"likelihood": NORMAL}),
        (dataset((4,), high=1.01), {"likelihood": NORMAL}),
        (dataset((4,), count=20_000), {"epochs": 20, "batch_size": 128, "learning_rate": 2e-3}),
        (dataset((4,), count=512), {"epochs": 750, "batch_size": 128, "num_samples": 500}),
        (dataset((4,), count=511), {"epochs": 375, "batch_size": 64}),
        (dataset((16, 16), count=511), {"epochs": 150, "batch_size": 64}),
        (dataset((4,), count=3), {"epochs": 1000, "batch_size": 1}),
        (dataset((4,), name="digits"), {"epochs": 120, "batch_size": 64, "latent_dim": 8}),
        (
            dataset((28, 28, 1), name="mnist_5k"),
            {
                "network": "conv",
                "epochs": 26,
                "latent_dim": 16,
                "prior": "GaussianMixture(50)",
                "num_samples": 200,
            },
        ),
        (dataset((4,), name="some/where/faces.npz"), {"out": "runs/faces"}),
    ],
)
def test_what_is_left_open_is_chosen_from_the_data(data, expected):
    chosen = dataclasses.asdict(choose(Settings(), data))
    assert {name: chosen[name] for name in expected} == expected


def test_what_was_chosen_is_what_was_used_and_what_the_report_says(tmp_path, monkeypatch):
    np.savez(tmp_path / "data.npz", x_train=marked(130, 1, seed=1), x_test=marked(140, 0, seed=2))
    calls = record_run(monkeypatch)
    report = runs.train(Settings(str(tmp_path / "data.npz"), out=str(tmp_path / "run")))
    (fit,), (evaluate,) = calls.fit, calls.evaluate
    vae = fit["self"]
    used = {
        "latent_dim": vae.latent_dim,
        "likelihood": f"{type(vae.likelihood).__name__}()",
        "epochs": fit["epochs"],
        "batch_size": fit["batch_size"],
        "learning_rate": pytest.approx(float(vae.optimizer.learning_rate)),
        "num_samples": evaluate["num_samples"],
        "seed": vae.seed,
    }
    assert {name: report["settings"][name] for name in used} == used
    assert report["evaluation"] == dataclasses.asdict(calls.report)
    assert report["export"]["parity"] == calls.parity


def test_what_is_stated_is_kept():
    stated = Settings("a", "b", 5, "mlp", "normal", 6, 7, 0.5, 8, 9, 10, "c", "p", "q", "o", "e")
    assert choose(stated, dataset((16, 16))) == stated


@pytest.mark.parametrize(
    ("shape", "network", "widths"),
    [((15, 17), "mlp", [256, 256]), ((16, 16), "mlp", [512, 512]), ((16, 16), "conv", [512])],
)
def test_the_network_that_is_named_is_built(shape, network, widths):
    settings = choose(Settings(latent_dim=3, network=network, seed=4), dataset(shape))
    vae = build(settings, dataset(shape))
    dense = [layer.units for layer in vae.encoder.layers if hasattr(layer, "units")]
    assert dense == [*widths, 2 * 3]
    kinds = {type(layer).__name__ for layer in vae.encoder.layers}
    assert ("Conv2D" in kinds) == (network == "conv")
    assert (vae.latent_dim, vae.seed, vae.event_shape) == (3, 4, shape)


@pytest.mark.parametrize(
    ("likelihood", "high", "expected"),
    [
        ("bernoulli", 1.0, likelihoods.Bernoulli(dynamic_binarization=True)),
        ("bernoulli", 0.0, likelihoods.Bernoulli()),
        ("normal", 1.0, likelihoods.Normal(0.5, learn_scale=True)),
    ],
)
def test_the_likelihood_that_is_named_is_built(likelihood, high, expected):
    data = dataset((4,), high=high)
    settings = choose(Settings(likelihood=likelihood), data)
    assert repr(build(settings, data).likelihood) == repr(expected)


@pytest.fixture
def copied(run, tmp_path):
    shutil.copytree(run[0], tmp_path / "copied")
    return tmp_path / "copied"


def test_a_run_has_its_page_and_its_hash(run):
    page = (run[0] / page_of_run.NAME).read_text(encoding="utf-8")
    assert f"{run[1]['evaluation']['nll']:.2f} ±" in page
    assert 'id="training"' in page and 'id="left-out"' not in page
    assert len(run[1]["history"]["loss"]) == SETTINGS["epochs"]
    assert run[1]["files"][page_of_run.NAME] == sha256(run[0] / page_of_run.NAME)


def test_the_page_of_a_run_without_one_is_made(copied, tfvae_command):
    """As of a version that made none, and kept no history."""
    (copied / page_of_run.NAME).unlink()
    report = json.loads((copied / runs.REPORT).read_text())
    del report["history"], report["files"][page_of_run.NAME]
    _, text = run_folder.signed(report, report["files"])
    (copied / runs.REPORT).write_text(text)
    status, _, err = tfvae_command("report", copied)
    assert (status, err) == (0, "")
    page = (copied / page_of_run.NAME).read_text(encoding="utf-8")
    assert 'id="samples"' in page and "made before runs kept" in page
    assert run_folder.opened(copied)["files"][page_of_run.NAME] == sha256(copied / page_of_run.NAME)


def test_a_damaged_page_is_mended_and_a_foreign_one_kept(copied, tfvae_command):
    page = copied / page_of_run.NAME
    whole = page.read_bytes()
    page.write_text("my notes")
    status, _, err = tfvae_command("report", copied)
    assert status == 2 and "another page" in err and page.read_text() == "my notes"
    page.write_bytes(whole[:-200])
    with pytest.raises(ValueError, match=page_of_run.NAME):
        run_folder.opened(copied)
    assert tfvae_command("report", copied)[0] == 0
    run_folder.opened(copied)
