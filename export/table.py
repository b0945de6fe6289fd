"""Means of an int8 decoder's output by a table, so that they are the same on every machine.

An int8 output has 256 values. A sigmoid of them in float32 would differ in its last bits
from one processor to the next, and one in int8 would end at 0.996.
"""

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

_LEVELS = np.arange(-128, 128)


def looked_up(likelihood, mean, data, decoder):
    """The part `mean` as a lookup, or as it is where that cannot be.

    Args:
        likelihood: of the model.
        mean: the part.
        data: the file of the part `decoder`, of the same batch size.
    """
    values = _output_values(data, decoder) if likelihood.elementwise else None
    if values is None:
        return mean
    table = tf.constant(np.asarray(likelihood.mean(tf.constant(values)), np.float32))

    def lookup(inputs):
        index = tf.cast(
            tf.round((inputs["params"] - values[0]) / (values[1] - values[0])), tf.int32
        )
        return {"x": tf.gather(table, index)}

    return mean._replace(function=lookup)


def _output_values(data, name):
    """The 256 values of a part's output, or None where it is not the DEQUANTIZE of an int8 tensor."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    definition = next(s for s in model.signatureDefs if s.signatureKey == name.encode())
    graph = model.subgraphs[definition.subgraphIndex]
    (output,) = [port.tensorIndex for port in definition.outputs]
    (operator,) = [operator for operator in graph.operators if output in operator.outputs]
    source = graph.tensors[operator.inputs[0]]
    if source.type != schema.TensorType.INT8 or source.quantization is None:
        return None
    scale, zero = np.float32(source.quantization.scale[0]), source.quantization.zeroPoint[0]
    return (scale * (_LEVELS - zero).astype(np.float32)).astype(np.float32)
