"""The same call by our loop, many steps in one compiled call, and by Keras' own, step by step.

What may differ is named: the loop begins an epoch that turns out to have no batch as Keras does,
but reports it as NaN, where Keras says 0.0.
"""

import re

import keras
import numpy as np
import pytest

from tests.support.nightly import nightly
from tests.training import calls, subjects

pytestmark = pytest.mark.xdist_group("same as keras")  # one process makes what they share

TABLE = calls.table()
# Keras logs an epoch without a batch as 0.0, which a checkpoint of the best would keep.
REPORTED_AS_NAN = {"fit/early_end"}


# What another call contains: one with more epochs, more hooks, fewer steps or a rarer validation;
# and tensors as arrays.
CONTAINED = re.compile(
    r"/epochs_1$|/freq_1$|/steps_5/|^fit/(?!array).*/hooks_3$|^fit/array/batch_None/steps_[127]$"
    r"|^validation/.*/steps_1/|^evaluate/.*/steps_1$|^(fit|evaluate)/tensor/batch_(None|5|20)"
    r"|^evaluate/float(64|16)/batch_(None|5)"
    r"|^fit/(known_dividing|mixed|pydataset|infinite)/(hooks_14|steps_(3|None)/epochs_3)$"
    r"|^fit/(float(64|16)|tensor)/|^validation/(mixed|infinite|unknown)/steps_\w+/freq_2$|^split/0.5"
)


# What a VAE does by code of its own in such calls: it checks the data, the conditions and the
# weights of every kind of call, and turns bytes into numbers.
OF_A_VAE = (
    "fit/array/hooks_3",
    "fit/unknown/steps_2/epochs_3",
    "fit/pydataset/hooks_3",
    "split/weights",
    "validation/weights",
    "evaluate/weights",
    "predict/array/batch_3",
    "train_on_batch/dict",
    "test_on_batch/array",
    "predict_on_batch",
    "sequence/fit_bytes_fit",
    "inside/evaluate",
)


def _marked(name, by_day):
    return name if by_day else nightly(name)


COMPARED = [name for name in TABLE if name not in REPORTED_AS_NAN]
# The loop knows no VAE, and steps of two layers are traced in a fifth of the time.
AUTOENCODERS = [_marked(name, not CONTAINED.search(name)) for name in COMPARED]
VAES = [_marked(name, name in OF_A_VAE) for name in COMPARED]


class Pair:
    """The same model in our loop and in Keras' own."""

    def __init__(self, make):
        self.ours = subjects.Subject(make, run_eagerly=False)
        self.keras_own = subjects.Subject(make, run_eagerly=True)

    def assert_seen_alike(self, name):
        """Asserts that a call of the table does the same in both."""
        found, expected = self.ours.run(TABLE[name]), self.keras_own.run(TABLE[name])
        subjects.assert_seen_alike(found, expected)
        if "unknown" not in name:
            assert found.reads[: len(expected.reads)] == expected.reads[: len(found.reads)]


@pytest.fixture(scope="module")
def autoencoders():
    return Pair(subjects.autoencoder)


@pytest.fixture(scope="module")
def vaes():
    return Pair(subjects.vae)


def test_the_table_is_as_long_as_it_is_said_to_be():
    assert len(TABLE) >= 150
    assert set(OF_A_VAE) <= set(TABLE)


@pytest.mark.parametrize("name", AUTOENCODERS)
@pytest.mark.filterwarnings("ignore")
def test_a_call_is_seen_to_do_what_it_does_in_keras_own_loop(name, autoencoders):
    autoencoders.assert_seen_alike(name)


@pytest.mark.parametrize("name", VAES)
@pytest.mark.filterwarnings("ignore")
def test_a_call_of_a_vae_is_seen_to_do_what_it_does_in_keras_own_loop(name, vaes):
    vaes.assert_seen_alike(name)


def averaging(run_eagerly):
    """The model by an optimizer that averages the weights."""
    model = subjects.autoencoder(run_eagerly)
    optimizer = keras.optimizers.SGD(1e-2, use_ema=True, ema_momentum=0.5)
    model.compile(optimizer, run_eagerly=run_eagerly, jit_compile=False)
    return model


def test_a_fit_ends_with_averaged_weights_as_it_does_in_keras_own_loop():
    found, expected = (
        subjects.Subject(averaging, own).run(TABLE["fit/array/batch_5/epochs_3"])
        for own in (False, True)
    )
    subjects.assert_seen_alike(found, expected)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REPORTED_AS_NAN)
def test_an_epoch_that_did_not_happen_is_no_epoch_of_loss_zero(name, autoencoders):
    seen = autoencoders.ours.run(TABLE[name])
    assert np.isfinite(seen.result["loss"][0])
    assert np.isnan(seen.result["loss"][1:]).all()
