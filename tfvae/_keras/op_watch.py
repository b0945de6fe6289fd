"""Finds which layers make an op, in the graph of a function. Reads `FuncGraph` of TensorFlow."""

import inspect
from collections.abc import Callable, Collection, Sequence
from typing import Any

import tensorflow as tf

from tfvae._keras.backend import keras


def makers(
    function: Callable[..., Any], specs: Sequence[tf.TensorSpec], ops: Collection[str]
) -> dict[str, list[tuple[keras.Layer, ...]]]:
    """Traces a function, and returns the layers that were being called as each op was made.

    Args:
        function: takes one tensor of each spec.
        specs: shapes and dtypes of its inputs.
        ops: names of ops, such as `Igamma` or `RANDOM_UNIFORM`, see `plain`.

    Returns:
        `{plain name of an op: [(outermost layer, ..., innermost layer), ...]}`, one entry for each
        time it was made. Empty where the function cannot be traced like this.
    """
    graph = _Watching({plain(op) for op in ops})
    try:
        with graph.as_default():
            function(*(tf.compat.v1.placeholder(spec.dtype, spec.shape) for spec in specs))
    except Exception:  # as of layers that need AutoGraph; their names are only a help
        return graph.found
    return graph.found


def plain(op: str) -> str:
    """Returns one name for the op that TensorFlow and TFLite write in different ways."""
    return op.replace("_", "").lower()


class _Watching(tf.__internal__.FuncGraph):
    """A graph that notes who makes ops of some kinds.

    Attributes:
        found: what `makers` returns.
    """

    def __init__(self, sought: set[str]) -> None:
        """Starts an empty graph that watches for the ops `sought`, by their plain names."""
        super().__init__("watching")
        self.sought = sought
        self.found: dict[str, list[tuple[keras.Layer, ...]]] = {}

    def _create_op_internal(self, op_type, *args, **kwargs):
        if plain(op_type) in self.sought:
            self.found.setdefault(plain(op_type), []).append(_layers_on_the_stack())
        return super()._create_op_internal(op_type, *args, **kwargs)


def _layers_on_the_stack():
    """Returns the layers whose methods are running in this thread, the outermost first."""
    found: list = []
    frame = inspect.currentframe()
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, keras.layers.Layer) and owner not in found:
            found.insert(0, owner)
        frame = frame.f_back
    return tuple(found)
