"""Several runs in one folder: which are trained, kept and gone on with, and sweeps."""

import dataclasses
import json
import re

import keras
import numpy as np
import pytest

import tfvae
from tests.app.test_comparing import EVALUATION
from tests.conftest import matches
from tfvae.app import run_folder, series, sweep_file
from tfvae.app.settings import Settings
from tfvae.callbacks import Interrupted
from tfvae.training.alarm import NonFiniteLoss

SWEEP = """
[train]
data = "x.npy"
epochs = 2
[grid]
latent_dim = [2, 4]
learning_rate = [1e-3, 3e-3]
"""


def write_run(settings, nll):
    """Writes what a finished run leaves of its report."""
    report = {
        "settings": dataclasses.asdict(settings),
        "evaluation": {**EVALUATION, "nll": nll},
        "data": {"evaluated_on": {"examples": 9, "sha256": "aa" * 32}},
    }
    folder = run_folder.Unfinished(settings.out).out
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.keras").write_bytes(b"")
    (folder / run_folder.REPORT).unlink(missing_ok=True)
    run_folder.write_report(folder, report)


@pytest.fixture
def trained(monkeypatch):
    """Notes runs in place of training them; `trained.ends` is raised by the next of a name."""

    class Noted(list):
        ends: dict = {}
        resumed: list = []

    noted = Noted()
    noted.ends, noted.resumed = {}, []

    def train(settings, say, *, overwrite=False):
        name = settings.out.rsplit("/", 1)[-1]
        noted.append(name)
        if name in noted.ends:
            raise noted.ends.pop(name)
        write_run(settings, nll=20.0 + len(noted))

    def resume(run, say):
        noted.resumed.append(run.rsplit("/", 1)[-1])
        unfinished = run_folder.Unfinished(run)
        write_run(Settings(**unfinished.begun()["settings"]), nll=1.0)

    monkeypatch.setattr(keras.backend, "clear_session", lambda: None)  # which takes a second
    monkeypatch.setattr(series.runs, "train", train)
    monkeypatch.setattr(series.runs, "resume", resume)
    return noted


@pytest.fixture
def sweep(tfvae_command, tmp_path):
    """Runs `tfvae sweep` of a text."""

    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(60, 3)))

    def run(text, *options):
        (tmp_path / "s.toml").write_text(text)
        return tfvae_command("sweep", "s.toml", *options)

    return run


def test_seeds_are_trained_into_subfolders_and_compared(tfvae_command, trained, tmp_path):
    status, out, err = tfvae_command("train", "--seeds", 3, "--seed", 5, "--out", "all", "--json")
    assert status == 0, err
    assert trained == ["seed-5", "seed-6", "seed-7"]
    found = json.loads(out)
    assert found["seeds"][0]["nll"]["mean"] == pytest.approx(22.0)
    assert found["seeds"][0]["nll"]["std"] == pytest.approx(1.0)
    assert found["differing"] == ["seed"]
    assert (tmp_path / "all" / "compare.html").is_file()


def test_what_is_finished_is_kept_and_what_failed_is_told(sweep, trained):
    first = "latent_dim-2-learning_rate-0.001"
    trained.ends = {first: NonFiniteLoss("Expected a finite loss. Received: NaN. Fix: less.")}
    status, out, err = sweep(SWEEP)
    assert status == 0, err
    assert len(trained) == 4
    assert f"Failed: {first}. Expected a finite loss." in out

    trained.clear()
    status, out, _ = sweep(SWEEP.replace("[2, 4]", "[2, 4, 8]"))
    assert status == 0
    assert trained == [
        first,
        "latent_dim-8-learning_rate-0.001",
        "latent_dim-8-learning_rate-0.003",
    ]

    trained.clear()
    assert sweep(SWEEP, "--overwrite")[0] == 0
    assert len(trained) == 4


