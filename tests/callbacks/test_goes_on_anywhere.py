"""A training of any kind that is stopped anywhere, several times, ends as one left alone."""

import contextlib
import itertools

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

import tfvae
from tests.support import stopping
from tests.support.on_disk import on_disk
from tfvae import objectives
from tfvae.callbacks import Checkpoint

pytestmark = pytest.mark.xdist_group("checkpoint")

RNG = np.random.default_rng(0)
X = (RNG.random((40, 4)) < 0.5).astype(np.float32)
LABELS = RNG.integers(0, 3, 40)
WEIGHTS = RNG.choice([0.0, 0.5, 1.0], 40).astype(np.float32)
OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.05, 20)),
    "momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "accumulation": lambda: keras.optimizers.Adam(0.02, gradient_accumulation_steps=2),
    "average": lambda: keras.optimizers.Adam(0.02, use_ema=True),
}
OBJECTIVES = {
    "bound": lambda: objectives.IWAE(3),
    "warm-up": lambda: objectives.ELBO(
        beta=keras.optimizers.schedules.PolynomialDecay(0.1, 7, 1.0)
    ),
}


def batches(size):
    return tf.data.Dataset.from_tensor_slices(X).batch(size)


def of_many_sizes():
    for first, end in itertools.pairwise([0, 3, 10, 11, 30, 40]):
        yield X[first:end]


SPEC = tf.TensorSpec([None, 4])
DATA = {
    "arrays": lambda size, steps: {"x": X, "batch_size": size},
    "labels": lambda size, steps: {"x": X, "y": LABELS, "batch_size": size},
    "weights": lambda size, steps: {"x": X, "sample_weight": WEIGHTS, "batch_size": size},
    "order": lambda size, steps: {"x": X, "batch_size": size, "shuffle": False},
    "on disk": lambda size, steps: {"x": on_disk(X), "batch_size": size},
    "steps of arrays": lambda size, steps: {"x": X, "batch_size": size, "steps_per_epoch": steps},
    "batches": lambda size, steps: {"x": batches(size)},
    "shuffled": lambda size, steps: {"x": batches(size).shuffle(9, seed=2)},
    "unknown length": lambda size, steps: {"x": batches(size).filter(lambda x: True)},
    "endless": lambda size, steps: {"x": batches(size).repeat(), "steps_per_epoch": steps},
    "too short": lambda size, steps: {"x": batches(size).repeat(2), "steps_per_epoch": steps},
    "many sizes": lambda size, steps: {
        "x": tf.data.Dataset.from_generator(of_many_sizes, output_signature=SPEC)
    },
}
TRAININGS = st.fixed_dictionaries(
    {
        "data": st.sampled_from(sorted(DATA)),
        "size": st.sampled_from([1, 7, 16, 40, 64]),
        "steps": st.sampled_from([1, 2, 5]),
        "in_call": st.sampled_from(["auto", 1, 3]),
        "epochs": st.integers(1, 4),
        "optimizer": st.sampled_from(sorted(OPTIMIZERS)),
        "objective": st.sampled_from(sorted(OBJECTIVES)),
        "validated": st.booleans(),
        "stops_early": st.booleans(),
    }
)


def fit(training, *callbacks):
    """A model with what a training of it leaves."""
    keras.utils.set_random_seed(1)
    tf.random.set_seed(1)
    data = DATA[training["data"]](training["size"], training["steps"])
    likelihood = tfvae.likelihoods.Bernoulli(dynamic_binarization=True)
    vae = tfvae.mlp_vae(
        (4,), 2, (5,), likelihood=likelihood, objective=OBJECTIVES[training["objective"]](),
        condition=3 if "y" in data else None, seed=3,
    )  # fmt: skip
    optimizer = OPTIMIZERS[training["optimizer"]]()
    vae.compile(optimizer, jit_compile=False, steps_per_execution=training["in_call"])
    held_out = (X[:9], LABELS[:9]) if "y" in data else (X[:9],)
    early = keras.callbacks.EarlyStopping("loss", 0.05, patience=1, restore_best_weights=True)
    vae.fit(
        **data, epochs=training["epochs"], verbose=0,
        validation_data=held_out if training["validated"] else None,
        callbacks=[*callbacks, *([early] if training["stops_early"] else [])],
    )  # fmt: skip
    variables = [*vae.variables, *vae.optimizer.variables, *vae.loop_hooks.counters()]
    return [np.asarray(v) for v in variables], vae.history.history, vae.history.epoch


def stopped_and_gone_on(training, stops, folder):
    """What a training leaves that is stopped after so many checkpoints, each time."""
    for count in stops:
        with stopping.after_checkpoints(count), contextlib.suppress(stopping.Stop):
            return fit(training, Checkpoint(folder, minutes=0))

    return fit(training, Checkpoint(folder))


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.nightly
def test_a_training_stopped_anywhere_ends_as_one_left_alone(tmp_path_factory):
    @hypothesis.settings(
        max_examples=120, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(training=TRAININGS, stops=st.lists(st.integers(1, 6), min_size=1, max_size=3))
    def check(training, stops):
        folder = tmp_path_factory.mktemp("kept")
        found = stopped_and_gone_on(training, stops, folder)
        alone = fit(training)
        assert all(map(np.array_equal, found[0], alone[0]))
        assert found[1:] == alone[1:]

    check()
