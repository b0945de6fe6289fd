"""Runs the signatures of a file with LiteRT, or with TensorFlow if LiteRT is not installed."""

from typing import TYPE_CHECKING

import numpy as np

from tfvae.errors import InputError, invalid
from tfvae.export.schema import Ports

if TYPE_CHECKING:
    from tfvae.export.signatures import Part


class _Runtime:
    """Runs signatures, one after the other."""

    def run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
            signature: its name.
            inputs: its inputs by name, of the static shapes and dtypes of the file.

        Returns:
            Its outputs by name.
        """
        raise NotImplementedError

    def run_all(
        self, calls: list[tuple[str, dict[str, np.ndarray]]], counts: list[int]
    ) -> dict[str, np.ndarray]:
        """Runs signatures of one kind and any batch sizes in order, and joins their outputs.

        Args:
            calls: the signatures and their inputs, as `run` takes them.
            counts: how many of the rows of each are wanted, the first ones.

        Returns:
            The outputs by name.
        """
        pages = [self.run(signature, inputs) for signature, inputs in calls]
        return {
            key: np.concatenate([page[key][:count] for page, count in zip(pages, counts)])
            for key in pages[0]
        }


class InterpreterRuntime(_Runtime):
    """Runs signatures with LiteRT's interpreter, or TensorFlow's if LiteRT is not installed.

    Args:
        model: the bytes of a `.tflite` file.

    Raises:
        InputError: neither of the two is installed.
    """

    def __init__(self, model: bytes) -> None:
        """Loads the file."""
        self._interpreter = _interpreter_class()(model_content=model)
        self._runners: dict = {}

    def run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
            signature: its name.
            inputs: its inputs by name, of the static shapes and dtypes of the file.

        Returns:
            Its outputs by name.
        """
        return self._runner(signature)(**inputs)

    def ports(self) -> dict[str, Ports]:
        """Returns the inputs and outputs of every signature of the file."""
        found = {}
        for name in self._interpreter.get_signature_list():
            runner = self._runner(name)
            sides = (runner.get_input_details(), runner.get_output_details())
            found[name] = Ports(*map(_shapes, sides))
        return found

    def _runner(self, signature):
        if signature not in self._runners:
            self._runners[signature] = self._interpreter.get_signature_runner(signature)
        return self._runners[signature]


class CompiledRuntime(_Runtime):
    """Runs signatures with LiteRT's `CompiledModel` on the CPU.

    Args:
        model: the bytes of a `.tflite` file.

    Raises:
        InputError: ai-edge-litert is not installed.
    """

    def __init__(self, model: bytes) -> None:
        """Compiles the file."""
        try:
            from ai_edge_litert.compiled_model import CompiledModel
        except ImportError as error:
            raise _no_runtime(
                "ai-edge-litert, which has the compiled model, is not installed"
            ) from error

        self._bytes = model  # kept, since the compiled model reads from it
        self._model = CompiledModel.from_buffer(model)
        self._outputs: dict = {}

    def run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
            signature: its name.
            inputs: its inputs by name, of the static shapes and dtypes of the file.

        Returns:
            Its outputs by name.
        """
        given = {name: self._filled(signature, name, array) for name, array in inputs.items()}
        wanted = {
            name: (self._model.create_output_buffer_by_name(signature, name), details)
            for name, details in self._model.get_output_tensor_details(signature).items()
        }

        self._model.run_by_name(
            signature, given, {name: buffer for name, (buffer, _) in wanted.items()}
        )
        return {name: _read(buffer, details) for name, (buffer, details) in wanted.items()}

    def ports(self) -> dict[str, Ports]:
        """Returns the inputs and outputs of every signature of the file."""
        return {
            name: Ports(
                _shapes(self._model.get_input_tensor_details(name)),
                _shapes(self._model.get_output_tensor_details(name)),
            )
            for name in self._model.get_signature_list()
        }

    def _filled(self, signature, name, array):
        """Returns a new buffer for an input, with the array in it."""
        buffer = self._model.create_input_buffer_by_name(signature, name)
        buffer.write(np.ascontiguousarray(array))
        return buffer


def opened(model: bytes, name: str, compiled: bool = False) -> tuple[_Runtime, dict[str, Ports]]:
    """Loads a file, and returns what runs it, and its inputs and outputs.

    Args:
        model: the bytes of the `.tflite`.
        name: its path, for a message.
        compiled: True for `CompiledRuntime`.

    Raises:
        InputError: bytes that LiteRT refuses, or no LiteRT.
    """
    try:
        runtime = CompiledRuntime(model) if compiled else InterpreterRuntime(model)
        return runtime, runtime.ports()
    except InputError:
        raise
    except Exception as error:
        raise unusable(name, error) from error


def unusable(name: str, error: Exception) -> Exception:
    """Returns the `InputError` of a file for which LiteRT or TensorFlow raised an error.

    Args:
        name: the path of the file.
        error: what was raised.
    """
    reason = f"{type(error).__name__}: {str(error).strip()[:200]}"
    return invalid(f"{name} to be a .tflite file that LiteRT runs", reason, "export it again")


def run_part(
    models: dict[str, bytes],
    parts: dict[str, "Part"],
    name: str,
    inputs: dict[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Runs a part in its own file, to measure it.

    Args:
        models: the files of the parts, as `quantize.convert_parts` returns them.
        parts: the parts by name.
        name: the part to run.
        inputs: its inputs by name, `[N, ...]` for any N from 1.

    Returns:
        Its outputs by name, `[N, ...]`.
    """
    batch = parts[name].specs[0].shape[0]
    length = len(next(iter(inputs.values())))

    calls, counts = [], []
    for first in range(0, length, batch):
        rows = np.arange(first, first + batch) % length
        page = {
            spec.name: inputs[spec.name][rows].astype(spec.dtype.as_numpy_dtype)
            for spec in parts[name].specs
        }
        calls.append((name, page))
        counts.append(min(batch, length - first))

    return InterpreterRuntime(models[name]).run_all(calls, counts)


def _shapes(details):
    return {name: [int(n) for n in port["shape"]] for name, port in details.items()}


def _read(buffer, details):
    """Returns the content of an output buffer as an array of its shape and dtype."""
    shape = [int(n) for n in details["shape"]]
    return buffer.read(int(np.prod(shape)), np.dtype(details["dtype"])).reshape(shape)


def _interpreter_class():
    """Finds the interpreter of LiteRT, or of TensorFlow."""
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
