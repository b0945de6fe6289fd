"""Tells trainings apart, so that none goes on from another one's checkpoint."""

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfvae.callbacks import state
from tfvae.training import replicas

if TYPE_CHECKING:
    from tfvae.training.compiled_fit import CompiledFit
    from tfvae.training.epoch_reader import EpochReader

_END_ROWS = 16  # at each end of an array


def signature(model: "CompiledFit", reader: "EpochReader", call: dict[str, Any]) -> dict[str, Any]:
    """Returns what makes a training the one it is, as values for JSON.

    Args:
        model: the model that is trained, before the first step.
        reader: the reader of its batches.
        call: the arguments of `fit`, by name.
    """
    source, strategy = reader.source, replicas.strategy_of(model)
    return {
        "shapes of the weights": state.shapes(state.values(model)),
        "pieces": without_address(model.loop_hooks.description()),
        "optimizer": _told(model.optimizer),
        "number of replicas": None if strategy is None else strategy.num_replicas_in_sync,
        "seed": model.loop_hooks.order_seed(),
        "batch_size": source.batch_size,
        "number of examples": source.num_examples,
        "steps_per_epoch": reader.steps_per_epoch,
        "shuffle": bool(call["shuffle"]),
        "examples": None if source.examples is None else _first_and_last(source.examples),
    }


def without_address(value: Any) -> str:
    """Returns a value in words that are the same in every process.

    Args:
        value: any object; some are told by their address in memory.
    """
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))


def differences(one: dict[str, Any], other: dict[str, Any]) -> str:
    """Returns in words in what two trainings differ; empty if they are the same.

    Args:
        one: the signature of one.
        other: the signature of the other.
    """
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return f"other {', other '.join(names)}" if names else ""


def _told(optimizer):
    """Returns an optimizer and its settings in words."""
    name = type(optimizer).__name__
    try:
        config = optimizer.get_config()
    except NotImplementedError:  # of a user's schedule that cannot be saved
        return name
    return json.dumps(config | {"name": name}, sort_keys=True, default=without_address)


def _first_and_last(arrays):
    """Returns a hash of the first and last rows of all arrays."""
    found = hashlib.sha256()
    for array in tf.nest.flatten(arrays):
        for rows in (array[:_END_ROWS], array[-_END_ROWS:]):
            found.update(np.ascontiguousarray(rows).tobytes())
    return found.hexdigest()
