"""Trains on two logical CPU devices, and prints what `tests/training/test_replicas.py` asks for.

The devices of a process are fixed when TensorFlow begins, so this is a process of its own:
`python -m tests.support.on_two_devices FOLDER`, or with the name of a bound for its gradient alone.
"""

import contextlib
import json
import sys

import keras
import numpy as np
import tensorflow as tf

CPU = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(CPU, [tf.config.LogicalDeviceConfiguration()] * 2)

import tfvae  # noqa: E402
from tests.support import quick  # noqa: E402, F401
from tests.support.on_disk import on_disk  # noqa: E402
from tfvae.callbacks import Checkpoint, state  # noqa: E402
from tfvae.training import replicas  # noqa: E402

STRATEGY = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
X = (np.random.default_rng(0).random((35, 6)) < 0.4).astype(np.float32)
ROWS = 7  # of which the replicas have 3 and 4
WEIGHTS = np.array([1, 2, 0.5, 3, 1, 1, 0.1], np.float32)
BOUNDS = {
    "ELBO": {},
    "IWAE": {"objective": tfvae.objectives.IWAE(3)},
    "DReG": {
        "objective": tfvae.objectives.IWAE(3),
        "estimator": tfvae.gradients.DoublyReparameterized(),
    },
}


def model(mirrored, optimizer=None, run_eagerly=False, **pieces):
    keras.utils.set_random_seed(1)
    with STRATEGY.scope() if mirrored else contextlib.nullcontext():
        vae = tfvae.mlp_vae((6,), 2, (5,), seed=3, **pieces)
        made = optimizer() if optimizer else keras.optimizers.SGD(1.0)
        vae.compile(made, jit_compile=False, steps_per_execution=3, run_eagerly=run_eagerly)
    return vae


def certain(mirrored):
    """A model that draws nothing in training, so that one device and two compute the same."""
    return model(
        mirrored,
        lambda: keras.optimizers.Adam(0.05, clipnorm=0.5),
        posterior=tfvae.posteriors.Deterministic(),
        objective=tfvae.objectives.ELBO(beta=0.0) + 0.1 * tfvae.regularizers.LatentNorm(),
    )


def weights(vae):
    return [np.array(v.value.read_value()) for v in vae.trainable_variables]


def change(vae, train):
    """By how much a step of SGD with rate 1 changes the weights: their gradients."""
    before = weights(vae)
    train(vae)
    return [old - new for old, new in zip(before, weights(vae))]


def worst(one, other):
    """The largest difference, as a share of the largest number."""
    size = max(np.abs(a).max() for a in one)
    return float(max(np.abs(a - b).max() for a, b in zip(one, other)) / size)


