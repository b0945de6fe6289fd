"""Converts the parts of a model, and makes the two networks among them smaller.

Only the networks are quantized. Everything random stays in float32, so that z is the same in
every file. The parts that follow the networks stay in float32 as well.
"""

import copy
import tempfile
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

import tfvae.export.flatbuffer as flatbuffer
import tfvae.export.refused_ops as refused_ops
import tfvae.export.safe_ops as safe_ops
import tfvae.export.signatures as signatures
import tfvae.export.table as table
from tfvae.export.precision import HALVED_FROM
from tfvae.export.saved_model import write_archive

if TYPE_CHECKING:
    from tfvae.models.vae import VAE


def convert_parts(
    vae: "VAE",
    parts: dict[str, signatures.Part],
    quantization: str | None,
    calibration: dict[str, list[dict[str, np.ndarray]]],
) -> dict[str, bytes]:
    """Converts all parts of a model to TFLite.

    Args:
        vae: the model, in float32.
        parts: the parts of all batch sizes, by name.
        quantization: of the networks, one of `call_arguments.QUANTIZATIONS`.
        calibration: for int8 the inputs of each network part, as `examples.calibration` returns
            them.

    Returns:
        `{part name: bytes of a file}`. Several parts may be in one file.

    Raises:
        InputError: an op that does not exist on the device, named.
    """
    networks = {name: part for name, part in parts.items() if part.network}

    if quantization is None or quantization == "float16":
        plain = _convert(vae, parts)
        found = dict.fromkeys(parts, plain)
        if quantization == "float16":
            halved = _halve(plain, networks)
            found.update(dict.fromkeys(networks, halved))
        return found

    found = {}
    for name, part in networks.items():
        found[name] = _convert(
            vae,
            {name: part},
            calibration.get(name) if quantization == "int8" else None,
            optimize=True,
        )

    rest = {name: part for name, part in parts.items() if not part.network}
    if quantization == "int8":
        for name in [name for name in rest if name.split("@")[0] == "mean"]:
            decoder = name.replace("mean", "decoder")
            rest[name] = table.as_lookup_table(vae.likelihood, rest[name], found[decoder], decoder)
    return {**found, **dict.fromkeys(rest, _convert(vae, rest))}


def _convert(vae, parts, examples=None, *, optimize=False):
    """Converts parts into one file.

    Args:
        vae: the model.
        parts: the parts by name; one if there are examples.
        examples: inputs to calibrate int8 with, or None.
        optimize: True to store the weights in 8 bits.
    """
    functions = {
        name: (signatures.part_as_function(part), part.specs) for name, part in parts.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        write_archive(vae, folder, functions)
        safe_ops.make_safe(folder)
        # Without the keys, the alias `serving_default` is converted as well.
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(functions))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]

        if optimize:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            # One scale for a dense layer. Some delegates know nothing else, and a scale per
            # output would take up much of a small file.
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        if examples is not None:
            (name,) = parts
            converter.representative_dataset = lambda: ((name, example) for example in examples)
            converter.target_spec.supported_ops = [
                tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
                tf.lite.OpsSet.TFLITE_BUILTINS,
            ]

        try:
            return converter.convert()
        # A ConverterError, a RuntimeError or an InvalidArgumentError, depending on the cause.
        except Exception as error:
            raise refused_ops.refusal(error, parts) from error


def _halve(data, networks):
    """Stores the weights of the networks as float16.

    A DEQUANTIZE operator turns each of them into float32 again. The converter's own float16 would
    round scalars as well, among them the coefficients of the inverse error function.
    """
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = 3
    model.operatorCodes.append(code)

    halves: dict = {}
    for definition in model.signatureDefs:
        if definition.signatureKey.decode() in networks:
            _halve_graph(
                model,
                model.subgraphs[definition.subgraphIndex],
                len(model.operatorCodes) - 1,
                halves,
            )
    return flatbuffer.pack(model)


def _halve_graph(model, graph, code, halves):
    """Halves the large constants of one graph. `halves` maps buffers to their float16 copies."""
    dequantized = []
    for index, tensor in enumerate(list(graph.tensors)):
        data = model.buffers[tensor.buffer].data
        if tensor.type != schema.TensorType.FLOAT32 or data is None or len(data) < 4 * HALVED_FROM:
            continue

        if tensor.buffer not in halves:
            values = _halved(np.asarray(data, np.uint8).view(np.float32))
            if values is None:
                continue
            halves[tensor.buffer] = len(model.buffers)
            buffer = schema.BufferT()
            buffer.data = values.view(np.uint8)
            model.buffers.append(buffer)

        half = copy.copy(tensor)
        half.type, half.buffer = schema.TensorType.FLOAT16, halves[tensor.buffer]
        tensor.buffer = 0
        graph.tensors.append(half)

        operator = schema.OperatorT()
        operator.opcodeIndex = code
        operator.inputs, operator.outputs = (
            np.array([len(graph.tensors) - 1], np.int32),
            np.array([index], np.int32),
        )
        dequantized.append(operator)

    graph.operators = dequantized + list(graph.operators)


def _halved(values):
    """Returns float32 numbers in float16, or None if they lie beyond its range.

    The largest number must keep its precision: one above 65,504 would be infinite, and numbers
    that are all below 6e-5 would lose their digits.
    """
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
        error = np.abs(half.astype(np.float32) - values).max()
    return half if error <= 2.0**-10 * np.abs(values).max() else None
