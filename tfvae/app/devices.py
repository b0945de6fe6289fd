"""The devices that a run trains on: one, all of this machine, or those of several workers."""

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

from tfvae.errors import invalid

if TYPE_CHECKING:
    import tensorflow as tf

_MIRRORED, _WORKERS = "mirrored", "multiworker"
_EXAMPLE = (
    """TF_CONFIG='{"cluster": {"worker": ["host1:2222", "host2:2222"]}, """
    """"task": {"type": "worker", "index": 0}}'"""
)


def strategy(name: str | None) -> "tf.distribute.Strategy | None":
    """Returns the strategy of a name, before anything else of TensorFlow runs.

    Args:
        name: "mirrored" for all devices of this machine, "multiworker" for the workers that
            `TF_CONFIG` names, or None for one device.

    Raises:
        InputError: another name, or workers without a `TF_CONFIG` that names them.
    """
    if name is None:
        return None
    if name not in (_MIRRORED, _WORKERS):
        raise invalid(f"a strategy {_MIRRORED} or {_WORKERS}", repr(name), "pass one of them")
    if name == _WORKERS:
        _check_config(os.environ.get("TF_CONFIG"))

    import tensorflow as tf

    if name == _MIRRORED:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.MultiWorkerMirroredStrategy()


def described(strategy: "tf.distribute.Strategy") -> str:
    """Returns in words what shares the batches of a strategy.

    Args:
        strategy: the strategy.
    """
    devices = [device.split("device:")[-1] for device in strategy.extended.worker_devices]
    here = f"{', '.join(devices)} of this process"
    return f"Batches are shared by {strategy.num_replicas_in_sync} replicas; {here} among them."


def scope(strategy: "tf.distribute.Strategy | None") -> contextlib.AbstractContextManager[Any]:
    """Returns the context in which a model of a strategy, or of one device, is made.

    Args:
        strategy: the strategy, or None.
    """
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def is_chief(strategy: "tf.distribute.Strategy | None") -> bool:
    """Returns True for the process that writes the run.

    Args:
        strategy: the strategy, or None.
    """
    if strategy is None:
        return True
    from tfvae.training import workers

    return workers.is_chief(strategy)


def _check_config(text):
    """Refuses a `TF_CONFIG` that names no workers, or not which of them this process is."""
    expected = "the environment variable TF_CONFIG to name all workers, and which one this is"
    if text is None:
        raise invalid(expected, "none", f"start each worker with its own, such as {_EXAMPLE}")
    try:
        found: Any = json.loads(text)
        workers = [*found["cluster"].get("chief", []), *found["cluster"]["worker"]]
        task = found["task"]["type"], int(found["task"]["index"])
        named = found["cluster"][task[0]][task[1]] in workers
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        received = f"{text[:200]} ({type(error).__name__}: {error})"
        raise invalid(expected, received, f"write it as {_EXAMPLE}") from error
    if not named:
        fix = "tasks of type chief and worker train"
        raise invalid(expected, f"task {task[0]} {task[1]}", fix)