def gradients(vae, pieces, sample_weight=None):
    """How far the gradient of a batch on two replicas is from the sum of their shares by hand."""
    found = change(vae, lambda v: v.fit(
        X[:ROWS], batch_size=ROWS, verbose=0, shuffle=False, sample_weight=sample_weight
    ))  # fmt: skip

    alone = model(False, run_eagerly=True, **pieces)
    seed, start = tf.constant([3, 0]), weights(alone)
    expected = [np.zeros_like(w) for w in start]
    for replica, part in enumerate(np.split(np.arange(ROWS), [ROWS // 2])):
        for variable, value in zip(alone.trainable_variables, start):
            variable.assign(value)
        alone.seed_generator.state.assign(tf.random.fold_in(seed, replica))
        given = None if sample_weight is None else sample_weight[part]
        step = change(alone, lambda v: v.train_on_batch(X[part], sample_weight=given))  # noqa: B023
        expected = [e + g * len(part) / ROWS for e, g in zip(expected, step)]
    return worst(expected, found)


def curves(folder):
    """A training that draws nothing, on one device and on two; stopped, and gone on with."""
    call = {"x": X, "batch_size": 17, "epochs": 3, "verbose": 0, "validation_data": X[:17]}
    one, two = certain(False), certain(True)
    with STRATEGY.scope():
        two.optimizer.build(two.trainable_variables)
    start = state.values(two)

    def stop(*_):
        raise StopIteration

    stopping = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _: epoch == 2 and stop())
    with contextlib.suppress(StopIteration):
        two.fit(**call, callbacks=[Checkpoint(folder, minutes=0), stopping])
    state.assign(two, start)
    resumed = two.fit(**call | {"x": on_disk(X)}, callbacks=[Checkpoint(folder)]).history
    went_on = weights(two)

    state.assign(two, start)
    histories = [vae.fit(**call).history for vae in (one, two)]
    differences = [
        abs(a - b) for name in histories[0] for a, b in zip(histories[0][name], histories[1][name])
    ]
    return {
        "history": max(differences),
        "weights": worst(weights(one), weights(two)),
        "resumed": all(map(np.array_equal, weights(two), went_on)),
        "resumed history": resumed == histories[1],
        "replicas": all(
            np.array_equal(*(copy.numpy() for copy in v.value.values))
            for v in [*two.variables, *two.optimizer.variables]
        ),
    }


def noise():
    """Seeds and dropout's masks on two replicas, and the state of its generator after a step."""
    with STRATEGY.scope():
        dropout = keras.layers.Dropout(0.5)
        dropout.build((None, 1000))
    states = [dropout.seed_generator.state]
    before = states[0].numpy()

    @tf.function(autograph=False)
    def draw():
        seed = replicas.own_seed(tf.constant([3, 0]))
        with replicas.own_noise(states):
            return seed, dropout(tf.ones([1, 1000]), training=True)

    seeds, masks = map(STRATEGY.experimental_local_results, STRATEGY.run(draw))
    after = [v.numpy() for v in states[0].value.values]
    return {
        "seeds": [seed.numpy().tolist() for seed in seeds],
        "equal in masks": float(np.mean(masks[0].numpy() == masks[1].numpy())),
        "states": [(value - before).tolist() for value in after],
    }


def overflow(vae):
    """One replica's loss is infinite: the error's class, and whether any weight has changed."""
    before = weights(vae)
    huge = np.full(ROWS, 3e38, np.float32) * (np.arange(ROWS) >= ROWS // 2)
    try:
        vae.fit(X[:ROWS], batch_size=ROWS, verbose=0, shuffle=False, sample_weight=huge)
        raised = None
    except Exception as error:
        raised = type(error).__name__
    copies = [copy.numpy() for v in vae.trainable_variables for copy in v.value.values]
    expected = [w for w in before for _ in range(2)]
    return {"raised": raised, "same": all(map(np.array_equal, copies, expected))}


def likelihoods(vae, folder):
    """log p(x) by the model of two devices, and by its file on one device; both have sampled."""
    vae.save(folder + "/model.keras")
    alone = tfvae.load_model(folder + "/model.keras")
    found = [tfvae.evaluation.log_likelihood(v, X, 50) for v in (vae, alone)]
    samples = [v.sample(3, seed=5).numpy() for v in (vae, alone)]
    return [float(np.abs(a - b).max()) for a, b in (found, samples)]


def outside():
    """What is said of an optimizer that was made outside the scope."""
    with STRATEGY.scope():
        vae = tfvae.mlp_vae((6,), 2, (5,))
    vae.compile(keras.optimizers.Adam())
    try:
        vae.fit(X, verbose=0)
    except Exception as error:
        return f"{type(error).__name__} {error}"
    return ""


def main(folder, only=None):
    found = {"gradients": {}}
    for name in [only] if only else ("ELBO", "DReG"):
        pieces = BOUNDS[name]
        vae = model(True, **pieces)
        weights_of_examples = WEIGHTS if name == "ELBO" else None
        found["gradients"][name] = gradients(vae, pieces, weights_of_examples)
        if name == "ELBO":
            found |= {"overflow": overflow(vae), "likelihoods": likelihoods(vae, folder)}
    if only is None:
        found |= {"curves": curves(folder), "noise": noise(), "outside": outside()}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
