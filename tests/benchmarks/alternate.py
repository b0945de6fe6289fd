"""Starts the contenders of a case, each in its own process, and gives them the machine in turns."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The processes of several frameworks share one GPU, so none may take all of its memory.
_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "PYTHONWARNINGS": "ignore",
}


class Worker:
    """A contender's process, stopped while others have their turn: idle threads take no core."""

    def __init__(self, contender, shape, seconds):
        wanted = {**contender.address, "shape": dataclasses.asdict(shape), "seconds": seconds}
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed by end()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.worker", json.dumps(wanted)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=ROOT,
            env=environment(),
        )
        self.about = self._answer()
        self._signal("SIGSTOP")

    @property
    def absent(self):
        return self.about.get("absent")

    def measure(self):
        """The rate of one round."""
        self._signal("SIGCONT")
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = self._answer()
        self._signal("SIGSTOP")
        if "absent" in answer:
            raise RuntimeError(answer["absent"])
        return answer["rate"]

    def end(self):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
        self._errors.close()

    def _answer(self):
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._errors.seek(0)
        last = (self._errors.read().strip().splitlines() or ["no message"])[-1]
        return {"absent": f"ended by itself: {last[:200]}"}

    def _signal(self, name):
        if hasattr(signal, name) and self._process.poll() is None:
            self._process.send_signal(getattr(signal, name))


def environment():
    """Of every process that measures: this repository's package before an installed one."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**_ENVIRONMENT, **os.environ, "PYTHONPATH": path}


@contextlib.contextmanager
def machine(lock):
    """Waits until nobody else holds the file `lock`, where several people measure on a machine."""
    if lock is None:
        yield
        return
    import fcntl

    with open(lock, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(case, rounds, seconds, lock, say):
    """`{contender: {"rates": [...], "device", "versions", "note"} or {"absent": why}}`."""
    workers, found = {}, {}
    try:
        for contender in case.contenders:
            with machine(lock):
                worker = workers[contender.name] = Worker(contender, case.shape, seconds)
            if worker.absent:
                say(f"  skipped: {contender.name}: {worker.absent}")
                workers.pop(contender.name).end()
            found[contender.name] = dict(worker.about)
        for _ in range(rounds):
            with machine(lock):
                for name, worker in workers.items():
                    found[name].setdefault("rates", []).append(worker.measure())
    finally:
        for worker in workers.values():
            worker.end()
    return found
