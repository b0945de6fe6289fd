"""Plants mistakes one at a time, and says which of them no test has noticed."""

import argparse
import os
import queue
import sys
import tempfile
import threading
from pathlib import Path

from tests.mutation import choosing, mutants, report
from tests.mutation.copies import Copy
from tests.mutation.trials import NOTICED, TIMED_OUT, State, measure, trial

ROOT = Path(__file__).resolve().parents[2]
_BROWSER = ("TFVAE_CHROMIUM", "TFVAE_NODE_MODULES")


def main():
    """Runs the mutants that the arguments choose, and prints the report."""
    options = _options()
    by_area = mutants.by_area()
    everything = [mutant for area in by_area.values() for mutant in area]
    state = State(options.results, report.FOLDER / "report.json")
    if options.measure:
        _measure(state)
        return
    try:
        for mutant in everything:
            mutant.applied((ROOT / mutant.path).read_text(encoding="utf-8"))
    except ValueError as error:
        sys.exit(str(error))

    wanted = _wanted(options, by_area, state)
    in_browser = any(mutant.path.endswith(".js") for mutant in wanted)
    if in_browser and not all(map(os.environ.get, _BROWSER)):
        needed = " and ".join(_BROWSER)
        sys.exit(f"The area page needs a browser and LiteRT.js: set {needed}, as .ci/run does.")

    failures = _run_all(wanted, state, options)
    found = report.summary(by_area, state.results, ROOT)
    shown = {area: row for area, row in found.items() if row["mutants"] > len(row["missing"])}
    print("\n".join([*report.table(shown), *report.details(shown)]))
    if options.record:
        report.record(found, state)
    if failures:
        sys.exit("\n".join(failures))


def _options():
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    kept = ROOT / "build" / "mutation.json"
    switches = {
        "--survivors": "those only that the last run has not seen noticed",
        "--resume": "pass over those that have a result for today's source",
        "--measure": "only run all tests once, to know how long each takes",
        "--record": "write README.md's table, and report.json beside it",
    }
    parser.add_argument("--area", nargs="+", choices=mutants.AREAS, help="of these areas only")
    parser.add_argument("--name", nargs="+", help="these mutants only")
    parser.add_argument("--jobs", type=int, default=2, help="copies of the tree (default 2)")
    parser.add_argument("--limit", type=float, default=240.0, help="seconds a mutant (default 240)")
    parser.add_argument("--results", default=kept, help="what is kept between runs")
    for switch, meaning in switches.items():
        parser.add_argument(switch, action="store_true", help=meaning)

    return parser.parse_args()


def _measure(state):
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(ROOT, Path(folder).resolve() / "0")
        files = {file.relative_to(ROOT).as_posix() for file in (ROOT / "tests").rglob("test_*.py")}
        for name in [*sorted(files.difference(choosing.NEVER, choosing.LAST)), *choosing.LAST]:
            print(name, *measure(copy, name, state), flush=True)
        copy.close()


def _wanted(options, by_area, state):
    areas = options.area or (by_area if not options.name else [])
    chosen = [mutant for area in areas for mutant in by_area[area]]
    if options.name:
        known = {mutant.name: mutant for area in by_area.values() for mutant in area}
        unknown = [name for name in options.name if name not in known]
        if unknown:
            sys.exit(f"There is no mutant named {', '.join(unknown)}.")
        chosen += [known[name] for name in options.name]
    if options.resume:
        chosen = [mutant for mutant in chosen if not report.is_current(mutant, state.results, ROOT)]
    if options.survivors:
        statuses = {name: result["status"] for name, result in state.results.items()}
        chosen = [m for m in chosen if statuses.get(m.name) not in (NOTICED, TIMED_OUT)]

    return chosen


def _run_all(wanted, state, options):
    """Runs mutants, several at once; returns what went wrong."""
    waiting: queue.SimpleQueue = queue.SimpleQueue()
    for mutant in wanted:
        waiting.put(mutant)
    failures: list = []
    with tempfile.TemporaryDirectory() as folder:
        threads = []
        for i in range(min(options.jobs, len(wanted))):
            arguments = (Path(folder).resolve() / str(i), waiting, state, options.limit, failures)
            threads.append(threading.Thread(target=_work, args=arguments))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return failures


def _work(folder, waiting, state, limit, failures):
    copy = Copy(ROOT, folder)
    try:
        while True:
            try:
                mutant = waiting.get_nowait()
            except queue.Empty:
                return
            result = trial(copy, mutant, state, limit)
            state.keep(mutant.name, result)
            seconds, status, by = (result[key] for key in ("seconds", "status", "by"))
            print(f"{seconds:6.0f} s  {status:9}  {mutant.name}  {by}", flush=True)
    except Exception as error:
        failures.append(f"{folder.name}: {type(error).__name__}: {error}")
    finally:
        copy.close()


if __name__ == "__main__":
    main()
