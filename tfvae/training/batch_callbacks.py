"""Which callbacks act on single batches, and so need steps that run one in a call."""

import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras

_TRAIN_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
_TEST_HOOKS = ("on_test_batch_begin", "on_test_batch_end")


def acts_on_batches(callbacks, training):
    """Returns True if one of the callbacks does something at a batch of training, or of a test.

    Keras' own callbacks do where their arguments say so; any other does if it has a hook.
    """
    hooks = _TRAIN_HOOKS if training else _TEST_HOOKS
    return any(_acts(callback, hooks) for callback in _flat(callbacks))


def handles_nan(callbacks):
    """Returns True if one of the callbacks is Keras' own for a loss that is not finite."""
    return any(
        isinstance(callback, keras.callbacks.TerminateOnNaN) for callback in _flat(callbacks)
    )


def _flat(callbacks):
    """The callbacks that `fit` was given, those within a `CallbackList` among them."""
    for callback in tf.nest.flatten(callbacks or []):
        if isinstance(callback, keras.callbacks.CallbackList):
            yield from _flat([*callback.callbacks])
        else:
            yield callback


def _acts(callback, hooks):
    own = [hook for hook in hooks if _defines(callback, hook)]
    if any(_owner(callback, hook) is None for hook in own):
        return True

    owners = {_owner(callback, hook) for hook in own}
    return any(_acts_by_arguments(callback, owner) for owner in owners)


def _defines(callback, hook):
    return hook in vars(callback) or _class_of(callback, hook) is not keras.callbacks.Callback


def _owner(callback, hook):
    """The class of Keras' that has a hook, or None where it is the user's."""
    owner = _class_of(callback, hook)
    if hook in vars(callback) or not owner.__module__.startswith("keras."):
        return None
    return owner


def _class_of(callback, hook):
    return next((c for c in type(callback).__mro__ if hook in vars(c)), keras.callbacks.Callback)


def _acts_by_arguments(callback, owner):
    """Whether a callback of Keras' acts on batches, as it was made."""
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
