"""What a program was traced from: the attributes whose values are constants of it."""

import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras

_PLAIN = (bool, int, float, complex, str, bytes, type(None), tf.DType)
# What a run itself writes to a Keras model.
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


def traced_state(*owners):
    """Returns a hashable value that differs when a program traced from `owners` would differ.

    It is made of the public attributes that hold plain values, of all layers of a model and of
    every object of the same kinds within them. Values of variables are no part of it, since a
    program reads those when it runs; which variables are trainable is.

    Args:
        *owners: models, layers and objects with plain attributes, such as an objective.
    """
    seen: dict = {}
    return tuple(_state_of(owner, seen) for owner in owners)


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
    parts = internals.flatten_layers(layer)
    # All of them first, so that none is looked into once more as an attribute of another.
    seen.update((id(part), part) for part in parts)
    for part in parts:
        yield id(part), part.trainable
        # Of a functional model all that counts are its layers, and there are many of them.
        if part is layer or not _is_made_of_layers(part):
            yield from _public_state(part, seen)


def _public_state(value, seen):
    is_model = isinstance(value, keras.Model)
    for name, attribute in list(getattr(value, "__dict__", {}).items()):
        if name.startswith("_") or name in _WRITTEN_BY_RUNS:
            continue
        # Lists and the like of a model may be a record that its steps or callbacks write.
        if is_model and not isinstance(attribute, _PLAIN) and not _has_config(attribute):
            continue
        yield name, _state_of(attribute, seen)


def _is_made_of_layers(part):
    """Whether a part is a model of a class of Keras' own, sequential or functional."""
    return isinstance(part, keras.Model) and type(part).__module__.startswith("keras.")


def _is_opaque(value):
    """Whether a value is known by its identity alone: what programs read when they run, and code."""
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
