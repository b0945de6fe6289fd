"""One contender in a process of its own: frameworks in one process fight over its threads.

`python -m tests.benchmarks.worker JSON`. It builds and warms up, says so in one line of JSON,
then measures one round for each line it reads.
"""

import dataclasses
import importlib
import json
import math
import os
import sys
import time
from collections.abc import Callable

from tests.benchmarks.cases import Shape


@dataclasses.dataclass(frozen=True)
class Work:
    """`run(n)` does a unit of work n times, and returns when it is done.

    A unit is `amount` examples.
    """

    run: Callable[[int], object]
    amount: int
    device: str
    versions: dict
    note: str = ""


def fastest(candidates):
    """The quickest of `{name: run}`, and its name; each is called once before it is timed."""
    times = {}
    for name, run in candidates.items():
        run(1)
        times[name] = min(seconds_of(run, 2) for _ in range(2))
    name = min(times, key=times.get)
    return candidates[name], name


def seconds_of(run, repeats):
    before = time.perf_counter()
    run(repeats)
    return time.perf_counter() - before


def cores():
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def main():
    answers = own_stdout()
    wanted = json.loads(sys.argv[1])
    try:
        build = getattr(importlib.import_module(wanted["module"]), wanted["function"])
        work = build(Shape(**wanted["shape"]), **wanted["options"])
        repeats = _warm_up(work, wanted["seconds"])
    except ModuleNotFoundError as error:
        return _say(answers, absent=f"{error.name} is not installed")
    except Exception as error:  # whatever a framework raises: the others go on
        first = str(error).strip().splitlines()[0][:200]
        return _say(answers, absent=f"{type(error).__name__}: {first}")
    _say(answers, device=work.device, versions=work.versions, note=work.note)
    for _ in sys.stdin:
        _say(answers, rate=repeats * work.amount / seconds_of(work.run, repeats))


def _warm_up(work, seconds):
    """Compiles, and finds how many units take at least `seconds`."""
    work.run(1)
    return max(1, math.ceil(seconds / seconds_of(work.run, 1)))


def own_stdout():
    """The stream to the parent; what libraries print goes to stderr instead."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _say(answers, **message):
    print(json.dumps(message), file=answers, flush=True)


if __name__ == "__main__":
    main()
