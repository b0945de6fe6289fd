"""Lets graphs go that TensorFlow would keep for their custom gradients.

TensorFlow registers the gradient of each `tf.custom_gradient` within a graph for the life of the
process (`ops.gradient_registry`, in TensorFlow 2.21), and with it the whole graph: some 10,000
Python objects and 7 MB for each model that was trained and dropped. Keras' optimizers use such
gradients as well. Here the graph holds the gradient, and the registry finds it there.
"""

import weakref
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import ops

_PREFIX = "CustomGradient-"
_HELD = "_tfvae_custom_gradients"  # the attribute of a graph: its gradients by name


def registered() -> dict[str, Any]:
    """Returns the custom gradients of all graphs by their names."""
    entries = dict(ops.gradient_registry._registry)  # a copy, since other threads add to it
    return {name: entry["type"] for name, entry in entries.items() if name.startswith(_PREFIX)}


def hold_by_graphs(within: Any = None) -> None:
    """Makes graphs hold their custom gradients, which go with them.

    Args:
        within: a `FuncGraph`, for those that belong to it or to a graph within it. None for all.
    """
    for name, gradient in registered().items():
        graph = _graph_of(gradient)
        if graph is not None and (within is None or _is_within(graph, within)):
            _hold(graph, name, gradient)


def _hold(graph, name, gradient):
    if not hasattr(graph, _HELD):
        setattr(graph, _HELD, {})
    getattr(graph, _HELD)[name] = gradient
    found = weakref.ref(graph)

    def of_graph(op, *upstream):
        return getattr(found(), _HELD)[name](op, *upstream)

    registry = ops.gradient_registry._registry
    registry[name]["type"] = of_graph
    weakref.finalize(graph, registry.pop, name, None).atexit = False


def _graph_of(gradient):
    """Returns the graph whose tensors a registered gradient was made for, or None."""
    results = tf.nest.flatten(_closed_over(_closed_over(gradient, "tape_grad_fn"), "result"))
    return next((tensor.graph for tensor in results if tf.is_symbolic_tensor(tensor)), None)


def _closed_over(function, name):
    """Returns the value of a variable that a function closes over, or None."""
    code = getattr(function, "__code__", None)
    cells = dict(zip(code.co_freevars, function.__closure__ or ())) if code else {}
    return cells[name].cell_contents if name in cells else None


def _is_within(graph, outer):
    while graph is not None and graph is not outer:
        graph = getattr(graph, "outer_graph", None)
    return graph is not None
