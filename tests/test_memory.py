"""A process that makes many models keeps little of them, and a long training keeps nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


def run(*arguments):
    """What a process of `tests/support/many_models.py` printed."""
    command = [sys.executable, "-m", "tests.support.many_models", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def slope(memory, first):
    """MB per entry, by least squares from the entry `first` on."""
    kept = memory[first:]
    return float(np.polyfit(range(len(kept)), kept, 1)[0])


@pytest.mark.nightly
def test_a_dropped_model_leaves_less_than_one_of_plain_keras():
    """XLA keeps all programs of a process; a VAE's are larger than those of its layers alone."""
    ours, guide, plain = (run(kind, 50) for kind in ("ours", "guide", "plain"))
    assert ours["alive"] == 0
    kept = [slope(each["memory"], 5) for each in (ours, guide, plain)]
    print("MB per model: {:.1f}, a VAE by Keras {:.1f}, layers by Keras {:.1f}".format(*kept))
    assert kept[0] < min(kept[1:])


@pytest.mark.nightly
def test_without_xla_a_dropped_model_leaves_nearly_nothing():
    ours = run("graph", 50)
    assert ours["alive"] == 0
    print(f"MB per model: {slope(ours['memory'], 5):.1f}")
    assert slope(ours["memory"], 5) < 4.0


@pytest.mark.nightly
def test_memory_and_files_stay_flat_over_300_epochs(tmp_path):
    """With a checkpoint, an evaluation and two exports every tenth."""
    found = run("epochs", 300, tmp_path)
    print(f"MB per ten epochs: {slope(found['memory'], 5):.2f}; files {found['files']}")
    assert found["files"][-1] <= found["files"][2]
    assert slope(found["memory"], 5) < 3.0
