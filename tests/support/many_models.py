"""Makes, fits and drops models in one process, and prints what memory that took.

    python -m tests.support.many_models ours|graph|plain COUNT
    python -m tests.support.many_models epochs COUNT FOLDER

Of each kind it prints as JSON the resident memory in MB after each model, and how many of the
dropped ones are still there. Plain models are Keras' own, compiled by XLA, with layers of the same
sizes. `epochs` trains one model for so many epochs, with a checkpoint, an evaluation and an export
every tenth, and prints memory and open files after each of those.
"""

import gc
import json
import os
import sys
import weakref

import keras
import numpy as np

import tfvae

X = (np.random.default_rng(0).random((256, 64)) < 0.5).astype(np.float32)


def megabytes():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_files():
    return len(os.listdir("/proc/self/fd"))


def ours(jit_compile=True):
    vae = tfvae.mlp_vae((64,), 8, (64, 64))
    vae.compile("adam", jit_compile=jit_compile)
    vae.fit(X, batch_size=64, epochs=2, verbose=0)
    return vae


def graph():
    return ours(jit_compile=False)


def plain():
    hidden = [keras.layers.Dense(64, "relu") for _ in range(2)]
    decoded = [keras.layers.Dense(size, "relu") for size in (64, 64)]
    code, out = keras.layers.Dense(16), keras.layers.Dense(64)
    model = keras.Sequential([keras.Input((64,)), *hidden, code, *decoded, out])
    model.compile("adam", "mse", jit_compile=True)
    model.fit(X, X, batch_size=64, epochs=2, verbose=0)
    return model


def models(make, count):
    memory, dropped = [], []
    for _ in range(count):
        dropped.append(weakref.ref(make()))
        gc.collect()
        memory.append(round(megabytes(), 1))
    return {"memory": memory, "alive": sum(model() is not None for model in dropped)}


def epochs(count, folder):
    vae = tfvae.mlp_vae((64,), 8, (64, 64), seed=0)
    vae.compile("adam", jit_compile=False)
    memory, files = [], []

    def work(epoch, _):
        if epoch % 10 == 9:
            tfvae.evaluation.evaluate(vae, X[:50], 20)
            tfvae.export.to_saved_model(vae, f"{folder}/saved")
            tfvae.export.to_tflite(vae, f"{folder}/model.tflite")
            gc.collect()
            memory.append(round(megabytes(), 1))
            files.append(open_files())

    kept = tfvae.callbacks.Checkpoint(f"{folder}/kept", epochs=10)
    watch = keras.callbacks.LambdaCallback(on_epoch_end=work)
    vae.fit(X, batch_size=64, epochs=count, verbose=0, callbacks=[kept, watch])
    return {"memory": memory, "files": files}


if __name__ == "__main__":
    kind, count = sys.argv[1], int(sys.argv[2])
    done = epochs(count, sys.argv[3]) if kind == "epochs" else models(globals()[kind], count)
    print(json.dumps(done))
