"""Several devices train as one does on the same batches, and workers that are killed go on."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import matches

pytestmark = pytest.mark.xdist_group("replicas")  # one process makes what they share

ROOT = Path(__file__).parents[2]
# Sums of 7 examples in another order, in float32.
ROUNDING = 2e-5


def on_two_devices(*arguments):
    """What a process with two logical devices printed, see `tests/support/on_two_devices.py`."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.on_two_devices", *map(str, arguments)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return on_two_devices(tmp_path_factory.mktemp("devices"))


@pytest.mark.parametrize("bound", ["ELBO", "DReG"])
def test_the_gradient_is_that_of_the_global_batch(found, bound):
    """Of 7 examples, so that the replicas have 3 and 4; for the ELBO they have weights."""
    assert found["gradients"][bound] < ROUNDING


@pytest.mark.nightly
def test_the_gradient_of_iwae_is_that_of_the_global_batch(tmp_path):
    assert on_two_devices(tmp_path, "IWAE")["gradients"]["IWAE"] < ROUNDING


@pytest.mark.nightly
def test_what_draws_nothing_is_the_same_on_two_devices_as_on_one(found):
    """Losses, validation, clipped Adam, and a last batch of one example for two replicas."""
    assert found["curves"]["history"] < 1e-4
    assert found["curves"]["weights"] < 1e-3


def test_replicas_end_with_equal_weights_and_optimizers(found):
    assert found["curves"]["replicas"]


def test_a_stopped_training_goes_on_bit_for_bit(found):
    assert found["curves"]["resumed"]
    assert found["curves"]["resumed history"]


def test_replicas_draw_numbers_of_their_own(found):
    first, second = found["noise"]["seeds"]
    assert first != second
    assert 0.4 < found["noise"]["equal in masks"] < 0.6
    assert found["noise"]["states"][0] == found["noise"]["states"][1]
    assert found["noise"]["states"][0][0] == 0


def test_a_loss_that_overflows_on_one_replica_changes_no_weight_on_any(found):
    assert found["overflow"] == {"raised": "NonFiniteLoss", "same": True}


def test_the_likelihood_and_samples_are_those_of_one_device(found):
    assert max(found["likelihoods"]) < 1e-4


def test_an_optimizer_made_outside_the_scope_is_refused_before_the_first_step(found):
    assert re.search(matches("the optimizer made outside", "strategy.scope"), found["outside"][11:])


# ---- workers


def worker(index, ports, *arguments, **options):
    """Starts a worker of `tests/support/worker_process.py`."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CONFIG": config}, **options,
    )  # fmt: skip


def free_ports():
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def both(*arguments):
    """Runs two workers to their end, and returns what each printed last, of JSON."""
    ports = free_ports()
    told = [p.communicate(timeout=900) for p in [worker(i, ports, *arguments) for i in range(2)]]
    return [json.loads(output.splitlines()[-1]) for output, _ in told]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Trainings of each bound: of one device, of two, and of two workers."""
    script = ("-m", "tests.support.worker_process")
    return both(*script, str(tmp_path_factory.mktemp("alone")))


@pytest.mark.nightly
@pytest.mark.parametrize("bound", ["ELBO", "IWAE", "DReG"])
def test_two_workers_follow_the_loss_curve_of_one_device(trained, bound):
    """The noise differs. An epoch's loss of 500 examples has a standard error of 0.05 nats or
    less, and that of two trainings differs by 3 of them at most, in the mean of the last ten by 1.
    """
    first, second = (np.array(worker[bound]["loss"]) for worker in trained)
    alone = np.array(trained[0][bound]["alone"])
    assert np.array_equal(first, second)
    assert first[-1] < first[0] - 1.0
    assert np.abs(first - alone)[3:].max() < 0.25
    assert abs(first[-10:].mean() - alone[-10:].mean()) < 0.08


@pytest.mark.nightly
def test_both_workers_have_equal_weights(trained):
    for bound in ("ELBO", "IWAE", "DReG"):
        assert trained[0][bound]["weights"] == trained[1][bound]["weights"]


@pytest.mark.nightly
def test_two_workers_share_an_evaluation_and_find_what_one_finds_alone_afterwards(trained):
    alone = trained[0]["likelihood"]["alone"]
    assert alone["calls"] == 30
    for told in trained:
        shared = told["likelihood"]["shared"]
        assert shared["calls"] == 15
        np.testing.assert_allclose(shared["values"], alone["values"], rtol=1e-6)


@pytest.mark.nightly
def test_what_workers_cannot_train_on_is_refused_before_the_first_step(trained):
    for told in trained:
        assert re.search(matches("workers train together", "Keras' own loop"), told["refused"])


@pytest.mark.nightly
def test_a_killed_worker_ends_the_others_and_all_go_on_to_the_same_weights(tmp_path):
    script = ("-m", "tests.support.worker_process")
    whole = both(*script, str(tmp_path / "whole"), "ELBO")[0]["ELBO"]
    ports = free_ports()
    pair = [worker(i, ports, *script, str(tmp_path / "killed"), "ELBO") for i in range(2)]
    wait_for(lambda: len(list((tmp_path / "killed").glob("*.tfvae"))) == 2)
    pair[1].send_signal(signal.SIGKILL)
    told = pair[0].communicate(timeout=300)[0]
    assert pair[0].returncode not in (0, None)
    assert "all workers to train to the end" in told
    pair[1].communicate()

    again = both(*script, str(tmp_path / "killed"), "ELBO")
    assert [w["ELBO"]["weights"] for w in again] == [whole["weights"]] * 2
    assert again[0]["ELBO"]["loss"] == pytest.approx(whole["loss"], rel=1e-6)


def wait_for(ready, seconds=600):
    """Waits until a function returns True."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.nightly
def test_the_command_trains_by_two_workers_and_the_chief_writes_the_run(tmp_path):
    ports = free_ports()
    options = ("digits", "--epochs", "3", "--num-samples", "20", "--num-examples", "50")
    run = ("-m", "tfvae", "train", *options, "--strategy", "multiworker", "--out", tmp_path / "run")
    pair = [worker(i, ports, *map(str, run)) for i in range(2)]
    told = [process.communicate(timeout=900)[0] for process in pair]
    assert [process.returncode for process in pair] == [0, 0], told
    assert "shared by 2 replicas" in told[0]
    assert "The chief of the workers writes the run" in told[1]
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["settings"]["strategy"] == "multiworker"
    assert 15 < report["evaluation"]["nll"] < 60
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]
