"""Reads private parts of Keras, each as it is in Keras 3.15.

If one moves in another version, `tests/_keras/test_keras_internals.py` names it.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tfvae._keras.backend import keras

if TYPE_CHECKING:
    import tensorflow as tf


def flatten_layers(model: keras.Layer) -> list[keras.Layer]:
    """Returns a model and all layers within it (`Layer._flatten_layers`)."""
    return list(model._flatten_layers())


def lookup_tables(model: keras.Layer) -> list[Any]:
    """Returns the lookup tables that a model and its layers hold, in lists and modules as well."""
    import tensorflow as tf

    found: dict = {}
    for layer in flatten_layers(model):
        for held in _within(vars(layer)):
            is_root = isinstance(held, tf.__internal__.tracking.Trackable)
            if is_root and not isinstance(held, keras.Layer):
                for each in tf.train.TrackableView(held).descendants():
                    found[id(each)] = each

    kind = tf.saved_model.experimental.TrackableResource
    return [each for each in found.values() if isinstance(each, kind)]


def _within(value):
    """Yields what a container holds, or the value if it is none. A dictionary may have any keys."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        for part in value:
            yield from _within(part)
    else:
        yield value


def names_of(layers: Sequence[keras.Layer]) -> list[str]:
    """Returns the names of layers, the outermost first.

    The graph within a `Sequential` (`Sequential._functional`) is left out, since nobody gave it
    its name.

    Args:
        layers: layers of which each holds the next one.
    """
    pairs = zip([None, *layers], layers)
    return [
        layer.name
        for outer, layer in pairs
        if not (isinstance(outer, keras.Sequential) and outer._functional is layer)
    ]


def is_graph_of_layers(layer: keras.Layer) -> bool:
    """Returns True for a functional or a built `Sequential` model with Keras' own `call`."""
    call = getattr(type(layer), "call", None)
    own = getattr(call, "__module__", "").startswith("keras.")
    return own and isinstance(layer, keras.Model) and bool(getattr(layer, "outputs", None))


def producer(tensor: keras.KerasTensor) -> tuple[Any, list[keras.KerasTensor]]:
    """Returns what made a symbolic tensor (`KerasTensor._keras_history`).

    Args:
        tensor: a tensor of a functional model.

    Returns:
        (operation, inputs): a layer or an operation of `keras.ops`, and the tensors it was given.
    """
    history = tensor._keras_history
    node = history.operation._inbound_nodes[history.node_index]
    return history.operation, list(node.input_tensors)


def dtype_policy(layer: keras.Layer) -> keras.DTypePolicy:
    """Returns the policy that a layer was given, or a map of them (`Layer._dtype_policy`)."""
    return layer._dtype_policy


def set_dtype_policy(layer: keras.Layer, policy: keras.DTypePolicy) -> None:
    """Replaces what `dtype_policy` returns.

    Keras' own setter would change a map that other layers share.

    Args:
        layer: the layer.
        policy: its new policy.
    """
    layer._dtype_policy = policy


def consumers(
    tensor: keras.KerasTensor,
) -> Iterator[tuple[Any, int, list[keras.KerasTensor]]]:
    """Yields what takes a symbolic tensor (`Operation._outbound_nodes`).

    Args:
        tensor: a tensor of a functional model.

    Yields:
        (operation, position, outputs): a layer or an operation, the position of the tensor among
        its inputs, and the tensors it makes of them.
    """
    for node in tensor._keras_history.operation._outbound_nodes:
        for position, given in enumerate(node.input_tensors):
            if given is tensor:
                yield node.operation, position, list(node.output_tensors)


def penalties(layer: keras.Layer) -> "list[tf.Tensor]":
    """Returns the list in which a layer keeps the penalties of its last call (`Layer._losses`)."""
    return layer._losses


def supports_jit(model: keras.Layer) -> bool:
    """Returns True unless a layer of a model says XLA cannot compile it (`Layer.supports_jit`)."""
    return all(getattr(layer, "supports_jit", True) for layer in flatten_layers(model))


def first_epoch(model: keras.Model, stated: int) -> int:
    """Returns the epoch to begin with.

    `BackupAndRestore.on_train_begin` writes `Model._initial_epoch`, which Keras' own `fit` reads.

    Args:
        model: the model that is trained.
        stated: the `initial_epoch` that was passed to `fit`, used if the callback wrote none.
    """
    return getattr(model, "_initial_epoch", None) or stated


def metrics_in_order(model: keras.Model, logs: dict[str, Any]) -> Any:
    """Returns logs as `evaluate` returns them (`Trainer._flatten_metrics_in_order`).

    Args:
        model: the model that was evaluated.
        logs: its metrics by name.

    Returns:
        A list of numbers, or one number if there is only one.
    """
    return model._flatten_metrics_in_order(logs)


