"""Replaces ops that the converter to TFLite writes in a form that overflows.

TFLite has no softplus. The converter writes log(1 + exp(x)), which is infinite or stays at 88
where x is above 88. TensorFlow's own softplus is right, so a SavedModel keeps it. `log_sigmoid`
and `mish` are made of softplus.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

if TYPE_CHECKING:
    from tensorflow.core.framework.function_pb2 import FunctionDef


def softplus(x: tf.Tensor) -> tf.Tensor:
    """Computes log(1 + exp(x)) as max(x, 0) + log(1 + exp(-|x|)), which never overflows."""
    return tf.maximum(x, 0.0) + tf.math.log(1.0 + tf.exp(-tf.abs(x)))


# By the name of the op: its form for the device, and the name of its output.
_SAFE: dict[str, tuple[Callable[[tf.Tensor], tf.Tensor], str]] = {
    "Softplus": (softplus, "activations")
}


def make_safe(folder: str | os.PathLike[str]) -> None:
    """Rewrites the functions of a SavedModel, those of layers and pieces alike.

    Args:
        folder: the SavedModel, whose file `saved_model.pb` is replaced.
    """
    path = Path(folder) / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    found = False
    for meta in saved.meta_graphs:
        library = meta.graph_def.library
        for op, (form, output) in _SAFE.items():
            if _replace(library.function, op, output):
                library.function.append(_definition(op, form))
                found = True

    if found:
        path.write_bytes(saved.SerializeToString())


def _replace(functions: "Iterable[FunctionDef]", op: str, output: str) -> bool:
    """Makes each op of a kind a call of its safe form; returns True if there was one."""
    found = False
    for function in functions:
        ours = {node.name for node in function.node_def if node.op == op}
        if not ours:
            continue

        found = True
        renamed = {f"{name}:{output}:0": f"{name}:output:0" for name in ours}
        for node in function.node_def:
            for i, source in enumerate(node.input):
                node.input[i] = renamed.get(source, source)
            if node.name in ours:
                _make_call(node, _name(op))
        for port, source in function.ret.items():
            function.ret[port] = renamed.get(source, source)
    return found


def _make_call(node, name):
    """Turns the node of an op of one argument into a call of a function of one argument."""
    node.op = "PartitionedCall"
    dtype = node.attr["T"].type
    del node.attr["T"]
    node.attr["Tin"].list.type.append(dtype)
    node.attr["Tout"].list.type.append(dtype)
    node.attr["f"].func.name = name


def _definition(op, form):
    """Returns the definition of a safe form, which has one argument and the output `output`."""
    traced = tf.function(form, input_signature=[tf.TensorSpec(None)], autograph=False)
    definition = traced.get_concrete_function().function_def
    definition.signature.name = _name(op)
    (argument,) = definition.signature.output_arg
    definition.ret["output"] = definition.ret.pop(argument.name)
    argument.name = "output"
    return definition


def _name(op):
    return f"tfvae_safe_{op.lower()}"
