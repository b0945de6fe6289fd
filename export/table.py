"""Reads the means of p(x|z) from a table, for a decoder whose output is int8.

An int8 output has 256 values. Their sigmoid in float32 would differ in its last bits from one
processor to the next, and their sigmoid in int8 would end at 0.996. The table gives the same
means on every machine.
"""

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

if TYPE_CHECKING:
    from tfvae.export.signatures import Part
    from tfvae.likelihoods.base import Likelihood

_LEVELS = np.arange(-128, 128)  # the values of an int8


def as_lookup_table(likelihood: "Likelihood", mean: "Part", data: bytes, decoder: str) -> "Part":
    """Replaces the part `mean` by a lookup in a table.

    Args:
        likelihood: the likelihood of the model.
        mean: the part to replace.
        data: the bytes of the decoder's file, of the same batch size.
        decoder: the name of the decoder part in that file.

    Returns:
        The new part, or `mean` itself if an element of the mean takes several numbers of the
        decoder's output, or if that output is not int8.
    """
    values = _output_values(data, decoder) if likelihood.mean_is_elementwise else None
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
    """Returns the 256 values of a part's output, float32 in rising order.

    Returns None unless the output is an int8 tensor, turned into float32 by one operator.
    """
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
