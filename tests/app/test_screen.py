"""What is printed in a terminal, in a log, and where JSON or silence is asked for."""

import io
import json
import re

import pytest
from rich.console import Console

from tests.support.recording import record_run
from tfvae.app import screen
from tfvae.app.training_line import TrainingLine
from tfvae.training import batch_callbacks

CLOCK = [0.0]  # the seconds that a terminal goes by


@pytest.fixture
def terminal(monkeypatch):
    """A terminal in place of standard output: what is written to it."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=99, get_time=lambda: CLOCK[0])
    monkeypatch.setattr(screen, "console", console)
    screen.choose()
    return file


def told(file):
    """What a terminal has been told, without escape codes."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())


def test_a_line_tells_what_is_waited_for_how_far_it_is_and_how_long_it_takes(terminal):
    with screen.waiting("Exporting") as advance:
        for done in (1, 2, 3):
            CLOCK[0] += 10
            advance(done, 8, "Measuring" if done == 3 else None)
    text = told(terminal)
    assert "Exporting" in text and "Measuring" in text and "━" in text
    assert "30 s, about 50 s left" in text
    assert not screen._LIVE.is_on


def test_a_wait_within_a_wait_has_the_same_line(terminal):
    with screen.waiting("Outer"), screen.waiting("Inner") as advance:
        advance(1, 2)
    assert "Inner" in told(terminal)


@pytest.mark.parametrize("options", [{"quiet": True}, {"as_json": True}])
def test_nothing_moves_where_it_is_not_wanted(terminal, options):
    screen.choose(**options)
    with screen.waiting("Exporting"):
        screen.say("a line")
    assert terminal.getvalue() == ""
    screen.choose()


def test_nothing_moves_in_a_log(capsys):
    screen.choose()
    with screen.waiting("Exporting") as advance:
        advance(1, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7260, "2 h 1 min")],
)
def test_a_duration_is_told_in_words(seconds, words):
    assert screen.duration(seconds) == words


def train_two_epochs(line):
    line.set_params({"epochs": 2})
    line.on_train_begin()
    for epoch in range(2):
        line.on_epoch_begin(epoch)
        line.on_train_batch_end(2, None)
        line.on_train_batch_end(4, None)
        line.on_epoch_end(epoch, {"elbo": -3.0, "loss": 3.25 - epoch})
    line.on_train_end()


def test_a_log_has_one_line_an_epoch(capsys):
    screen.choose()
    calls = []
    train_two_epochs(TrainingLine(lambda *told: calls.append(told), steps_per_epoch=5))
    assert [call[:2] for call in calls] == [(3, 10), (5, 10), (8, 10), (10, 10)]
    assert "epoch 2 of 2, loss 3.25" in calls[-1][2]
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["Epoch 1/2  loss 3.25  elbo -3  0 s", "Epoch 2/2  loss 2.25  elbo -3  0 s"]


def test_a_terminal_keeps_one_line_of_a_training(terminal):
    train_two_epochs(TrainingLine(lambda *_: None, steps_per_epoch=5))
    assert told(terminal) == "Trained to the end of epoch 2 in 0 s, loss 2.25\n"


def test_to_watch_a_training_does_not_slow_it():
    line = TrainingLine(lambda *_: None, 5)
    assert not batch_callbacks.acts_on_batches([line], training=True)
    line.only_watches = False
    assert batch_callbacks.acts_on_batches([line], training=True)


def test_json_is_alone_on_standard_output(tfvae_command, monkeypatch, tmp_path):
    record_run(monkeypatch)
    status, out, err = tfvae_command("train", "digits", "--json", "--out", "run")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert (status, json.loads(out)) == (0, report)
    assert "The run is in run/" in err
    status, out, err = tfvae_command("train", "digits", "--quiet", "--out", "other")
    assert (status, err) == (0, "")
    assert out.startswith("NLL ") and "The run is in" not in out


def test_json_has_no_numbers_that_are_none(capsys):
    screen.choose(as_json=True)
    screen.result({"a": [float("nan"), 1.5], "b": {"c": float("inf")}}, "text")
    assert json.loads(capsys.readouterr().out) == {"a": [None, 1.5], "b": {"c": None}}
    screen.choose()
