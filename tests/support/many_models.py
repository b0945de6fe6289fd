"""Makes, fits and drops models in one process, and prints what memory that took.

    python -m tests.support.many_models ours|graph|plain|guide COUNT
    python -m tests.support.many_models epochs COUNT FOLDER

Of each kind it prints as JSON the resident memory in MB after each model, and how many of the
dropped ones are still there. Plain models are Keras' own, compiled by XLA, with layers of the same
sizes; `guide` is a VAE as Keras' guide writes it, with a training step of its own. `epochs` trains
one model for so many epochs, with a checkpoint, an evaluation and an export every tenth, and
prints memory and open files after each of those.
"""

import gc
import json
import os
import sys
import weakref

import keras
import numpy as np
import tensorflow as tf

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


class Sampling(keras.layers.Layer):
    """z = loc + scale * noise."""

    def __init__(self):
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator(1)

    def call(self, inputs):
        loc, log_variance = inputs
        noise = keras.random.normal(keras.ops.shape(loc), seed=self.seed_generator)
        return loc + keras.ops.exp(0.5 * log_variance) * noise


class GuideVAE(keras.Model):
    """A VAE without this package."""

    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.trackers = [keras.metrics.Mean(name) for name in ("loss", "distortion", "rate")]

    @property
    def metrics(self):
        return self.trackers

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loc, log_variance, z = self.encoder(data, training=True)
            mean = self.decoder(z, training=True)
            errors = keras.losses.binary_crossentropy(data[..., None], mean[..., None])
            distortion = keras.ops.mean(keras.ops.sum(errors, axis=1))
            rates = -0.5 * (1 + log_variance - loc**2 - keras.ops.exp(log_variance))
            rate = keras.ops.mean(keras.ops.sum(rates, axis=1))
            loss = distortion + rate

        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights))
        for tracker, value in zip(self.trackers, (loss, distortion, rate)):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.trackers}


def guide():
    dense = keras.layers.Dense
    x = keras.Input((64,))
    hidden = dense(64, "relu")(dense(64, "relu")(x))
    code = dense(8)(hidden), dense(8)(hidden)
    encoder = keras.Model(x, [*code, Sampling()(code)])
    decoded = [dense(64, "relu"), dense(64, "relu"), dense(64, "sigmoid")]
    model = GuideVAE(encoder, keras.Sequential([keras.Input((8,)), *decoded]))
    model.compile("adam", jit_compile=True)
    model.fit(X, batch_size=64, epochs=2, verbose=0)
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
