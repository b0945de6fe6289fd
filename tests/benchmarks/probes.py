"""What is measured in a fresh process: `python -m tests.benchmarks.probes NAME JSON`.

The answer is one line of JSON.
"""

import functools
import json
import os
import sys
import time

from tests.benchmarks.worker import own_stdout

BATCH = 128


def resident(field="VmHWM"):
    """MB of this process: the largest so far, or now (VmRSS).

    getrusage would tell the peak of the process that started this one.
    """
    with open("/proc/self/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field)) / 1024


def import_tensorflow():
    import tensorflow  # noqa: F401

    at = time.monotonic()
    from tests.benchmarks import ours

    return {"at": at, **_about(ours)}


def cold_start(out):
    """`tfvae train digits` until the end of the first compiled call of steps, and no further."""
    from tfvae.app import runs

    original = runs.build

    def build(*args):
        vae = original(*args)
        vae.fit = functools.partial(vae.fit, callbacks=[_first_batch()])
        return vae

    runs.build = build
    sys.argv = ["tfvae", "train", "digits", "--epochs", "1", "--out", out]
    from tfvae.__main__ import main

    main()


def _first_batch():
    """A callback that answers and ends the process."""
    from tfvae._keras.backend import keras

    class FirstBatch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            _answer({"at": time.monotonic(), "steps": int(self.model.optimizer.iterations.numpy())})
            os._exit(0)

    return FirstBatch()


def stream(path, examples, seconds):
    """The rate of `fit` from a file of records, after a call that compiles.

    It makes whole passes until `seconds` are over. Beside it stands the rate of the same `fit`
    from memory, before and after, since a long pass sees the machine change.
    """
    import numpy as np
    import tensorflow as tf

    from tests.benchmarks import ours
    from tests.benchmarks.cases import CASES
    from tfvae._keras.backend import keras

    records = (
        tf.data.FixedLengthRecordDataset(path, 784)
        .take(examples)
        .shuffle(10_000)
        .batch(BATCH, drop_remainder=True)
    )

    def grey(rows):
        levels = tf.reshape(tf.io.decode_raw(rows, tf.uint8), [BATCH, 784])
        return tf.cast(levels, tf.float32) / 255.0

    pixels = records.map(grey)
    vae = ours.model(CASES["mlp"].shape, grey=True)
    vae.compile(keras.optimizers.Adam(1e-3))
    x = np.concatenate(list(pixels.take(10_000 // BATCH)))
    vae.fit(pixels.take(1), epochs=1, verbose=0)
    _rate(vae, x, 1)
    before = _rate(vae, x, 2)
    epochs = max(1, round(seconds * before / examples))
    rate = _rate(vae, pixels.prefetch(tf.data.AUTOTUNE), epochs, examples // BATCH * BATCH)
    return {
        "rate": rate,
        "memory_rate": (before + _rate(vae, x, 2)) / 2,
        "peak": resident(),
        **_about(ours),
    }


def _rate(vae, x, epochs, examples=None):
    """Examples per second of some epochs of `fit`."""
    before = time.perf_counter()
    vae.fit(x, batch_size=None if examples else BATCH, epochs=epochs, verbose=0)
    return epochs * (examples or len(x)) / (time.perf_counter() - before)


def memory_of_training(path, network, epochs):
    """[largest so far, now] after each of some numbers of epochs, on the data of a file."""
    import numpy as np

    from tests.benchmarks import data, ours
    from tests.benchmarks.cases import CASES
    from tfvae._keras.backend import keras

    class Memory(keras.callbacks.Callback):
        found = {}

        def on_epoch_end(self, epoch, logs=None):
            self.found[epoch + 1] = resident(), resident("VmRSS")

    shape = CASES[network].shape
    vae = ours.model(shape)
    vae.compile(keras.optimizers.Adam(1e-3))
    memory = Memory()
    x = data.events(shape, np.load(path))
    vae.fit(x, batch_size=BATCH, epochs=max(epochs), verbose=0, callbacks=[memory])
    return {"memory": [memory.found[count] for count in epochs], **_about(ours)}


def memory_of_nll(path, num_samples):
    import numpy as np

    import tfvae
    from tests.benchmarks import ours
    from tests.benchmarks.cases import CASES

    shape = CASES["nll"].shape
    x = np.load(path)[: shape.examples]
    tfvae.evaluation.log_likelihood(ours.model(shape), x, num_samples=num_samples)
    return {"peak": resident(), **_about(ours)}


def sampler(folder):
    """Milliseconds of `Sampler.sample(1)` of the models of `export_cost`, by `quantization`."""
    from tests.benchmarks import export_cost, ours, quantization
    from tfvae.export import Sampler, to_tflite

    found = {}
    for name, vae in export_cost.models().items():
        path = os.path.join(folder, f"{name}.tflite")
        to_tflite(vae, path)
        found[name] = quantization.latencies({None: Sampler(path)})[None]["ms"]
    return {"ms": found, **_about(ours)}


def _about(ours):
    work = ours.work(None, 0)
    return {"device": work.device, "versions": work.versions}


def _answer(found):
    print(json.dumps(found), file=_ANSWERS, flush=True)


if __name__ == "__main__":
    _ANSWERS = own_stdout()
    _answer(globals()[sys.argv[1]](**json.loads(sys.argv[2])))
