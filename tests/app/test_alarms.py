"""Alarms on made numbers: raised where something is wrong, and not beside it."""

import math

import numpy as np
import pytest

from tfvae.app import alarms

FALLING = list(np.linspace(30, 20, 20))
GROWN, GROWING = [0.1, 1.0, 9.0, 12.0, 15.0], [0.1, 1.0, 5.0, 7.0, 15.0]
SETTLED = list(20 + 10 * np.exp(-np.arange(20.0)))


@pytest.mark.parametrize(
    ("function", "quiet", "loud", "words"),
    [
        (alarms.collapsed, (9, 16), (8, 16), ["8 of 16", "--latent-dim 8"]),
        (alarms.collapsed, (1, 1), (0, 1), ["collapsed:", "none of 1"]),
        (alarms.collapsed, (9, 16, [3.0, 4.0]), (0, 16, [0.01, 0.02]), ["since the first epoch"]),
        (alarms.collapsed, (16, 16), (0, 16, [3.0, 2.0, 0.05, 0.01]), ["since epoch 3"]),
        (alarms.exploded, (159.0, 16), (161.0, 16), ["161 nats", "10 for each"]),
        (alarms.exploded, (15.0, 2, GROWN), (15.0, 2, GROWING), ["8 for each", "still growing"]),
        (alarms.exploded, (15.0, 16, GROWING), (math.inf, 16), ["not finite"]),
        (alarms.untrusted, (3.1, 500), (2.9, 500), ["2.9 of 500", "--num-samples 5000"]),
        (alarms.untrusted, (1.1, 2), (0.9, 2), ["0.9 of 2"]),
        (alarms.untrusted, (None, 500), (1.0, 500), ["larger"]),
        (alarms.overfitted, (-100.0, -104.0, 0.1), (-100.0, -106.0, 0.1), ["by heart", "-106.0"]),
        (alarms.overfitted, (-100.0, -106.0, 2.0), (100.0, 94.0, math.nan), ["94.0"]),
        (alarms.overfitted, (-100.0, -90.0, 0.1), (1.0, 0.0, 0.1), ["--early-stopping"]),
        (alarms.overfitted, (math.nan, -90.0, 0.1), (0.0, -0.6, 0.1), ["-0.6"]),
        (alarms.unfinished, (SETTLED,), (FALLING,), ["last 4 epochs", "--epochs 40"]),
        (alarms.unfinished, ([30.0],), ([30.0, 25.0],), ["last epoch", "by 5 nats"]),
        (alarms.unfinished, ([20.0, 19.95],), ([-30.0, -40.0],), ["by 10 nats"]),
        (alarms.unfinished, ([20.0, 25.0],), ([9.0, 8.0, 7.0],), ["--epochs 6"]),
        (alarms.few, (500, 50), (499, 50), ["499 examples"]),
        (alarms.few, (500, 50), (500, 49), ["49 held-out"]),
    ],
)  # fmt: skip
def test_an_alarm_is_raised_where_it_should_be_and_not_beside(function, quiet, loud, words):
    assert function(*quiet) is None
    told = function(*loud)
    for word in words:
        assert word in told
    assert told.endswith(".") and "  " not in told


EVALUATION = {
    "active_units": 9, "latent_dim": 16, "rate": 12.0, "num_samples": 500,
    "effective_samples": 40.0, "elbo": -20.5, "elbo_stderr": 0.2,
}  # fmt: skip
HISTORY = {"loss": SETTLED, "elbo": [-value for value in SETTLED], "rate": [12.0] * 20}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"active_units": 2}, "collapsed"),
        ({"rate": 500.0}, "rate"),
        ({"effective_samples": 1.5}, "weights"),
        ({"elbo": -30.0}, "overfitted"),
    ],
)
def test_the_alarms_of_a_run_go_by_its_numbers(change, name):
    assert alarms.of_run(EVALUATION, HISTORY, 1000, 200) == {}
    assert list(alarms.of_run({**EVALUATION, **change}, HISTORY, 1000, 200)) == [name]


def test_the_alarms_of_a_run_go_by_its_history_and_its_examples():
    falling = {**HISTORY, "loss": FALLING}
    assert list(alarms.of_run(EVALUATION, falling, 300, 200)) == ["unfinished", "few"]
    assert list(alarms.of_run({**EVALUATION, "active_units": 0}, {}, 1000, 20)) == [
        "collapsed",
        "few",
    ]
