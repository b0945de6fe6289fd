"""Makes one TFLite file from the files of several parts.

The converter turns every part into a subgraph. A signature is a new subgraph with copies of the
operators of its parts, chained from one part to the next. All signatures share the weights.
"""

import copy
import hashlib
from typing import TYPE_CHECKING

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

import tfvae.export.flatbuffer as flatbuffer

if TYPE_CHECKING:
    from tfvae.export.signatures import Signature

# Operators that run other subgraphs: the type of their options, and the fields with the indices.
_SUBGRAPHS_OF = {
    "WhileOptionsT": ("condSubgraphIndex", "bodySubgraphIndex"),
    "IfOptionsT": ("thenSubgraphIndex", "elseSubgraphIndex"),
}


def link(models: dict[str, bytes], built: "dict[str, Signature]") -> bytes:
    """Makes one file from the files of the parts.

    Args:
        models: the files of the parts, as `quantize.convert_parts` returns them.
        built: the signatures of the file, by name.

    Returns:
        The bytes of the file.
    """
    linker = Linker(models)
    for name, signature in built.items():
        linker.add(name, signature)
    return linker.to_bytes()


class Linker:
    """Builds one TFLite file, signature by signature.

    Args:
        models: `{part name: bytes of a file}`. The file has the part as a signature of that name.
            One file may hold several parts.

    Attributes:
        model: the tables of the new file, a `schema_py_generated.ModelT`.
    """

    def __init__(self, models: dict[str, bytes]) -> None:
        """Reads the parts, and starts an empty file."""
        read = {data: schema.ModelT.InitFromPackedBuf(data, 0) for data in set(models.values())}
        self._parts = {
            name: (read[data], _signature(read[data], name)) for name, data in models.items()
        }

        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = "tfvae"
        (
            self.model.operatorCodes,
            self.model.subgraphs,
            self.model.signatureDefs,
            self.model.metadata,
        ) = [], [], [], []
        self.model.buffers = [schema.BufferT()]  # the format wants the first one empty

        # Indices in the new file, by content.
        self._codes: dict = {}
        self._buffers: dict = {}
        self._inners: dict = {}

    def add(self, name: str, signature: "Signature") -> None:
        """Adds a signature to the file.

        Args:
            name: the signature's name in the file, such as `sample_16`.
            signature: its inputs, its chain of parts, and its outputs.
        """
        graph = schema.SubGraphT()
        graph.name, graph.tensors, graph.operators = name.encode(), [], []
        self.model.subgraphs.append(graph)

        inputs = {spec.name: _input(graph, spec) for spec in signature.specs}
        values = dict(inputs)
        for step in signature.steps:
            self._append(graph, step, values)

        outputs = {port: values[port] for port in signature.outputs}
        graph.inputs, graph.outputs = (
            np.array(list(ports.values()), np.int32) for ports in (inputs, outputs)
        )
        for port, index in (*inputs.items(), *outputs.items()):
            graph.tensors[index].name = f"{name}_{port}".encode()

        definition = schema.SignatureDefT()
        definition.signatureKey = name.encode()
        definition.subgraphIndex = self.model.subgraphs.index(graph)
        definition.inputs, definition.outputs = _ports(inputs), _ports(outputs)
        self.model.signatureDefs.append(definition)

    def to_bytes(self) -> bytes:
        """Returns the file. Equal parts of its graphs are written once."""
        return flatbuffer.pack(self.model)

    def _append(self, graph, step, values):
        """Copies the operators of a part into `graph`.

        Args:
            graph: the subgraph of the signature.
            step: the part, with the names its inputs and outputs have in the signature.
            values: indices of the signature's tensors, by name. The outputs are added.
        """
        source, definition = self._parts[step.part]
        part = source.subgraphs[definition.subgraphIndex]
        known = {
            port.tensorIndex: values[step.inputs[port.name.decode()]] for port in definition.inputs
        }
        moved = self._copy_tensors(source, part, graph, known)

        for port in definition.outputs:
            values[step.outputs[port.name.decode()]] = moved[port.tensorIndex]
        self._copy_operators(source, part, graph, moved)

    def _copy_tensors(self, source, part, graph, known):
        """Copies the tensors of a part, except the `known` ones. Returns new indices by old."""
        moved = {}
        for index, tensor in enumerate(part.tensors):
            if index in known:
                moved[index] = known[index]
                continue

            tensor = copy.copy(tensor)
            tensor.buffer = self._buffer(source.buffers[tensor.buffer])
            tensor.name = b""  # thousands of long names would take up much of a small file
            moved[index] = len(graph.tensors)
            graph.tensors.append(tensor)
        return moved

    def _copy_operators(self, source, part, graph, moved):
        """Copies the operators of a part. `moved` maps old indices of tensors to new ones."""
        for operator in part.operators:
            operator = copy.copy(operator)
            operator.opcodeIndex = self._code(source.operatorCodes[operator.opcodeIndex])
            for field in ("inputs", "outputs", "intermediates"):
                indices = getattr(operator, field)
                if indices is not None:
                    setattr(
                        operator,
                        field,
                        np.array([moved.get(int(i), -1) for i in indices], np.int32),
                    )

            operator.builtinOptions = self._options(source, operator.builtinOptions)
            graph.operators.append(operator)

    def _options(self, source, options):
        """Returns the options of an operator. Subgraphs that they name are copied as well."""
        fields = _SUBGRAPHS_OF.get(type(options).__name__, ())
        if fields:
            options = copy.copy(options)
        for field in fields:
            setattr(options, field, self._inner(source, getattr(options, field)))
        return options

    def _inner(self, source, index):
        """Returns the index of the copy of a subgraph that a loop or a condition runs.

        Signatures with the same part share the copy.
        """
        if (id(source), index) not in self._inners:
            inner, graph = source.subgraphs[index], schema.SubGraphT()
            graph.name, graph.tensors, graph.operators = b"", [], []
            self._inners[id(source), index] = len(self.model.subgraphs)
            self.model.subgraphs.append(graph)

            moved = self._copy_tensors(source, inner, graph, {})
            self._copy_operators(source, inner, graph, moved)
            graph.inputs, graph.outputs = (
                np.array([moved[int(i)] for i in ports], np.int32)
                for ports in (inner.inputs, inner.outputs)
            )
        return self._inners[id(source), index]

    def _code(self, code):
        """Returns the index of an operator's code in the new file."""
        key = (code.builtinCode, code.deprecatedBuiltinCode, code.version, code.customCode)
        if key not in self._codes:
            self._codes[key] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(code)
        return self._codes[key]

    def _buffer(self, buffer):
        """Returns the index of a buffer with this content.

        Variables and results have no content, and get the empty buffer.
        """
        if buffer.data is None or len(buffer.data) == 0:
            return 0

        data = np.asarray(buffer.data, np.uint8)
        key = hashlib.sha256(data.tobytes()).digest()
        if key not in self._buffers:
            self._buffers[key] = len(self.model.buffers)
            kept = schema.BufferT()
            kept.data = data
            self.model.buffers.append(kept)
        return self._buffers[key]


def _signature(model, name):
    """Finds a signature of a file by its name."""
    return next(s for s in model.signatureDefs if s.signatureKey == name.encode())


def _input(graph, spec):
    """Adds a tensor for an input of a signature, and returns its index."""
    tensor = schema.TensorT()
    tensor.shape = np.array(spec.shape, np.int32)
    tensor.type = schema.TensorType.INT32 if spec.dtype.is_integer else schema.TensorType.FLOAT32
    tensor.buffer = 0
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _ports(indices):
    """Returns the table of a signature's inputs or outputs, from `{name: index of a tensor}`."""
    ports = []
    for name, index in indices.items():
        port = schema.TensorMapT()
        port.name, port.tensorIndex = name.encode(), int(index)
        ports.append(port)
    return ports
