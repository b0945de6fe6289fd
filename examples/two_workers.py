# %% [markdown]
# # One model, two workers
# Two processes train one model: each takes half of every batch, and the gradient is that of the
# whole batch. Here both run on this machine. On two machines, start this script on each with its
# own `TF_CONFIG`, in which the addresses are those of the machines, and give the checkpoints a
# folder that both can read.

# %%
import json
import os
import socket
import subprocess
import sys

import keras
import tensorflow as tf

import tfvae

FOLDER = "two_workers"  # of the checkpoints: worker 0, the chief, writes them, and all read them


def free_ports(count):
    """Returns ports of this machine that are free now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


# %% [markdown]
# Started without `TF_CONFIG`, the script starts itself once for each worker.

# %%
if "TF_CONFIG" not in os.environ:
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    workers = []
    for index in range(2):
        config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        environment = {**os.environ, "TF_CONFIG": config}
        workers.append(subprocess.Popen([sys.executable, __file__], env=environment))
    sys.exit(max(worker.wait() for worker in workers))

# %% [markdown]
# The strategy comes before all else that TensorFlow does, and all that has variables is made in its
# scope. Everything else is as for one device: `batch_size` is that of all workers together, and
# all of them are given the same data, in the same order.

# %%
strategy = tf.distribute.MultiWorkerMirroredStrategy()
keras.utils.set_random_seed(0)
digits = tfvae.datasets.load("digits")
with strategy.scope():
    likelihood = tfvae.likelihoods.Bernoulli(dynamic_binarization=True)
    vae = tfvae.mlp_vae(digits.event_shape, 8, (128,), likelihood=likelihood, seed=0)
    vae.compile(keras.optimizers.Adam(3e-3))

# %% [markdown]
# A worker that is killed ends the others. Start the script again, and the training goes on from
# the last checkpoint.

# %%
checkpoint = tfvae.callbacks.Checkpoint(FOLDER)
history = vae.fit(
    digits.x_train, batch_size=64, epochs=10, callbacks=[checkpoint], verbose=0
).history

# %% [markdown]
# The workers share the examples that are evaluated, where all of them ask for it.

# %%
with tfvae.evaluation.by_all_workers():
    found = tfvae.evaluation.log_likelihood(vae, digits.x_test, num_samples=100)
if strategy.cluster_resolver.task_id == 0:
    print(f"loss {history['loss'][-1]:.2f}, NLL {-found.mean():.2f} nats")
    assert 21 < -found.mean() < 25  # an independent Bernoulli for each pixel gives 27.3
    tfvae.plots.training_curves(history).savefig("two_workers.png", dpi=120)
    vae.save(os.path.join(FOLDER, "digits.keras"))
