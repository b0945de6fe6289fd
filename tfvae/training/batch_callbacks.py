"""Finds callbacks that act on single batches: with those, each call runs one step."""

from collections.abc import Iterator, Sequence

import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras

_TRAIN_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
_TEST_HOOKS = ("on_test_batch_begin", "on_test_batch_end")


def acts_on_batches(
    callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.CallbackList | None,
    training: bool,
) -> bool:
    """Returns True if one of the callbacks acts on single batches.

    Keras' own callbacks act on batches if their arguments say so. A user's callback does if it
    defines a hook for batches, unless its attribute `only_watches` is True.

    Args:
        callbacks: the callbacks of `fit` or `evaluate`.
        training: True for batches of training, False for batches of an evaluation.
    """
    hooks = _TRAIN_HOOKS if training else _TEST_HOOKS
    return any(
        _acts(callback, hooks)
        for callback in flat(callbacks)
        if not getattr(callback, "only_watches", False)
    )


def handles_nan(
    callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.CallbackList | None,
) -> bool:
    """Returns True if one of the callbacks is `keras.callbacks.TerminateOnNaN`."""
    return any(isinstance(callback, keras.callbacks.TerminateOnNaN) for callback in flat(callbacks))


def flat(
    callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.CallbackList | None,
) -> Iterator[keras.callbacks.Callback]:
    """Yields single callbacks, also those inside a `CallbackList`."""
    for callback in tf.nest.flatten(callbacks or []):
        if isinstance(callback, keras.callbacks.CallbackList):
            yield from flat([*callback.callbacks])
        else:
            yield callback


def _acts(callback, hooks):
    """Returns True if a callback acts on batches by one of the hooks."""
    own = [hook for hook in hooks if _defines(callback, hook)]
    if any(_owner(callback, hook) is None for hook in own):
        return True

    owners = {_owner(callback, hook) for hook in own}
    return any(_acts_by_arguments(callback, owner) for owner in owners)


def _defines(callback, hook):
    """Returns True if a callback has a hook beside the empty one of `keras.callbacks.Callback`."""
    return hook in vars(callback) or _class_of(callback, hook) is not keras.callbacks.Callback


def _owner(callback, hook):
    """Returns the Keras class that defines a hook, or None if the hook is the user's."""
    owner = _class_of(callback, hook)
    if hook in vars(callback) or not owner.__module__.startswith("keras."):
        return None
    return owner


def _class_of(callback, hook):
    """Returns the class that defines a hook, in the order in which Python looks it up."""
    return next((c for c in type(callback).__mro__ if hook in vars(c)), keras.callbacks.Callback)


def _acts_by_arguments(callback, owner):
    """Returns True if a callback of Keras' acts on batches by the arguments it was made with."""
    if owner.__name__ in ("ProgbarLogger", "History", "Callback"):
        return False
    if owner.__name__ in ("ModelCheckpoint", "BackupAndRestore"):
        return callback.save_freq != "epoch"
    if owner.__name__ == "TensorBoard":
        return (
            callback.update_freq != "epoch"
            or callback.write_steps_per_second
            or internals.profiles(callback)
        )

    return True
