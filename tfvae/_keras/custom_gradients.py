"""Lets TensorFlow forget the custom gradients of graphs that nobody needs any more.

TensorFlow registers the gradient of each `tf.custom_gradient` within a graph for the life of the
process (`ops.gradient_registry`, in TensorFlow 2.21), and keeps the whole graph with it: some
10,000 Python objects and 7 MB for each model that was trained and dropped. Keras' optimizers use
such gradients as well.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import ops

_PREFIX = "CustomGradient-"


def registered() -> dict[str, Callable[..., Any]]:
    """Returns the custom gradients of all graphs by their names."""
    entries = dict(ops.gradient_registry._registry)  # a copy, since other threads add to it
    return {name: entry["type"] for name, entry in entries.items() if name.startswith(_PREFIX)}


def within(graph: Any) -> list[str]:
    """Returns the names of those that belong to a graph or to one within it.

    Args:
        graph: a `FuncGraph`.
    """
    found = registered().items()
    return [name for name, gradient in found if _is_within(_graph_of(gradient), graph)]


def forget(names: Iterable[str]) -> None:
    """Removes registered gradients, so that nothing can be differentiated through their graphs.

    Args:
        names: as `registered` or `within` returns them.
    """
    for name in names:
        ops.gradient_registry._registry.pop(name, None)


def _graph_of(gradient):
    """Returns the graph whose tensors a registered gradient was made for, or None."""
    inner = inspect.getclosurevars(gradient).nonlocals.get("tape_grad_fn")
    if inner is None:
        return None
    results = tf.nest.flatten(inspect.getclosurevars(inner).nonlocals.get("result"))
    return next((tensor.graph for tensor in results if tf.is_symbolic_tensor(tensor)), None)


def _is_within(graph, outer):
    while graph is not None and graph is not outer:
        graph = getattr(graph, "outer_graph", None)
    return graph is not None
