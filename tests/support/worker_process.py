"""A worker of two: `python -m tests.support.worker_process FOLDER [BOUND]`, with its `TF_CONFIG`.

It trains by each bound, alone as well if no bound is named, and prints as JSON the losses and a
hash of the weights.
"""

import hashlib
import json
import sys

import keras
import numpy as np
import tensorflow as tf

STRATEGY = tf.distribute.MultiWorkerMirroredStrategy()

import tfvae  # noqa: E402
from tfvae.callbacks import Checkpoint  # noqa: E402

X = (np.random.default_rng(0).random((500, 1)) < [0.2] * 6 + [0.8] * 6).astype(np.float32)
X[:250] = 1 - X[:250]  # two kinds of examples
BOUNDS = {
    "ELBO": dict,
    "IWAE": lambda: {"objective": tfvae.objectives.IWAE(5)},
    "DReG": lambda: {
        "objective": tfvae.objectives.IWAE(5),
        "estimator": tfvae.gradients.DoublyReparameterized(),
    },
}


def fitted(bound, **options):
    keras.utils.set_random_seed(1)
    vae = tfvae.mlp_vae((12,), 2, (16,), seed=3, **BOUNDS[bound]())
    vae.compile(keras.optimizers.Adam(0.01), jit_compile=False, steps_per_execution=5)
    vae.fit(X, batch_size=50, epochs=20, verbose=0, **options)
    return vae


def digest(vae):
    found = hashlib.sha256()
    for variable in vae.trainable_variables:
        found.update(variable.numpy().tobytes())
    return found.hexdigest()


def likelihoods(vae):
    """Estimates of 300 examples in 30 blocks: those of all workers, and then of the first alone.

    For each there are the estimates, and how many calls they took.
    """
    tfvae.evaluation._AT_ONCE = {"CPU": 16 * 10 * 40}
    tfvae.evaluation._BLOCKS = 1
    with tfvae.evaluation.by_all_workers():
        shared = likelihood(vae)
    is_first = STRATEGY.cluster_resolver.task_id == 0
    return {"shared": shared, "alone": likelihood(vae) if is_first else None}


def likelihood(vae):
    calls = []
    found = tfvae.evaluation.log_likelihood(
        vae, X[:300], 40, seed=5, progress=lambda done, of: calls.append(done)
    )
    return {"values": found.tolist(), "calls": len(calls)}


def refused():
    """What is said of data that Keras' own loop would have to train on."""
    with STRATEGY.scope():
        vae = tfvae.mlp_vae((12,), 2, (16,))
        vae.compile("adam")
    try:
        vae.fit(((x,) for x in (X[:50], X[50:100])), verbose=0)
    except Exception as error:
        return str(error)
    return ""


def main(folder, only=None):
    told = {}
    for bound in [only] if only else BOUNDS:
        callbacks = [Checkpoint(folder, epochs=1)] if only else []
        with STRATEGY.scope():
            vae = fitted(bound, callbacks=callbacks)
        told[bound] = {"loss": vae.history.history["loss"], "weights": digest(vae)}
        if only is None and STRATEGY.cluster_resolver.task_id == 0:
            told[bound]["alone"] = fitted(bound).history.history["loss"]
    if only is None:
        told["likelihood"] = likelihoods(vae)
        told["refused"] = refused()
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
