"""Writes the bytes of a TFLite file, and stores equal tables and vectors once.

The random stream takes hundreds of integer operators. Their operands have one shape and one
type, and every signature repeats them. The converter writes each of them again, and together
they are most of a small file.
"""

from typing import TYPE_CHECKING, Any

import flatbuffers
import numpy as np

if TYPE_CHECKING:
    from tensorflow.lite.python import schema_py_generated as schema

_ALIGNMENT = 16  # bytes, which the TFLite schema asks for in weights


def pack(model: "schema.ModelT") -> bytes:
    """Returns the bytes of a TFLite model.

    Args:
        model: the tables of the file. Their parts are replaced by shared ones in place.
    """
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            # Loops hold tensors of lengths that are known only as they run, marked by -1. All
            # other shapes are static, and are written once.
            signature = tensor.shapeSignature
            if signature is not None and np.min(signature, initial=0) >= 0:
                tensor.shapeSignature = None
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
    """A builder that writes equal vectors once.

    Attributes:
        written: positions in the file, by the content of vectors and tables.
    """

    def __init__(self, size: int) -> None:
        """Starts an empty file, with room for `size` bytes."""
        super().__init__(size)
        self.written: dict = {}

    def CreateNumpyVector(self, x: np.ndarray) -> int:
        """Returns the position of a vector, which is written unless an equal one was."""
        key = (x.dtype.str, x.tobytes())
        if key not in self.written:
            self.written[key] = (
                self._bytes(x) if x.dtype == np.uint8 else super().CreateNumpyVector(x)
            )
        return self.written[key]

    def _bytes(self, x):
        """Writes a vector of bytes, aligned as the schema asks."""
        self.StartVector(1, x.size, _ALIGNMENT)
        self.head = self.Head() - x.size
        self.Bytes[self.Head() : self.Head() + x.size] = x.tobytes()
        self.vectorNumElems = x.size
        return self.EndVector()


class _Shared:
    """A table that is written once for all its equals."""

    def __init__(self, table: Any) -> None:
        """Wraps `table`, a generated class of the schema."""
        self.table, self.key = table, _content(table)

    def Pack(self, builder: _Builder) -> int:
        """Returns the position of the table, which is written unless an equal one was."""
        if self.key not in builder.written:
            builder.written[self.key] = self.table.Pack(builder)
        return builder.written[self.key]


def _shared(table):
    return table if table is None or isinstance(table, _Shared) else _Shared(table)


def _content(value):
    """Returns a hashable copy of a table."""
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
