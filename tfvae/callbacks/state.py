"""The state of a training: variables of the model and optimizer, and what callbacks remember."""

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras

if TYPE_CHECKING:
    from tfvae.training.compiled_fit import CompiledFit

_PLAIN = (bool, int, float, str, type(None))


class NotPlainError(TypeError):
    """A value that cannot be kept, such as a function or a model."""


def variables(model: "CompiledFit") -> list[tf.Variable | keras.Variable]:
    """Returns all variables that a training changes, in an order that depends on the model alone.

    These are its weights, its random states, the optimizer's, those of its metrics, and what the
    loop counts.
    """
    return [
        *model.variables,
        *model.optimizer.variables,
        *model.metrics_variables,
        *model.loop_hooks.counters(),
        *model.alarm.variables(),
    ]


def values(model: "CompiledFit") -> list[np.ndarray]:
    """Returns the values of `variables`."""
    return [np.asarray(_tensor(variable)) for variable in variables(model)]


def assign(model: "CompiledFit", arrays: Sequence[np.ndarray]) -> None:
    """Gives `variables` their values.

    Args:
        model: the model.
        arrays: what `values` returned.
    """
    for variable, array in zip(variables(model), arrays):
        variable.assign(array)


def shapes(arrays: Sequence[np.ndarray]) -> str:
    """Returns a hash of the types and shapes of arrays, which tells models apart."""
    text = json.dumps([[array.dtype.name, list(array.shape)] for array in arrays])
    return hashlib.sha256(text.encode()).hexdigest()


class Memory:
    """What the callbacks of a training remember: their attributes that change while it runs.

    Args:
        callbacks: the callbacks, after all of them have begun the training. Numbers, strings and
            arrays are kept, alone and in lists, tuples and dictionaries.
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        """Notes what the attributes are at the start."""
        self._callbacks = _by_name(callbacks)
        self._start = {
            name: {key: _print(value) for key, value in vars(callback).items()}
            for name, callback in self._callbacks.items()
        }

    def kept(self, arrays: list[np.ndarray]) -> dict[str, Any]:
        """Returns what has changed since the start, as values for JSON.

        Args:
            arrays: a list, to which the arrays among the values are added.
        """
        found: dict = {}
        for name, callback in self._callbacks.items():
            for key, value in vars(callback).items():
                print_of = _print(value)
                if print_of is not None and print_of != self._start[name].get(key):
                    found.setdefault(name, {})[key] = encode(value, arrays)
        return found

    def restore(self, kept: dict[str, Any], arrays: Sequence[np.ndarray]) -> None:
        """Gives the callbacks what `kept` returned.

        Args:
            kept: its result. What is there of callbacks that are no longer used is left out.
            arrays: the arrays that were added to the list.
        """
        for name in kept.keys() & self._callbacks.keys():
            callback, attributes = self._callbacks[name], kept[name]
            if "min_delta" in attributes:
                internals.choose_direction(callback)
            for key, value in attributes.items():
                setattr(callback, key, decode(value, arrays))


def encode(value: Any, arrays: list[np.ndarray]) -> Any:
    """Returns a value in a form for JSON.

    Args:
        value: the value.
        arrays: a list, to which arrays are added; the form holds their places in it.

    Raises:
        NotPlainError: a value of another kind.
    """
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fiub":
        arrays.append(np.asarray(value))
        return {"array": len(arrays) - 1, "is_number": isinstance(value, np.generic)}
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [encode(item, arrays) for item in value]}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: encode(item, arrays) for key, item in value.items()}}
    raise NotPlainError(type(value).__name__)


def decode(form: Any, arrays: Sequence[np.ndarray]) -> Any:
    """Returns the value that `encode` was given.

    Args:
        form: the result of `encode`.
        arrays: the arrays.
    """
    if not isinstance(form, dict):
        return form
    if "array" in form:
        array = arrays[form["array"]].copy()
        return array[()] if form["is_number"] else array
    if "dict" in form:
        return {key: decode(item, arrays) for key, item in form["dict"].items()}
    is_list = "list" in form
    items = [decode(item, arrays) for item in form["list" if is_list else "tuple"]]
    return items if is_list else tuple(items)


def _tensor(variable):
    value = variable.value if isinstance(variable, keras.Variable) else variable
    return value.read_value()  # of a variable of replicas, one for all of them


def _by_name(callbacks):
    """Returns callbacks by class and place among those of the class, without progress bars."""
    found: dict = {}
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.ProgbarLogger) or hasattr(callback, "keeper"):
            continue
        kind = type(callback).__name__
        place = sum(name.startswith(f"{kind}:") for name in found)
        found[f"{kind}:{place}"] = callback
    return found


def _print(value):
    """Returns what tells a value from others, or None for one that is not kept."""
    arrays: list = []
    try:
        form = json.dumps(encode(value, arrays))
    except NotPlainError:
        return None
    return form, *(hashlib.sha256(array.tobytes()).digest() for array in arrays)
