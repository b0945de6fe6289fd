"""What `--strategy` needs of its surroundings is asked for before TensorFlow begins."""

import json

import pytest
import tensorflow as tf

from tests.conftest import matches
from tfvae.app import devices
from tfvae.errors import InputError

CLUSTER = {"worker": ["a:1", "b:1"]}


@pytest.mark.parametrize(
    ("config", "word"),
    [
        (None, "none"),
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        (json.dumps({"cluster": CLUSTER}), "KeyError"),
        (json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": 2}}), "IndexError"),
        (json.dumps({"cluster": {**CLUSTER, "ps": ["c:1"]}, "task": {"type": "ps", "index": 0}}),
         "task ps 0"),
    ],
)  # fmt: skip
def test_workers_without_a_right_config_are_refused(monkeypatch, config, word):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", lambda: 1 / 0)
    with pytest.raises(InputError, match=matches("TF_CONFIG", word)):
        devices.strategy("multiworker")


def test_another_strategy_is_refused():
    with pytest.raises(InputError, match=matches("mirrored or multiworker", "'both'")):
        devices.strategy("both")


def test_one_device_is_no_strategy():
    assert devices.strategy(None) is None
    assert devices.is_chief(None)


def test_the_option_is_one_of_the_settings(tfvae_command):
    status, told, _ = tfvae_command("train", "--strategy", "mirrored", "--print-config")
    assert status == 0
    assert 'strategy = "mirrored"' in told