def test_a_run_that_was_stopped_is_gone_on_with(sweep, trained, tmp_path):
    second = "latent_dim-2-learning_rate-0.003"
    trained.ends = {second: Interrupted("stopped")}
    status, out, _ = sweep(SWEEP)
    assert status == 130
    assert "The same command goes on" in out

    unfinished = run_folder.Unfinished(tmp_path / "runs" / "s" / second)
    jobs = {job.name: Settings(**job.options) for job in sweep_file.read("s.toml").jobs}
    begun = dataclasses.replace(series.planned(jobs)[second], out=str(unfinished.out))
    unfinished.checkpoints.mkdir(parents=True)
    (unfinished.checkpoints / "checkpoint-000001.tfvae").write_bytes(b"")
    (unfinished.folder / "begun.json").write_text(
        json.dumps({"settings": dataclasses.asdict(begun)})
    )
    trained.clear()
    status, out, err = sweep(SWEEP, "--json")
    assert status == 0, err
    assert trained == ["latent_dim-4-learning_rate-0.001", "latent_dim-4-learning_rate-0.003"]
    assert trained.resumed == [second]
    assert json.loads(out)["runs"][0]["name"] == second  # the lowest NLL first


def test_runs_of_other_settings_and_runs_themselves_are_not_mixed(tfvae_command, trained, tmp_path):
    write_run(Settings(out=str(tmp_path / "all" / "seed-1"), latent_dim=3), nll=1.0)
    status, _, err = tfvae_command("train", "--seeds", 2, "--out", "all")
    assert status == 2 and "another latent_dim" in err
    status, _, err = tfvae_command("train", "--seeds", 2, "--out", "all/seed-1")
    assert status == 2 and "a run itself" in err
    assert trained == []


def test_a_grid_is_every_combination_and_its_plan_trains_nothing(sweep, trained):
    text = 'seeds = 2\nout = "there"\n' + SWEEP + "hidden = [[16], [32, 32]]\n"
    status, out, _ = sweep(text, "--plan")
    assert status == 0
    assert "16 runs in there/" in out
    assert "16 runs in elsewhere/" in sweep(text, "--plan", "--out", "elsewhere")[1]
    assert "latent_dim-4-learning_rate-0.003-hidden-32.32-seed-1" in out
    assert trained == []
    jobs = sweep_file.read("s.toml").jobs
    assert jobs[0].options == {
        "data": "x.npy", "epochs": 2, "latent_dim": 2, "learning_rate": 1e-3, "hidden": "16",
        "seed": 0,
    }  # fmt: skip


def test_a_random_search_draws_within_its_ends_and_goes_on_as_it_began(tmp_path):
    text = """
    runs = {}
    seed = 3
    [random]
    latent_dim = {{min = 2, max = 32}}
    batch_size = {{min = 16, max = 256, log = true}}
    learning_rate = {{min = 1e-4, max = 1e-2, log = true}}
    network = ["mlp"]
    """
    found = {}
    for count in (40, 200):
        (tmp_path / f"{count}.toml").write_text(text.format(count))
        found[count] = sweep_file.read(tmp_path / f"{count}.toml").jobs
    assert [job.name for job in found[200][:40]] == [job.name for job in found[40]]
    assert len({job.name for job in found[200]}) == 200

    drawn = {name: [job.chosen[name] for job in found[200]] for name in found[40][0].chosen}
    assert (min(drawn["latent_dim"]), max(drawn["latent_dim"])) == (2, 32)
    assert all(type(value) is int for value in drawn["latent_dim"] + drawn["batch_size"])
    assert abs(np.log10(drawn["learning_rate"]).mean() + 3) < 0.15
    assert 50 < np.median(drawn["batch_size"]) < 80  # 64 in the middle of the logarithms


