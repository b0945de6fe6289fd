"""Plants mutants, runs the tests that should notice, and keeps what was found."""

import ast
import hashlib
import json
import os
import threading
import time
from pathlib import Path

from tests.mutation import choosing

NOTICED, TIMED_OUT, SURVIVED = "noticed", "timed out", "survived"
_SOFT = 0.75  # of the limit; a test that starts before has the rest to end in
_MEASURED = 1800.0  # seconds for a test file without a mutant
_SHARED = ("conftest.py", "support/zoo.py")  # of the tests, what all of them depend on


class State:
    """What is known, in a file that is written after each trial.

    Args:
        path: of that file.
        recorded: the report that is read where there is no such file yet.

    Attributes:
        results: by the name of a mutant.
        seconds: how long each test took, by its id.
        green: whether tests that have noticed something pass without a mutant, by id and content.
    """

    def __init__(self, path, recorded):
        self.path, self._lock = Path(path), threading.Lock()
        known = next((file for file in (self.path, Path(recorded)) if file.exists()), None)
        found = json.loads(known.read_text(encoding="utf-8")) if known else {}
        self.results, self.seconds = found.get("results", {}), found.get("seconds", {})
        self.green = found.get("green", {})

    def learn(self, tests):
        """Takes down how long `[[id, outcome, seconds], ...]` took."""
        with self._lock:
            self.seconds.update({test: took for test, done, took in tests if done == "passed"})

    def keep(self, name, result):
        """Takes down the result of a mutant, and writes the file."""
        with self._lock:
            self.results[name] = result
        self.save()

    def save(self):
        """Writes the file."""
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            content = {"results": self.results, "seconds": self.seconds, "green": self.green}
            beside = self.path.with_suffix(".new")
            beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            os.replace(beside, self.path)


def trial(copy, mutant, state, limit):
    """What the tests say of a mutant: a dictionary, its `status` and what it was noticed `by`.

    A test that fails without the mutant as well is passed over, and listed under `red`.

    Raises:
        RuntimeError: the tests could not be run.
    """
    started = time.monotonic()
    target = choosing.target_of(mutant, copy.folder)
    red: list = []
    found, failed = _again(copy, mutant, state, limit)
    if not failed:
        # Reading a hundred files takes longer than running the one test that a mutant is about.
        for files in choosing.rounds_for(target, copy.folder):
            found, failed = _round(copy, mutant, files, target, state, red, limit)
            if failed or found["code"] is None:
                break

    ran = sum(outcome != "skipped" for _, outcome, _ in found["tests"])
    status, by = _verdict(found, failed)
    took = round(time.monotonic() - started, 1)
    tests = {"ran": ran, "chosen": found["chosen"], "red": red, "seconds": took}
    return {"status": status, "by": by, **tests, "digest": digest_of(mutant, copy.folder)}


def _again(copy, mutant, state, limit):
    """Runs the one test that noticed the mutant in an earlier source, if there is one."""
    before = state.results.get(mutant.name, {}).get("by", "")
    if "::" not in before or before.startswith("signal"):
        return None, []

    with copy.planted(mutant):
        found = _run_without_choosing(copy, before, _SOFT * limit, limit)
    failed = [test for test, outcome, _ in found["tests"] if outcome == "failed"]
    return found, [test for test in failed if _is_green(copy, test, state, limit)]


def _round(copy, mutant, files, target, state, red, limit):
    """Runs the tests of some files until one fails that passes without the mutant."""
    while True:
        with copy.planted(mutant):
            found = _run(copy, files, target, state, red, limit)
        state.learn(found["tests"])
        failed = [test for test, outcome, _ in found["tests"] if outcome == "failed"]
        if not failed or _is_green(copy, failed[0], state, limit):
            return found, failed
        if "::" not in failed[0]:  # it would fail again and again
            raise RuntimeError(f"{failed[0]} cannot be collected:\n{found['failure']}")
        red.append(failed[0])


def measure(copy, file, state):
    """Runs a test file without a mutant, to know how long tests take; returns those that fail."""
    found = _run_without_choosing(copy, file, _MEASURED, _MEASURED)
    state.learn(found["tests"])
    state.save()
    return [test for test, outcome, _ in found["tests"] if outcome == "failed"]


def digest_of(mutant, root):
    """A hash of the file with the mistake in it: of another one, a result is old.

    Of Python only what runs, so that a result outlives new words, annotations, line breaks and
    imports of what has moved.
    """
    text = mutant.applied((root / mutant.path).read_text(encoding="utf-8"))
    if mutant.path.endswith(".py"):
        text = ast.dump(_Running().visit(ast.parse(text)))

    return hashlib.sha256(text.encode()).hexdigest()[:16]


class _Running(ast.NodeTransformer):
    """Leaves out imports, docstrings and annotations."""

    def visit_Import(self, node):
        return None

    def visit_ImportFrom(self, node):
        return None

    def visit_If(self, node):
        only_for_types = ast.unparse(node.test).endswith("TYPE_CHECKING")
        return None if only_for_types else self.generic_visit(node)

    def visit_Expr(self, node):
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_AnnAssign(self, node):
        if node.value is None:
            return None
        return ast.Assign([node.target], self.visit(node.value))

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_FunctionDef(self, node):
        node.returns = None
        return self.generic_visit(node)


def _run(copy, files, target, state, red, limit):
    if not files:
        return {"tests": [], "chosen": 0, "code": 0, "failure": ""}

    *patterns, aliases = target
    given = {"files": files, "target": [*patterns, sorted(aliases)], "skip": red}
    times = {"seconds": state.seconds, "soft": _SOFT * limit, "hard": limit}
    return copy.run(**given, **times, only=None, options=["-x"])


def _run_without_choosing(copy, test, soft, hard):
    nothing = {"files": [], "target": [], "seconds": {}, "skip": [], "options": []}
    return copy.run(**nothing, only=[test], soft=soft, hard=hard)


def _verdict(found, failed):
    """(status, what noticed)."""
    code = found["code"]
    if failed:
        return NOTICED, failed[0]
    if code is None:
        return TIMED_OUT, ""
    if code < 0:
        last = found["tests"][-1][0] if found["tests"] else "the start"
        return NOTICED, f"signal {-code} after {last}"
    if code not in (0, 2, 5):  # passed, stopped for the time, none chosen
        raise RuntimeError(f"pytest ended with {code}:\n{found['failure']}")

    return SURVIVED, ""


def _is_green(copy, test, state, limit):
    """Whether a test, or a file's first, passes alone and without a mutant."""
    key = f"{test} {_content(copy.folder, test.split('::')[0])}"
    if key not in state.green:
        found = _run_without_choosing(copy, test, limit if "::" in test else 0.0, limit)
        passed = all(outcome != "failed" for _, outcome, _ in found["tests"])
        state.green[key] = found["code"] is not None and passed

    return state.green[key]


def _content(root, file):
    """A hash of all that a test file depends on."""
    sources = [path for folder in ("tfvae", "export") for path in (root / folder).rglob("*.*")]
    shared = [root / "tests" / name for name in _SHARED]
    found = hashlib.sha256()
    for path in sorted({*sources, *shared, root / file}):
        if path.suffix != ".pyc" and path.is_file():
            found.update(path.read_bytes())

    return found.hexdigest()[:16]
