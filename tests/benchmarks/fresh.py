"""The cases that need a fresh process for each number: streams, memory, cold start, samplers."""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.benchmarks import alternate, data, report

SIZES, QUICK_SIZES = (10_000, 100_000, 1_000_000), (10_000, 30_000)
RECORD = 784  # bytes
FLAT = 0.10  # how much of itself a number may change by and still be called flat
NOISE = 0.02  # of resident memory, between two looks at a process that does not grow
START = 4.0  # seconds that a cold start may take beside the import of TensorFlow


def probe(chosen, name, **arguments):
    """The answer of a probe, and when its process started by the clock of all processes."""
    with alternate.machine(chosen.lock):
        before = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.probes", name, json.dumps(arguments)],
            capture_output=True,
            text=True,
            cwd=alternate.ROOT,
            env=alternate.environment(),
        )
    if done.returncode or not done.stdout.strip():
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        raise RuntimeError(f"{name} {arguments}: {last}")
    return {**json.loads(done.stdout.splitlines()[-1]), "before": before}


def stream(chosen):
    """Examples per second and peak memory of `fit` from a file, by number of examples."""
    sizes = QUICK_SIZES if chosen.quick else SIZES
    with tempfile.TemporaryDirectory() as folder:
        if shutil.disk_usage(folder).free < 1.2 * RECORD * max(sizes):
            raise RuntimeError(
                f"{RECORD * max(sizes) / 1e6:,.0f} MB are not free in the temporary folder"
            )
        path = Path(folder) / "records"
        _write(path, max(sizes))
        seconds = 1 if chosen.quick else 15
        rounds = [
            {
                size: probe(chosen, "stream", path=str(path), examples=size, seconds=seconds)
                for size in sizes
            }
            for _ in range(chosen.rounds)
        ]
    rates = [statistics.median(one[size]["rate"] for one in rounds) for size in sizes]
    shares = [
        statistics.median(one[size]["rate"] / one[size]["memory_rate"] for one in rounds)
        for size in sizes
    ]
    peaks = [statistics.median(one[size]["peak"] for one in rounds) for size in sizes]
    checks = [
        report.check(f"examples/s of {size:,} examples", rate) for size, rate in zip(sizes, rates)
    ]
    checks += [
        report.check(f"of the rate from memory, {size:,} examples", share)
        for size, share in zip(sizes, shares)
    ]
    checks += [
        report.check(f"peak MB of {size:,} examples", peak) for size, peak in zip(sizes, peaks)
    ]
    spread, growth = min(shares) / max(shares), peaks[-1] / peaks[0]
    checks += [
        report.check("slowest to fastest, each beside memory", spread, at_least=1 - FLAT),
        report.check("peak, most to fewest examples", growth, at_most=1 + FLAT),
    ]
    title = "fit from a file of 8-bit records, binarized in the step"
    return title, "", checks, list(rounds[0].values())


def _write(path, examples):
    """Writes records: the images again and again, so shifted that no two passes are alike.

    Each pass is shifted by one pixel more than the one before.
    """
    images = (data.grey(10_000) * 255).astype("uint8")
    with open(path, "wb") as file:
        for first in range(0, examples, len(images)):
            images = images.copy()
            images[:, 1:] = images[:, :-1]
            images[: examples - first].tofile(file)


def memory(chosen):
    """Resident MB of training and of the likelihood, and whether it grows."""
    epochs = (1, 2) if chosen.quick else (5, 20)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "data.npy")  # to load MNIST would take more than training does
        np.save(path, data.binary(10_000))
        training = {
            network: probe(chosen, "memory_of_training", path=path, network=network, epochs=epochs)
            for network in ("mlp", "conv")
        }
        few, many = (
            probe(chosen, "memory_of_nll", path=path, num_samples=count) for count in (500, 5_000)
        )
    checks = [
        check
        for network, answer in training.items()
        for check in _growth(network, epochs, answer["memory"])
    ]
    growth = many["peak"] / few["peak"]
    checks += [
        report.check("log-likelihood of 64 images, peak MB with 5,000 samples", many["peak"]),
        report.check("log-likelihood, 5,000 samples to 500", growth, at_most=1 + NOISE),
    ]
    return "resident memory, which may not grow", "", checks, [*training.values(), few, many]


def _growth(network, epochs, memory):
    (peak_before, before), (peak, after) = memory
    few, many = epochs
    growths = {"peak": peak / peak_before, "resident then": after / before}
    yield report.check(f"{network}, peak MB of {many} epochs of 10,000", peak)
    for name, growth in growths.items():
        title = f"{network}, {name}, {many} epochs to {few}"
        yield report.check(title, growth, at_most=1 + NOISE)


def cold_start(chosen):
    """Seconds to the end of the first compiled call of `tfvae train`, and to import TensorFlow."""
    answers, alone, started, steps = [], [], [], []
    for _ in range(chosen.rounds):
        answers.append(answer := probe(chosen, "import_tensorflow"))
        alone.append(answer["at"] - answer["before"])
        with tempfile.TemporaryDirectory() as folder:
            answer = probe(chosen, "cold_start", out=str(Path(folder) / "run"))
        started.append(answer["at"] - answer["before"])
        steps.append(answer["steps"])
    extra = statistics.median(a - b for a, b in zip(started, alone))
    to_call = f"seconds to the end of the first call, of {steps[-1]} steps"
    checks = [
        report.check("seconds to import TensorFlow", statistics.median(alone)),
        report.check(to_call, statistics.median(started)),
        report.check("the second less the first, in each round", extra, at_most=START),
    ]
    title = "from the start of `tfvae train digits` to its first optimizer step"
    return title, "s", checks, answers


def sampler(chosen):
    """Milliseconds of one sample from an exported file."""
    with tempfile.TemporaryDirectory() as folder:
        answer = probe(chosen, "sampler", folder=folder)
    checks = [report.check(f"ms, {name}", ms) for name, ms in answer["ms"].items()]
    return "`Sampler.sample(1)` of a float32 file", "ms", checks, [answer]


CASES = {"stream": stream, "cold_start": cold_start, "sampler": sampler, "memory": memory}


def measure(name, chosen):
    """(result, devices, versions) of one case."""
    title, unit, checks, answers = CASES[name](chosen)
    versions = {key: version for answer in answers for key, version in answer["versions"].items()}
    result = {"title": title, "unit": unit, "rows": [], "targets": checks}
    return result, [answer["device"] for answer in answers], versions
