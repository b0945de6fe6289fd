"""Makes one TFLite file of several: chains the graphs of parts, and shares what they have in common.

The converter turns every part into a subgraph; a signature is a new subgraph that holds
copies of the parts' operators, each fed from the one before, over the same weights.
"""

import copy
import hashlib

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from tfvae.export import flatbuffer

# The operators that run other subgraphs, and where their options name them.
_SUBGRAPHS_OF = {
    "WhileOptionsT": ("condSubgraphIndex", "bodySubgraphIndex"),
    "IfOptionsT": ("thenSubgraphIndex", "elseSubgraphIndex"),
}


class Linker:
    """The file being made.

    Args:
        models: `{part name: bytes}`, of files whose signature of that name is the part.
    """

    def __init__(self, models):
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
        self.model.buffers = [schema.BufferT()]  # the first is the empty one
        self._codes: dict = {}
        self._buffers: dict = {}
        self._inners: dict = {}

    def add(self, name, signature):
        """Adds a signature, a chain of parts, under `name`."""
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

    def to_bytes(self):
        """The file, with what its graphs have in common written once."""
        return flatbuffer.pack(self.model)

    def _append(self, graph, step, values):
        """Copies a part's operators into `graph`; `values` are the tensors of the signature by name."""
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
        moved = {}
        for index, tensor in enumerate(part.tensors):
            if index in known:
                moved[index] = known[index]
                continue
            tensor = copy.copy(tensor)
            tensor.buffer = self._buffer(source.buffers[tensor.buffer])
            tensor.name = b""  # thousands of long names are a good part of a small file
            moved[index] = len(graph.tensors)
            graph.tensors.append(tensor)
        return moved

    def _copy_operators(self, source, part, graph, moved):
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
        """Options whose subgraphs have been copied along."""
        fields = _SUBGRAPHS_OF.get(type(options).__name__, ())
        if fields:
            options = copy.copy(options)
        for field in fields:
            setattr(options, field, self._inner(source, getattr(options, field)))
        return options

    def _inner(self, source, index):
        """The index of a copy of the subgraph that a loop runs; signatures with the same part share it."""
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
        key = (code.builtinCode, code.deprecatedBuiltinCode, code.version, code.customCode)
        if key not in self._codes:
            self._codes[key] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(code)
        return self._codes[key]

    def _buffer(self, buffer):
        """The index of a buffer of this content; variables and results have the empty one."""
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
    return next(s for s in model.signatureDefs if s.signatureKey == name.encode())


def _input(graph, spec):
    """A new tensor for an input of a signature."""
    tensor = schema.TensorT()
    tensor.shape = np.array(spec.shape, np.int32)
    tensor.type = schema.TensorType.INT32 if spec.dtype.is_integer else schema.TensorType.FLOAT32
    tensor.buffer = 0
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _ports(indices):
    ports = []
    for name, index in indices.items():
        port = schema.TensorMapT()
        port.name, port.tensorIndex = name.encode(), int(index)
        ports.append(port)
    return ports
