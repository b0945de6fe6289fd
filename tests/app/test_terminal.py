"""The command in a terminal of its own, where a line moves on every wait."""

import os
import re
import select
import subprocess
import sys
import time

import pytest

pty = pytest.importorskip("pty")  # not on Windows

_LONGEST = 3.0  # seconds without anything new, on a machine that may be busy


def watched(words, cwd):
    """What a command writes to a terminal, and the longest time in which nothing new came."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "tfvae", *words]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "99", "TFVAE_DATA": ""}
    process = subprocess.Popen(command, cwd=cwd, stdin=its, stdout=its, stderr=its, env=environment)
    os.close(its)
    text, longest, last = b"", 0.0, time.monotonic()
    while True:
        if not select.select([ours], [], [], 0.1)[0]:
            continue
        try:
            piece = os.read(ours, 2**16)
        except OSError:  # Linux' word for the end of a terminal
            break
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
        text += piece
    os.close(ours)
    return process.wait(), text.decode(), longest


@pytest.mark.nightly
def test_no_wait_of_a_training_is_silent_in_a_terminal(tmp_path):
    status, text, longest = watched(["train", "--epochs", "3", "--num-samples", "20"], tmp_path)
    assert status == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    for wait in ("Loading TensorFlow", "Compiling the first step", "Evaluating", "Writing"):
        assert re.search(rf"[^\w\s] {wait}", plain), wait  # behind the mark that turns
    assert "Trained to the end of epoch 3" in plain and "Epoch 1/3" not in plain
    assert longest < _LONGEST
