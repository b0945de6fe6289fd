"""Ours beside every peer that is installed, in turns on one machine: `python -m tests.benchmarks`.

python -m tests.benchmarks                     # every case, minutes each
python -m tests.benchmarks --only mlp,conv     # some
python -m tests.benchmarks --quick             # that it works, not how fast
python -m tests.benchmarks --record            # and keep the numbers in results/ and README.md
"""

import argparse
import datetime
import platform
import re
import signal
import sys

from tests.benchmarks import alternate, fresh, report
from tests.benchmarks.cases import CASES
from tests.benchmarks.worker import cores


def arguments():
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description="Measures tfvae beside its peers."
    )
    parser.add_argument("--only", metavar="CASES", help=f"some of {','.join(every_case())}")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender (5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="least length of one turn (3)")
    parser.add_argument(
        "--quick", action="store_true", help="one short round: that everything works"
    )
    parser.add_argument(
        "--record", action="store_true", help="write results/NAME.json and README.md"
    )
    parser.add_argument("--name", help="of the results; default the device")
    parser.add_argument(
        "--lock",
        metavar="FILE",
        help="hold the lock of this file while measuring, on a shared machine",
    )
    chosen = parser.parse_args()
    if chosen.quick and chosen.record:
        parser.error("--quick measures too little to --record")
    chosen.cases = chosen.only.split(",") if chosen.only else every_case()
    if unknown := set(chosen.cases) - set(every_case()):
        parser.error(f"no case {', '.join(sorted(unknown))}; there are {', '.join(every_case())}")
    if chosen.quick:
        chosen.rounds, chosen.seconds = 1, 0.1
    return chosen


def every_case():
    return [*CASES, *fresh.CASES]


def measure(name, chosen):
    """(result, devices, versions) of one case."""
    if name in fresh.CASES:
        return fresh.measure(name, chosen)
    measured = alternate.run(CASES[name], chosen.rounds, chosen.seconds, chosen.lock, print)
    present = [found for found in measured.values() if "rates" in found]
    versions = {key: version for found in present for key, version in found["versions"].items()}
    return report.of_case(name, measured), [found["device"] for found in present], versions


def main():
    chosen = arguments()
    # So that no stopped worker is left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in chosen.cases:
        try:
            result, devices, versions = measure(name, chosen)
        except RuntimeError as error:  # a process ended by itself: the other cases go on
            print(f"### {name}: not measured: {error}\n", flush=True)
            continue
        about = machine(devices, versions)
        print(report.head(about), "\n", *report.lines(name, result), sep="\n", flush=True)
        if chosen.record:
            path = report.record(chosen.name or slug(about), about, {name: result})
            print(f"Recorded in {path.name}")


def machine(devices, versions):
    """What the numbers depend on; no name of the machine itself."""
    others = sorted({device for device in devices if device != "CPU"})
    device = ", ".join([*others, processor()])
    versions = {"python": platform.python_version(), **versions}
    return {
        "device": device,
        "cores": cores(),
        "versions": versions,
        "date": datetime.date.today().isoformat(),
    }


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            found = re.search(r"model name\s*:\s*(.+)", file.read())
    except OSError:
        found = None
    return found.group(1) if found else platform.machine()


def slug(about):
    words = f"{about['device']} {about['cores']} cores".lower()
    return re.sub(r"[^a-z0-9]+", "-", words).strip("-")


if __name__ == "__main__":
    main()
