"""Runs tests in a copy of the tree, in a process for each copy.

It imports once what takes seconds to import, and forks for each run. TensorFlow can be forked
as long as it has run no operation, so this process imports neither the package nor its tests.

A line of JSON in is a run, a line of JSON out is what was found.
"""

import inspect
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.mutation import choosing


def main():
    """Answers runs until its input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    _import_what_is_slow()

    requests = sys.stdin
    for line in iter(requests.readline, ""):
        answers.write(json.dumps(run(json.loads(line))) + "\n")


def run(job):
    """Runs tests in a process of its own.

    Args:
        job: `copy`, the folder; `files` of tests; `target` as a list; `seconds` and `skip` as in
            `choosing.chosen`; `only`, ids, or None; `options` of pytest; `soft`, seconds after
            which no test starts, and `hard`, after which the process is ended.

    Returns:
        `{"tests": [[id, outcome, seconds], ...], "chosen": how many there were to run, "code": of
        pytest, or of a signal, negative, or None at the limit, "failure": the end of the log}`.
    """
    with tempfile.TemporaryDirectory() as folder:
        events, log = Path(folder) / "events", Path(folder) / "log"
        child = os.fork()
        if child == 0:
            _in_child(job, events, log)

        code = _wait(child, time.monotonic() + job["hard"])
        lines = events.read_text(encoding="utf-8").splitlines() if events.exists() else []
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""

    found = [json.loads(line) for line in lines]
    tests = [event for event in found if isinstance(event, list)]
    counts = [event["chosen"] for event in found if isinstance(event, dict)]
    return {"tests": tests, "chosen": sum(counts), "code": code, "failure": text[-3000:]}


def _import_what_is_slow():
    import keras  # noqa: F401
    import pytest  # noqa: F401
    import scipy.stats  # noqa: F401
    import sklearn.mixture  # noqa: F401
    import tensorflow  # noqa: F401
    import tensorflow_probability  # noqa: F401


def _wait(child, end):
    """The exit code of a process, or None where it had to be ended."""
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            _end_group(child)  # of servers and the like that a test has left
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)

    _end_group(child)
    os.waitpid(child, 0)
    return None


def _end_group(child):
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        return


def _in_child(job, events, log):
    code = 70
    try:
        os.setsid()
        written = os.open(log, os.O_CREAT | os.O_WRONLY)
        os.dup2(written, 1)
        os.dup2(written, 2)
        code = _run_pytest(job, events)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run_pytest(job, events):
    import pytest

    copy, root = job["copy"], os.getcwd()
    for name in [name for name in sys.modules if name.split(".")[0] == "tests"]:
        del sys.modules[name]
    sys.path[:] = [copy, *(folder for folder in sys.path if folder not in ("", root))]
    sys.dont_write_bytecode = True  # a stale file would hide a mutant of the same length and second
    os.environ.update(PYTHONPATH=copy, PYTHONDONTWRITEBYTECODE="1")
    os.chdir(copy)

    with open(events, "w", buffering=1, encoding="utf-8") as file:
        options = ["-q", "--tb=short", "-p", "no:cacheprovider", "-p", "no:xdist", *job["options"]]
        names = job["only"] or job["files"]
        code = int(pytest.main([*options, *names], plugins=[_Plugin(job, file)]))

    package = sys.modules.get("tfvae")
    if package is not None and not str(package.__file__).startswith(copy):
        raise RuntimeError(f"tests of {copy} have imported {package.__file__}")

    return code


class _Plugin:
    """Orders the tests, writes down what each did, and starts no more after a while."""

    def __init__(self, job, file):
        self.job, self.file = job, file
        self.end = time.monotonic() + job["soft"]
        self.took: dict = {}
        self.outcomes: dict = {}

    def pytest_sessionstart(self, session):
        self.session = session

    def pytest_collection_modifyitems(self, items):
        if self.job["only"] is None:
            by_id = {item.nodeid: item for item in items}
            pairs = [(item.nodeid, item.nodeid.split("::")[0]) for item in items]
            usual = set(sys.modules["tests.support.zoo"].FEW)
            known = self.job["seconds"], _sources(items), set(self.job["skip"]), usual
            order = choosing.chosen(pairs, self._target(), *known)
            items[:] = [by_id[name] for name in order]

        self._write({"chosen": len(items)})

    def pytest_collectreport(self, report):
        if report.failed:
            self._write([report.nodeid or "collection", "failed", 0.0])

    def pytest_runtest_logreport(self, report):
        test = report.nodeid
        self.took[test] = self.took.get(test, 0.0) + report.duration
        if self.outcomes.get(test, "passed") == "passed":
            self.outcomes[test] = report.outcome
        if report.when == "teardown":
            self._write([test, self.outcomes[test], round(self.took[test], 2)])

    def pytest_runtest_logfinish(self):
        if time.monotonic() > self.end:
            self.session.shouldstop = "the time of this run is over"

    def _target(self):
        *patterns, aliases = self.job["target"]
        return choosing.Target(*patterns, frozenset(aliases))

    def _write(self, event):
        self.file.write(json.dumps(event) + "\n")


def _sources(items):
    found = {}
    for item in items:
        file = item.nodeid.split("::")[0]
        found[item.nodeid] = inspect.getsource(item.function)
        found.setdefault(file, Path(file).read_text(encoding="utf-8"))

    return found


if __name__ == "__main__":
    main()
