"""Keras' privates that `tfvae/_keras/internals.py` reads: a new version of Keras may move them."""

import inspect
import re

import keras
import pytest
import tensorflow as tf

from tfvae._keras import internals

VERSION = "3.15"  # that all of them were read in


def model():
    inputs = keras.Input((3,))
    made = keras.Model(inputs, keras.layers.Dense(2, activity_regularizer="l2")(inputs))
    made.compile(keras.optimizers.Adam(), "mse")
    made.optimizer.build(made.trainable_variables)
    return made


READ = {
    "Layer._flatten_layers": lambda m: m._flatten_layers,
    "Layer._dtype_policy": lambda m: m.layers[-1]._dtype_policy,
    "Layer._losses": lambda m: m.layers[-1]._losses.clear,
    "Operation._outbound_nodes": lambda m: m.inputs[0]._keras_history.operation._outbound_nodes,
    "KerasTensor._keras_history": lambda m: m.outputs[0]._keras_history.operation._inbound_nodes,
    "Sequential._functional": lambda m: (
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])._functional
    ),
    "Trainer._flatten_metrics_in_order": lambda m: m._flatten_metrics_in_order,
    "Trainer._get_metrics_result_or_logs": lambda m: m._get_metrics_result_or_logs,
    "Trainer._symbolic_build": lambda m: m._symbolic_build,
    "Optimizer._iterations": lambda m: m.optimizer._iterations.assign_add,
    "Optimizer._get_variable_index": lambda m: m.optimizer._get_variable_index,
    "Adam._momentums": lambda m: m.optimizer._momentums[0].value,
    "Adam._velocities": lambda m: m.optimizer._velocities[0].value,
    "MonitorCallback._set_monitor_op": lambda m: keras.callbacks.EarlyStopping()._set_monitor_op,
    "TFOptimizer._distribution_strategy": lambda m: m.optimizer._distribution_strategy,
    "StrategyExtended._use_merge_call": lambda m: (
        m.optimizer._distribution_strategy.extended._use_merge_call
    ),
    "TensorBoard._should_trace": lambda m: [
        keras.callbacks.TensorBoard(profile_batch=2)._should_trace
    ],
}


@pytest.mark.parametrize("name", READ)
def test_a_private_of_keras_is_where_it_was(name):
    try:
        found = READ[name](model())
    except AttributeError:
        pytest.fail(
            f"Keras {keras.__version__} has no {name} as Keras {VERSION} has: "
            "read its source, and change internals.py"
        )
    assert found is not None


def test_every_private_that_is_read_is_asked_for_here():
    """By the names in the docstrings of `internals`.

    `Model._initial_epoch` is absent until a callback writes it.
    """
    told = set(re.findall(r"`(\w+\._\w+)`", inspect.getsource(internals)))
    assert told - {"Model._initial_epoch"} == set(READ)


def test_penalties_are_those_of_the_last_call():
    made = model()
    made(tf.ones([2, 3]))
    assert len(internals.penalties(made.layers[-1])) == 1


def test_the_graph_within_a_sequential_has_no_name_of_its_own():
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")], name="inner")
    found = [inner, inner._functional, inner.layers[-1]]
    assert internals.names_of(found) == ["inner", "dense"]
    assert internals.names_of(found[1:]) == [inner._functional.name, "dense"]
