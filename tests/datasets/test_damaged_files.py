"""Damaged files of every kind: each is refused by name, or read as what it was."""

import collections
import json
import subprocess
import sys

import pytest

from tests.golden import needs_their_keras
from tests.support import damage

OF_THEIR_KERAS = ("m.keras", "config.json", "metadata.json", "model.weights.h5")
EACH = len(damage.WAYS)  # 225 in all
BY_NIGHT = 140  # 2,100 in all


def named(kinds):
    """Parameters for the kinds of files; those with a golden `.keras` file need its Keras."""
    return pytest.mark.parametrize(
        "name",
        [
            pytest.param(name, marks=needs_their_keras if name in OF_THEIR_KERAS else ())
            for name in kinds
        ],
    )


@named(damage.KINDS)
def test_a_damaged_file_is_refused_by_name(tmp_path, name):
    found = list(damage.attempts(name, tmp_path, 0, EACH))
    assert [one for one in found if one[2] not in ("read", "refused")] == []
    assert sum(one[2] == "refused" for one in found) >= 3


def in_children(name, count, *native):
    """What came of each attempt, in processes with limits; one that dies is told by its signal."""
    found = []
    while len(found) < count:
        first = len(found)
        command = [sys.executable, "-m", "tests.support.damage", name, str(first)]
        command += [str(count - first), *native]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found += [json.loads(line) for line in done.stdout.splitlines()]
        if done.returncode:
            assert done.returncode < 0, done.stderr
            found.append((len(found), "?", f"signal {-done.returncode}", done.stderr[-500:]))
    return found


@pytest.mark.nightly
@named(damage.KINDS)
def test_two_thousand_damaged_files_in_processes_with_limits(name):
    found = in_children(name, BY_NIGHT)
    assert [one for one in found if one[2] not in ("read", "refused")] == []


@pytest.mark.nightly
@named(damage.NATIVE)
def test_a_file_whose_checksum_was_made_right_again(name):
    """Native code reads these. Its crashes cannot be ruled out, and of `.tflite` files occur."""
    found = in_children(name, 500 if name == "m.tflite" else 60, "native")
    came = collections.Counter(one[2] for one in found)
    crashed = sum(came[kind] for kind in came if kind.startswith("signal"))
    assert set(came) <= {"read", "refused"} | {kind for kind in came if kind.startswith("signal")}
    assert crashed <= (5 if name == "m.tflite" else 0)
