"""What a user may get wrong: each mistake is told in one message, and leaves no file."""

import re

import numpy as np
import pytest
import typer

from tests.app.test_options import COMMANDS, words_of
from tests.conftest import matches


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "mnits"], ["digits, mnist"]),
        (["train", "--batch-size", "1600"], ["at least one batch of 1600"]),
        (["train", "--prior", "VampPrio(3)"], ["a prior", "is it VampPrior"]),
        (["train", "--likelihood", "Normall()"], ["a likelihood", "is it Normal"]),
        (["train", "--objective", "MMD()"], ["an objective", "MMD is none"]),
        (["train", "--posterior", "categorical"], ["posterior", "prior"]),
        (["train", "--objective", "IWAE(3)", "--estimator", "StickingTheLanding()"], ["IWAE"]),
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
    assert re.search(matches(*words), err.removeprefix("tfvae: "))
    assert "Epoch" not in out
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["trian"],
        ["train", "--epochs", "0"],
        ["train", "--network", "rnn"],
        ["train", "--hidden", "512,x"],
        ["train", "--filters", "0,3"],
        ["train", "--steps", "0"],
        ["sample"],
        ["export", "x"],
        ["export", "x", "--out", "y", "--litert", "z"],
        ["export", "x", "--web", "y", "--batch-size", "2"],
        ["export", "x", "--web", "y", "--encoder"],
        ["demo", "x", "--port", "-1"],
    ],
)
def test_a_wrong_word_or_option_is_explained(tfvae_command, arguments):
    status, _, err = tfvae_command(*arguments)
    assert status == 2
    assert "Traceback" not in err
    assert "Usage" in err


@pytest.mark.parametrize(
    ("command", "option", "last", "beyond"),
    [
        ("train", "latent_dim", 1, 0),
        ("train", "epochs", 1, 0),
        ("train", "batch_size", 1, 0),
        ("train", "learning_rate", 1e-9, 0.0),
        ("train", "num_samples", 1, 0),
        ("train", "num_examples", 0, -1),
        ("train", "seed", 0, -1),
        ("train", "seed", 2**31 - 1, 2**31),
        ("evaluate", "num_samples", 1, 0),
        ("evaluate", "num_examples", 0, -1),
        ("sample", "count", 1, 0),
        ("sample", "seed", -(2**31), -(2**31) - 1),
        ("sample", "seed", 2**32 - 1, 2**32),
        ("export", "batch_size", 1, 0),
        ("demo", "port", 65535, 65536),
    ],
)
def test_an_option_takes_its_last_value_and_none_beyond(command, option, last, beyond):
    def read(value):
        words = words_of(command, **{option: value})
        return COMMANDS[command].make_context(command, words).params[option]

    assert read(last) in (last, [last])
    with pytest.raises(typer.BadParameter):
        read(beyond)