WRONG = {
    "no file": (None, ["a TOML file", "no such file"]),
    "no TOML": ("grid = [", ["a TOML file"]),
    "no way": ("[train]\nepochs = 2", [r"\[grid\] and \[random\]", "neither"]),
    "both": ("[grid]\nseed = [1]\n[random]\nseed = [1]", ["both"]),
    "another key": ("epochs = 2\n[grid]\nseed = [1]", ["keys of a sweep", "epochs"]),
    "no table": ("grid = 3", ["to be a table"]),
    "an unknown option": ("[grid]\nlatent = [1]", ["latent", "write latent_dim"]),
    "another kind": ('[grid]\nlatent_dim = ["two"]', ["latent_dim", "a whole number"]),
    "no list": ("[grid]\nlatent_dim = 2", ["a list of values", r"latent_dim = \[2\]"]),
    "an empty list": ("[grid]\nlatent_dim = []", ["a list of values"]),
    "out of range": ("[grid]\nlatent_dim = [0]", ["latent_dim-0", "--latent-dim", "1"]),
    "another network": ('[grid]\nnetwork = ["rnn"]', ["rnn", "mlp"]),
    "widths": ('[grid]\nlatent_dim = [2]\n[train]\nhidden = [0]', ["--hidden", "numbers from 1"]),
    "twice": ("[train]\nseed = 1\n[grid]\nseed = [1]", ["seed in both"]),
    "seeds and seed": ("seeds = 2\n[grid]\nseed = [1]", ["seeds, or values of seed", "both"]),
    "out within": ('[train]\nout = "x"\n[grid]\nseed = [1]', ["no out in the tables"]),
    "no folder": ("out = 3\n[grid]\nseed = [1]", ["out in s.toml, a folder"]),
    "runs": ("runs = 0\n[random]\nseed = [1]", ["runs in s.toml"]),
    "too many": (f"[grid]\nseed = {[1] * 1200}", ["at most 1,000"]),
    "ends": ("[random]\nlatent_dim = {min = 4, max = 2}", ["min below max"]),
    "endless": ("[random]\nlearning_rate = {min = 1e-3, max = inf}", ["min below max"]),
    "other ends": ("[random]\nlatent_dim = {low = 1, high = 2}", ["min below max"]),
    "log of 0": ("[random]\nlearning_rate = {min = 0, max = 1, log = true}", ["positive ends"]),
    "no piece": ('[grid]\nprior = ["StandardNormal", "Nromal"]', ["prior-Nromal", "a prior"]),
    "no data": ('[train]\ndata = "mnits"\n[grid]\nseed = [1, 2]', ["seed-1", "a data set"]),
}  # fmt: skip


@pytest.mark.parametrize("text, words", WRONG.values(), ids=WRONG)
def test_a_wrong_sweep_is_told_in_words_before_anything_is_trained(
    tfvae_command, trained, tmp_path, text, words
):
    if text is not None:
        (tmp_path / "s.toml").write_text(text)
    status, out, err = tfvae_command("sweep", "s.toml")
    assert status == 2 and out == ""
    assert "Traceback" not in err
    message = " ".join(err.split())
    pattern = matches(*words)
    assert re.search(pattern, message[message.index("Expected") :]), message
    assert trained == []
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("options", [["--resume", "x"], ["--print-config"]])
def test_seeds_go_without_what_is_of_one_run(tfvae_command, options):
    status, _, err = tfvae_command("train", "--seeds", 2, *options)
    assert status == 2 and "without" in err


@pytest.mark.nightly
def test_a_run_of_a_series_is_the_run_alone_and_a_killed_one_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings(epochs=4, latent_dim=2, hidden=(16,), num_samples=5, num_examples=20)
    alone = dataclasses.replace(settings, out="alone", seed=1)
    tfvae.app.runs.train(alone, say=_nothing)

    evaluate, calls = tfvae.evaluation.evaluate, []

    def stops(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return evaluate(*arguments, **options)

    monkeypatch.setattr(tfvae.evaluation, "evaluate", stops)
    both = dataclasses.replace(settings, out="both", seed=0)
    with pytest.raises(KeyboardInterrupt):
        series.of_seeds(both, 2, False, _nothing)
    said = []
    found = series.of_seeds(both, 2, False, said.append)
    assert any("kept" in line for line in said) and any("Going on" in line for line in said)
    assert {run["name"] for run in found["runs"]} == {"seed-0", "seed-1"}

    weights = [
        tfvae.load_model(f"{run}/model.keras").get_weights() for run in ("alone", "both/seed-1")
    ]
    assert all(np.array_equal(a, b) for a, b in zip(*weights))


def _nothing(text):
    pass
