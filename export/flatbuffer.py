"""Writes the bytes of a TFLite file, every equal table and vector of it once.

The hundreds of integer ops of the random stream have operands of one shape and one
type, in each signature again: written apart, as the converter does, they are most of
a small file.
"""

import flatbuffers
import numpy as np

_ALIGNMENT = 16  # of weights, as the schema asks


def pack(model):
    """The bytes of a `schema_py_generated.ModelT`, whose tables are replaced by shared ones."""
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.shapeSignature = None  # batches are static
            if tensor.quantization is not None and tensor.quantization.scale is None:
                tensor.quantization = None
            tensor.quantization = _shared(tensor.quantization)
        for operator in graph.operators:
            operator.builtinOptions = _shared(operator.builtinOptions)
        # `sample` and `draw` begin with the same operators on the same tensors.
        graph.operators = [_shared(operator) for operator in graph.operators]
        graph.tensors = [_shared(tensor) for tensor in graph.tensors]
    builder = _Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


class _Builder(flatbuffers.Builder):
    """A builder that remembers what it has written."""

    def __init__(self, size):
        super().__init__(size)
        self.written: dict = {}

    def CreateNumpyVector(self, x):
        key = (x.dtype.str, x.tobytes())
        if key not in self.written:
            self.written[key] = (
                self._bytes(x) if x.dtype == np.uint8 else super().CreateNumpyVector(x)
            )
        return self.written[key]

    def _bytes(self, x):
        self.StartVector(1, x.size, _ALIGNMENT)
        self.head = self.Head() - x.size
        self.Bytes[self.Head() : self.Head() + x.size] = x.tobytes()
        self.vectorNumElems = x.size
        return self.EndVector()


class _Shared:
    """A table that is written where its first equal was."""

    def __init__(self, table):
        self.table, self.key = table, _content(table)

    def Pack(self, builder):
        if self.key not in builder.written:
            builder.written[self.key] = self.table.Pack(builder)
        return builder.written[self.key]


def _shared(table):
    return table if table is None or isinstance(table, _Shared) else _Shared(table)


def _content(value):
    """A hashable copy of a table."""
    if isinstance(value, _Shared):
        return value.key
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.tobytes()
    if isinstance(value, list):
        return tuple(_content(item) for item in value)
    if hasattr(value, "__dict__"):
        return type(value).__name__, tuple(
            (name, _content(field)) for name, field in vars(value).items()
        )
    return value
