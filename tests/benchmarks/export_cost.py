"""What sampling adds to a file that only decodes: `python -m tests.benchmarks.export_cost`.

Untrained models: weights of other values cost the same.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import tfvae
from tfvae.app.settings import Settings, build, choose
from tfvae.export import call_arguments, linker, quantize, signatures
from tfvae.export.runtime import InterpreterRuntime

ROUNDS, CALLS = 15, 200
START = """
import json, sys, time
before = time.perf_counter()
{}
seconds = time.perf_counter() - before
# Not from getrusage, which tells the peak of the process that started this one.
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps([seconds, peak / 1024]))
"""
STARTS = {
    "Sampler": (
        "from tfvae.export import Sampler\nSampler(sys.argv[1] + '/m.tflite').sample(1, seed=7)"
    ),
    "TensorFlow": (
        "import tensorflow as tf\n"
        "run = tf.saved_model.load(sys.argv[1] + '/saved_model').signatures['sample']\n"
        "run(seed=tf.constant([7]), index=tf.constant([0]))['x'].numpy()"
    ),
}


def models():
    digits = tfvae.datasets.load("digits")
    settings = choose(Settings(data="digits"), digits)
    return {
        "digits": build(settings, digits),
        "conv 28x28": tfvae.conv_vae((28, 28, 1), 32, seed=0),
    }


def files(vae):
    """The bytes of a file with `decode` alone, and of one with `sample` too."""
    parts = signatures.parts(vae, 1, encoder=False)
    converted = quantize.convert_parts(vae, parts, None, {})
    built = signatures.signatures(vae, parts, 1)
    chosen = (["decode"], ["decode", "sample"])
    return [linker.link(converted, {name: built[name] for name in names}) for names in chosen]


def latencies(model, vae):
    """Medians in ms of `decode` and of `sample`, in turns."""
    runtime = InterpreterRuntime(model)
    calls = {
        "decode": {"z": np.zeros([1, vae.latent_dim], np.float32)},
        "sample": {"seed": np.array([7], np.int32), "index": np.array([0], np.int32)},
    }
    taken = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, inputs in calls.items():
            for _ in range(CALLS):
                before = time.perf_counter()
                runtime.run(name, inputs)
                taken[name].append(time.perf_counter() - before)
    return [1000 * statistics.median(times) for times in taken.values()]


def starts(vae):
    """Seconds and peak MB of import and first sample in a new process, medians of five."""
    with tempfile.TemporaryDirectory() as folder:
        tfvae.export.to_tflite(vae, Path(folder) / "m.tflite")
        tfvae.export.to_saved_model(vae, Path(folder) / "saved_model")
        for name, program in STARTS.items():
            command = [sys.executable, "-c", START.format(program), folder]
            answers = []
            for _ in range(5):
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                answers.append(json.loads(done.stdout.splitlines()[-1]))
            yield name, *map(statistics.median, zip(*answers))


def sizes(vae):
    """`{quantization: bytes}` of the file that `to_tflite` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.tflite"
        return {
            name or "float32": tfvae.export.to_tflite(vae, path, name)["bytes"]
            for name in call_arguments.QUANTIZATIONS
        }


def main():
    for name, vae in models().items():
        alone, both = files(vae)
        decode, sample = latencies(both, vae)
        added = (len(both) - len(alone)) / 1000
        print(
            f"{name}: decode {len(alone) / 1000:.1f} kB, "
            f"with sample {len(both) / 1000:.1f} kB, {added:+.1f} kB"
        )
        print(f"{name}: decode {decode:.3f} ms, sample {sample:.3f} ms, {sample - decode:+.3f} ms")
        quantized = [f"{kind} {size / 1000:.0f} kB" for kind, size in sizes(vae).items()]
        print(f"{name}: {', '.join(quantized)}")
        for runtime, seconds, peak in starts(vae) if name == "digits" else ():
            print(f"{name}: import and first sample by {runtime}: {seconds:.2f} s, {peak:.0f} MB")


if __name__ == "__main__":
    main()
