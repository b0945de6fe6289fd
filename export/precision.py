"""Lets a model of mixed precision compute in float32, and says which arrays a file halves."""

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

# Smaller arrays, such as the scalars of an activation, stay float32 in a float16 file.
HALVED_FROM = 256  # elements
_LOCK = threading.Lock()
_held: dict = {}  # by id of a layer: the layer, its own policy, and how many exports hold it
_without_tf32: list[bool] = []  # of each export under way: whether the program allowed it before


class _InFloat32(keras.DTypePolicy):
    """A policy that computes in float32, with weights of any type."""

    def __init__(self, variable_dtype: str) -> None:
        super().__init__("float32")
        self._weights_dtype = variable_dtype

    @property
    def variable_dtype(self) -> str:
        """The type that the weights have."""
        return self._weights_dtype


@contextlib.contextmanager
def in_float32(vae: "VAE") -> Iterator[None]:
    """Returns a context in which all layers of a model compute in float32, on a GPU as well.

    A GPU would otherwise round the factors of float32 products to 10 bits (TF32), which differs
    from what a phone computes by more than an export allows.

    The layers stay the same objects. A copy would have to be made from configurations, which
    subclassed networks, `Lambda` and unregistered layers do not have, and which forget what two
    layers share. Several threads may export one model at the same time. It should not be trained
    in another thread meanwhile.

    Args:
        vae: the model.
    """
    layers = internals.flatten_layers(vae)
    with _LOCK:
        chosen = [layer for layer in layers if id(layer) in _held or not _is_float32(layer)]
        for layer in chosen:
            entry = _held.setdefault(id(layer), [layer, internals.dtype_policy(layer), 0])
            entry[2] += 1
            internals.set_dtype_policy(layer, _float32_of(layer))
        _forbid_tf32()

    try:
        yield
    finally:
        with _LOCK:
            _allow_tf32()
            for layer in chosen:
                entry = _held[id(layer)]
                entry[2] -= 1
                if entry[2] == 0:
                    internals.set_dtype_policy(layer, entry[1])
                    del _held[id(layer)]


def _forbid_tf32():
    _without_tf32.append(tf.config.experimental.tensor_float_32_execution_enabled())
    tf.config.experimental.enable_tensor_float_32_execution(False)


def _allow_tf32():
    """Puts back what the first of the exports under way found, when the last one ends."""
    before = _without_tf32[0]
    _without_tf32.pop()
    if not _without_tf32:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def _is_float32(layer):
    return layer.compute_dtype in (None, "float32")


def _float32_of(layer):
    """Returns the policy of a layer with float32 in place of what it computes in."""
    if layer.quantization_mode is None:
        return _InFloat32(layer.variable_dtype)
    kind = internals.dtype_policy(layer).name.split("_from_")[0]
    return keras.dtype_policies.get(f"{kind}_from_float32")
