"""The same call by our loop, many steps in one compiled call, and by Keras' own, step by step.

What may differ is named: the loop begins an epoch that turns out to have no batch as Keras does,
but reports it as NaN, where Keras says 0.0.
"""

import re

import keras
import numpy as np
import pytest

from tests.training import calls, subjects

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


def _marked(name):
    """A call that another one contains runs by night."""
    return pytest.param(name, marks=pytest.mark.nightly) if CONTAINED.search(name) else name


@pytest.fixture(scope="module")
def ours():
    return subjects.Subject(subjects.vae, run_eagerly=False)


@pytest.fixture(scope="module")
def keras_own():
    return subjects.Subject(subjects.vae, run_eagerly=True)


def test_the_table_is_as_long_as_it_is_said_to_be():
    assert len(TABLE) >= 150


@pytest.mark.parametrize("name", [_marked(n) for n in TABLE if n not in REPORTED_AS_NAN])
@pytest.mark.filterwarnings("ignore")
def test_a_call_is_seen_to_do_what_it_does_in_keras_own_loop(name, ours, keras_own):
    found, expected = ours.run(TABLE[name]), keras_own.run(TABLE[name])
    subjects.assert_seen_alike(found, expected)
    if "unknown" not in name:
        assert found.reads[: len(expected.reads)] == expected.reads[: len(found.reads)]


def averaging(run_eagerly):
    """The model by an optimizer that averages the weights."""
    model = subjects.vae(run_eagerly)
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
def test_an_epoch_that_did_not_happen_is_no_epoch_of_loss_zero(name, ours):
    seen = ours.run(TABLE[name])
    assert np.isfinite(seen.result["loss"][0])
    assert np.isnan(seen.result["loss"][1:]).all()
