"""The settings of a training as a TOML file, and examples kept back to stop a training by."""

import dataclasses

import numpy as np
import pytest

from tests.app.test_options import COMMANDS
from tests.conftest import matches
from tests.support.recording import record_run
from tfvae import datasets, errors
from tfvae.app import config_file, early_stopping
from tfvae.app.settings import Settings

tomllib = pytest.importorskip("tomllib")
SETTINGS = Settings(
    'a "quoted"\\ name.npz', latent_dim=3, learning_rate=1e-5, hidden=(12, 8), out="there",
    columns=("age=real", 'a "b"=skip'),
)  # fmt: skip


def write(folder, text):
    (folder / "run.toml").write_text(text, encoding="utf-8")
    return str(folder / "run.toml")


def test_settings_are_written_as_toml_without_the_place_of_the_run():
    found = tomllib.loads(config_file.text(SETTINGS))
    expected = {k: v for k, v in dataclasses.asdict(SETTINGS).items() if v is not None}
    assert "out" not in found
    lists = {name: tuple(found[name]) for name in ("hidden", "columns")}
    assert {**found, **lists, "out": "there"} == expected


def test_what_is_typed_counts_more_than_a_file(tmp_path):
    path = write(tmp_path, config_file.text(SETTINGS))
    words = ["--config", path, "--latent-dim", "7"]
    found = COMMANDS["train"].make_context("train", words).params
    assert (found["data"], found["latent_dim"], found["hidden"]) == (SETTINGS.data, 7, "12,8")
    assert (found["learning_rate"], found["epochs"], found["seed"]) == (1e-5, None, 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoch = 3", ["Received: epoch", "write epochs"]),
        ("learning-rate = 3", ["learning-rate", "write learning_rate"]),
        ("zzz = 3", ["zzz", "one of data, "]),
        ("[train]\nepochs = 3", ["train"]),
        ("epochs = 2.5", ["whole number", "2.5"]),
        ("epochs = true", ["whole number", "True"]),
        ("hidden = [3, 4.5]", ["whole numbers in brackets"]),
        ("data = 3", ["text in quotes"]),
        ("columns = [3]", ["texts in brackets"]),
        ("epochs 3", ["a TOML file", "line 1"]),
    ],
)
def test_a_file_with_a_mistake_is_refused_by_name(tmp_path, text, words):
    with pytest.raises(errors.InputError, match=matches(*map(str, words))):
        config_file.read(write(tmp_path, text))


def test_a_whole_number_is_a_number(tmp_path):
    assert config_file.read(write(tmp_path, "learning_rate = 1")) == {"learning_rate": 1}


def test_all_settings_are_printed_as_chosen_and_nothing_is_trained(tfvae_command, tmp_path):
    words = ["--epochs", 3, "--network", "conv", "--filters", "4,8"]
    status, out, err = tfvae_command("train", "digits", "--print-config", *words)
    assert (status, err) == (0, "")
    found = tomllib.loads(out)
    assert (found["epochs"], found["batch_size"], found["latent_dim"]) == (3, 64, 8)
    assert (found["network"], found["filters"]) == ("conv", [4, 8])
    assert list(tmp_path.iterdir()) == []


def test_a_tenth_of_the_training_examples_is_kept_back_with_its_labels():
    x, y = np.arange(50.0)[:, None], np.arange(50)
    data = datasets.Dataset("some", x, x + 100, y, y + 100)
    rest, (back, labels) = early_stopping.kept_back(data)
    assert np.array_equal(labels, back[:, 0])
    assert (len(rest.x_train), len(back)) == (45, 5)
    assert sorted([*rest.x_train[:, 0], *back[:, 0]]) == list(range(50))
    assert np.array_equal(rest.y_train, rest.x_train[:, 0])
    assert rest.x_test is data.x_test
    assert np.array_equal(early_stopping.kept_back(data)[1][0], back)
    with pytest.raises(errors.InputError, match=matches("at least 20")):
        early_stopping.kept_back(dataclasses.replace(data, x_train=x[:19]))


def test_a_training_is_stopped_by_what_is_kept_back(tfvae_command, monkeypatch):
    calls = record_run(monkeypatch)
    status, out, _ = tfvae_command("train", "digits", "--early-stopping", 7, "--out", "run")
    assert status == 0 and "149 other training examples are kept back" in out
    (fit,) = calls.fit
    stop = fit["callbacks"][-1]
    assert (stop.monitor, stop.mode, stop.patience) == ("val_elbo", "max", 7)
    assert stop.restore_best_weights
    assert (len(fit["x"]), len(fit["validation_data"])) == (1349, 149)
    assert len(calls.evaluate[0]["x"]) == 299
    stop.stopped_epoch, stop.best_epoch = 20, 13
    assert "after epoch 21, 7 after the best, epoch 14" in early_stopping.told(stop)
    stop.stopped_epoch = 0
    assert early_stopping.told(stop) is None
