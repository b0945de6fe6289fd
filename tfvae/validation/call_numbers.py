"""Checks the numbers and callbacks of `fit`, `evaluate` and `predict`."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfvae.errors import InputTypeError, invalid
from tfvae.validation import arguments

_NEEDED = ("epochs", "initial_epoch")
# Of those that may be None the least value. Keras takes any negative `steps_per_epoch` for all.
_LEAST = {
    "batch_size": 0,
    "validation_batch_size": 0,
    "steps_per_epoch": None,
    "validation_steps": 0,
    "steps": 0,
}


def checked(call: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of a call with Python's numbers, such as for a tensor of one.

    Args:
        call: the arguments by name; others than numbers and callbacks are not looked at.

    Raises:
        InputError: another number.
        InputTypeError: a callback of another kind.
    """
    numbers: dict = {}
    for name in _NEEDED:
        if name in call:
            numbers[name] = arguments.whole_number(name, call[name])
    for name, least in _LEAST.items():
        if call.get(name) is not None:
            numbers[name] = arguments.whole_number(name, call[name], least)
    if call.get("validation_split"):
        arguments.real_number("validation_split", call["validation_split"], 0.0, 1.0)

    for each in tf.nest.flatten(call.get("callbacks")):
        if each is not None and (isinstance(each, type) or not hasattr(each, "set_model")):
            fix = "pass a list of objects, such as [keras.callbacks.EarlyStopping()]"
            raise invalid("Keras callbacks", repr(each), fix, InputTypeError)
    return {**call, **numbers}
