"""Size, quality and latency by quantization: `python -m tests.benchmarks.quantization RUN ...`.

Prints the table of `docs/quantization.md` from runs of `tfvae train`. Latencies are medians of one
`sample` call, the files taken in turn, as a ratio to float32 in the same round.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tfvae.app import runs
from tfvae.export import Sampler, to_tflite
from tfvae.export.call_arguments import QUANTIZATIONS

_ROUNDS, _CALLS = 9, 200


def measure(run):
    """`{quantization: what `to_tflite` reports, "held_out" in nats, "ms", "ratio"}` of a run."""
    vae, settings = runs.load(run)
    data, _ = runs.held_out_of(settings)
    found, samplers = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name in QUANTIZATIONS:
            whole = Path(folder) / f"{name}_encoder.tflite"
            quality = to_tflite(vae, whole, name, include_encoder=True, data=data)["quality"]
            path = Path(folder) / f"{name}.tflite"
            found[name] = to_tflite(vae, path, name)
            found[name]["held_out"] = quality["distortion_change_nats"]
            samplers[name] = Sampler(path)
    for name, ratio in latencies(samplers).items():
        found[name].update(ratio)
    return found


def latencies(samplers):
    times = {name: [] for name in samplers}
    for _ in range(_ROUNDS):
        for name, sampler in samplers.items():
            started = time.perf_counter()
            for call in range(_CALLS):
                sampler.sample(1, seed=7, start=call)
            times[name].append((time.perf_counter() - started) / _CALLS)
    ratios = {name: [a / b for a, b in zip(values, times[None])] for name, values in times.items()}
    medians = {}
    for name in samplers:
        ms, ratio = 1e3 * statistics.median(times[name]), statistics.median(ratios[name])
        medians[name] = {"ms": ms, "ratio": ratio}
    return medians


def main():
    for run in sys.argv[1:]:
        settings = json.loads((Path(run) / runs.REPORT).read_text(encoding="utf-8"))["settings"]
        print(
            f"\n| {settings['data']}, {settings['network']} | kB | of float32 "
            "| largest pixel error | nats lost | one sample |"
        )
        print("|---|---|---|---|---|---|")
        found = measure(run)
        whole = found[None]["bytes"]
        for name, row in found.items():
            print(
                f"| {name or 'float32'} | {row['bytes'] / 1000:,.0f} | {row['bytes'] / whole:.2f} "
                f"| {row['quality']['max_abs_error_x']:.1e} | {row['held_out']:.4f} "
                f"| {row['ms']:.2f} ms, x {row['ratio']:.2f} |"
            )


if __name__ == "__main__":
    main()
