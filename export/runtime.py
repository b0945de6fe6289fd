"""Runs the signatures of a file: LiteRT's interpreter or its compiled model, else TensorFlow's interpreter."""

import numpy as np

from tfvae.errors import invalid


class InterpreterRuntime:
    """`run(signature, {input: array}) -> {output: array}` by the interpreter."""

    def __init__(self, model):
        self._interpreter = _interpreter_class()(model_content=model)
        self._runners: dict = {}

    def run(self, signature, inputs):
        if signature not in self._runners:
            self._runners[signature] = self._interpreter.get_signature_runner(signature)
        return self._runners[signature](**inputs)


class CompiledRuntime:
    """The same by LiteRT's `CompiledModel` on the CPU.

    Raises:
        InputError: a machine without ai-edge-litert.
    """

    def __init__(self, model):
        try:
            from ai_edge_litert.compiled_model import CompiledModel
        except ImportError as error:
            raise _no_runtime(
                "ai-edge-litert, which has the compiled model, is not installed"
            ) from error
        self._bytes = model  # which the compiled model reads from
        self._model = CompiledModel.from_buffer(model)
        self._outputs: dict = {}

    def run(self, signature, inputs):
        given = {name: self._filled(signature, name, array) for name, array in inputs.items()}
        wanted = {
            name: (self._model.create_output_buffer_by_name(signature, name), details)
            for name, details in self._model.get_output_tensor_details(signature).items()
        }
        self._model.run_by_name(
            signature, given, {name: buffer for name, (buffer, _) in wanted.items()}
        )
        return {name: _read(buffer, details) for name, (buffer, details) in wanted.items()}

    def _filled(self, signature, name, array):
        buffer = self._model.create_input_buffer_by_name(signature, name)
        buffer.write(np.ascontiguousarray(array))
        return buffer


def run_part(models, parts, name, inputs):
    """The outputs of a part's own file for rows of any number, `{output: array}`: how parts are measured.

    Args:
        models, parts: as `quantize.convert_parts` gives and takes them.
        inputs: `{input: [N, ...]}`.
    """
    batch = parts[name].specs[0].shape[0]
    runtime = InterpreterRuntime(models[name])
    length = len(next(iter(inputs.values())))
    pages = []
    for first in range(0, length, batch):
        rows = np.arange(first, first + batch) % length
        page = {
            spec.name: inputs[spec.name][rows].astype(spec.dtype.as_numpy_dtype)
            for spec in parts[name].specs
        }
        pages.append(runtime.run(name, page))
    return {key: np.concatenate([page[key] for page in pages])[:length] for key in pages[0]}


def _read(buffer, details):
    shape = [int(n) for n in details["shape"]]
    return buffer.read(int(np.prod(shape)), np.dtype(details["dtype"])).reshape(shape)


def _interpreter_class():
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            import tensorflow
        except ImportError as error:
            raise _no_runtime("neither ai-edge-litert nor TensorFlow is installed") from error
        return tensorflow.lite.Interpreter
    return Interpreter


def _no_runtime(received):
    return invalid("LiteRT to run the file with", received, "pip install ai-edge-litert")