def build(model: keras.Model, element_spec: Any) -> None:
    """Builds a model, its metrics and its optimizer for a batch (`Trainer._symbolic_build`).

    Args:
        model: a compiled Keras model.
        element_spec: the `tf.TensorSpec`s of a batch: x, (x, y) or (x, y, sample_weight).
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(element_spec)
    model._symbolic_build(data_batch=(x, y, sample_weight))


def epoch_logs(model: keras.Model, logs: dict[str, Any]) -> dict[str, Any]:
    """Returns the logs of an epoch (`Trainer._get_metrics_result_or_logs`).

    Args:
        model: the model that was trained or evaluated.
        logs: the values that the last step returned, by name.

    Returns:
        The model's metrics, or `logs` if those have other names.
    """
    return model._get_metrics_result_or_logs(logs)


def update_counter(optimizer: keras.optimizers.Optimizer) -> keras.Variable:
    """Returns the variable that counts an optimizer's steps (`Optimizer._iterations`)."""
    return optimizer._iterations


def adam_moments(
    optimizer: keras.optimizers.Adam, variable: keras.Variable
) -> tuple[keras.Variable, keras.Variable]:
    """Returns Adam's two moments of a variable (`Adam._momentums`, `Adam._velocities`).

    Both are lists, in the order that `Optimizer._get_variable_index` gives.

    Args:
        optimizer: an Adam optimizer that is built.
        variable: one of the variables that it updates.

    Returns:
        (first moment, second moment).
    """
    index = optimizer._get_variable_index(variable)
    return optimizer._momentums[index], optimizer._velocities[index]


def strategy_of_optimizer(optimizer: keras.optimizers.Optimizer) -> "tf.distribute.Strategy":
    """Returns the strategy in whose scope one was made (`TFOptimizer._distribution_strategy`)."""
    return optimizer._distribution_strategy


def has_workers(strategy: "tf.distribute.Strategy") -> bool:
    """Returns True for several processes (TensorFlow's `_in_multi_worker_mode`).

    Args:
        strategy: a `MirroredStrategy` or `MultiWorkerMirroredStrategy`.
    """
    return bool(strategy.extended._in_multi_worker_mode())


@contextlib.contextmanager
def updates_outside_replicas(strategy: "tf.distribute.Strategy") -> Iterator[None]:
    """Lets an optimizer update the weights of all replicas at once, outside of them.

    A Keras optimizer merges its updates by `maybe_merge_call`, which only replicas can do, unless
    the strategy says that it needs no merge (`StrategyExtended._use_merge_call`).

    Args:
        strategy: a `MirroredStrategy` or `MultiWorkerMirroredStrategy`.
    """
    strategy.extended._use_merge_call = lambda: False
    try:
        yield
    finally:
        del strategy.extended._use_merge_call


def program(function: Callable[..., Any], **options: Any) -> Any:
    """Returns a `tf.function` of whose traces TensorFlow does not warn, and whose stacks are short.

    TensorFlow takes a function that several models or sizes have each for themselves for one that
    is made anew in a loop.

    Args:
        function: the function, of tensors.
        options: those of `tf.function`, such as `jit_compile`.
    """
    import tensorflow as tf

    from tfvae._keras import stack_traces

    traced = tf.function(stack_traces.shorten(function), autograph=False, **options)
    traced._omit_frequent_tracing_warning = True
    return traced


def last_program(function: Callable[..., Any], **options: Any) -> Any:
    """Returns a `program` that nobody differentiates, and whose graphs go when it goes.

    Args:
        function: the function, of tensors.
        options: those of `tf.function`.
    """
    import tensorflow as tf

    from tfvae._keras import custom_gradients

    @functools.wraps(function)
    def traced(*arguments):
        result = function(*arguments)
        custom_gradients.hold_by_graphs(tf.compat.v1.get_default_graph())
        return result

    return program(traced, **options)


def profiles(tensorboard: keras.callbacks.TensorBoard) -> bool:
    """Returns True if a `TensorBoard` callback profiles batches (`TensorBoard._should_trace`)."""
    return bool(tensorboard._should_trace)


def choose_direction(callback: keras.callbacks.Callback) -> None:
    """Makes a callback that monitors a metric choose whether less or more of it is better.

    `MonitorCallback._set_monitor_op` also changes the sign of `min_delta`. The callback itself
    calls it at the end of its first epoch.

    Args:
        callback: the callback. One that monitors nothing, or has chosen already, stays as it is.
    """
    if getattr(callback, "monitor_op", True) is None:
        callback._set_monitor_op()


def tell_direction(callback: keras.callbacks.Callback, directions: dict[str, str]) -> None:
    """Tells a callback which way a metric gets better, where Keras knows of its own metrics only.

    Args:
        callback: the callback. One that monitors another metric, or whose mode is not "auto",
            stays as it is.
        directions: "max" or "min" by the name of a metric.
    """
    monitor = getattr(callback, "monitor", None)
    name = monitor.removeprefix("val_") if isinstance(monitor, str) else None
    automatic = getattr(callback, "mode", None) == "auto"
    if name in directions and automatic and getattr(callback, "monitor_op", True) is None:
        callback.mode = directions[name]
        callback._set_monitor_op()
        callback.mode = "auto"
