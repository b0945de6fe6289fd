"""Reads the attributes of a model whose values are constants in a traced program."""

from collections.abc import Hashable

import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras

_PLAIN = (bool, int, float, complex, str, bytes, type(None), tf.DType)
# Attributes of a Keras model that a run itself writes.
_WRITTEN_BY_RUNS = {
    "built",
    "history",
    "optimizer",
    "predict_function",
    "stop_evaluating",
    "stop_predicting",
    "stop_training",
    "test_function",
    "train_function",
}


def traced_state(*owners: object) -> tuple[Hashable, ...]:
    """Returns a value that differs when a program traced from the owners would differ.

    It holds the public attributes with plain values of the owners, of all layers within them and
    of the objects in their attributes. It also holds which layers are trainable. The values of
    variables are left out, since a program reads them when it runs.

    Args:
        *owners: models, layers and objects with plain attributes, such as an objective.
    """
    seen: dict = {}
    return tuple(_state_of(owner, seen) for owner in owners)


def optimizer_state(optimizer: keras.optimizers.Optimizer | None) -> Hashable:
    """Returns a value that differs when an update traced from an optimizer would differ.

    It holds the optimizer itself, its public attributes with plain values, and its schedule.

    Args:
        optimizer: an optimizer of Keras, or None.
    """
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        return id(optimizer)

    found: list[Hashable] = [id(optimizer)]
    for name, value in vars(optimizer).items():
        if isinstance(value, keras.optimizers.Optimizer):
            found.append((name, optimizer_state(value)))
            continue

        is_schedule = isinstance(value, keras.optimizers.schedules.LearningRateSchedule)
        is_private = name.startswith("_") or name in _WRITTEN_BY_RUNS
        if is_schedule or (isinstance(value, _PLAIN) and not is_private):
            found.append((name, _state_of(value, {})))

    return tuple(found)


def _state_of(value, seen):
    if isinstance(value, _PLAIN):
        return value if value == value else "nan"
    if isinstance(value, (list, tuple, set, frozenset)):
        return tuple(_state_of(item, seen) for item in value)
    if isinstance(value, dict):
        return tuple((str(key), _state_of(item, seen)) for key, item in value.items())
    if id(value) in seen or _is_opaque(value):
        return (type(value).__name__, id(value))

    seen[id(value)] = value
    return (type(value).__name__, id(value), *_attributes(value, seen))


def _attributes(value, seen):
    if isinstance(value, keras.layers.Layer):
        yield from _layer_state(value, seen)
    else:
        yield from _public_state(value, seen)


def _layer_state(layer, seen):
    """Yields the state of a layer and of all layers within it."""
    parts = internals.flatten_layers(layer)
    # All of them are marked first, so that none is read again as an attribute of another.
    seen.update((id(part), part) for part in parts)

    for part in parts:
        yield id(part), part.trainable
        # Of a functional model only the layers count, which are parts of their own.
        if part is layer or not _is_made_of_layers(part):
            yield from _public_state(part, seen)


def _public_state(value, seen):
    is_model = isinstance(value, keras.Model)
    for name, attribute in list(getattr(value, "__dict__", {}).items()):
        if name.startswith("_") or name in _WRITTEN_BY_RUNS:
            continue
        # A list or another container of a model may be a record of its steps or callbacks.
        if is_model and not isinstance(attribute, _PLAIN) and not _has_config(attribute):
            continue

        yield name, _state_of(attribute, seen)


def _is_made_of_layers(part):
    """Returns True if a part is a sequential or functional model of Keras' own classes."""
    return isinstance(part, keras.Model) and type(part).__module__.startswith("keras.")


def _is_opaque(value):
    """Returns True if a value is compared by its identity alone.

    These are the objects that a program reads when it runs, and functions.
    """
    kinds = (
        keras.Variable,
        tf.Variable,
        keras.KerasTensor,
        keras.metrics.Metric,
        keras.optimizers.Optimizer,
        keras.callbacks.Callback,
        keras.random.SeedGenerator,
        keras.Function,
    )
    return (
        isinstance(value, kinds)
        or tf.is_tensor(value)
        or callable(value)
        and not _has_config(value)
    )


def _has_config(value):
    return hasattr(value, "get_config") and not isinstance(value, type)
