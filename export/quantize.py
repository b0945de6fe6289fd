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

from tfvae.errors import invalid
from tfvae.export import flatbuffer, safe_ops, signatures, table
from tfvae.export.saved_model import write_archive
from tfvae.pieces import LAYERS, REAL

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

QUANTIZATIONS = (None, "float16", "dynamic_int8", "int8")
_HALVED_FROM = 256  # elements; smaller arrays, such as the scalars of an activation, stay float32


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
        quantization: of the networks, one of `QUANTIZATIONS`.
        calibration: for int8 the inputs of each network part, as `calibration` returns them.

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
            rest[name] = table.looked_up(vae.likelihood, rest[name], found[decoder], decoder)
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
            raise invalid(
                "a model whose ops all exist on the device",
                str(error).strip().splitlines()[0][:300],
                "replace the op named here in the network or the piece",
            ) from error


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
        if tensor.type != schema.TensorType.FLOAT32 or data is None or len(data) < 4 * _HALVED_FROM:
            continue

        if tensor.buffer not in halves:
            halves[tensor.buffer] = len(model.buffers)
            buffer = schema.BufferT()
            values = np.asarray(data, np.uint8).view(np.float32)
            buffer.data = values.astype(np.float16).view(np.uint8)
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


def calibration(
    vae: "VAE",
    parts: dict[str, signatures.Part],
    data: tuple[np.ndarray | tf.Tensor | None, np.ndarray | tf.Tensor | None],
    count: int = 256,
    seed: int = 1,
) -> dict[str, list[dict[str, np.ndarray]]]:
    """Chooses inputs for the networks, to find the ranges of their activations for int8.

    The decoder gets latents from the prior of the model. If these are real vectors, it also gets
    latents with one number 4 standard deviations from its mean. The encoder gets `data`.

    Args:
        vae: the model, in float32.
        parts: the parts of all batch sizes, by name.
        data: examples `[N, *event]` and their conditions, or None for either. The encoder needs
            examples.
        count: how many latents and how many examples.
        seed: seed of the latents and of the choice of examples.

    Returns:
        `{name of a network part: [{input: array of the part's batch size}, ...]}`.
    """
    x, y = data
    rows = {}
    rng = np.random.default_rng(seed)

    # 16 times as many latents as needed, for a good estimate of their standard deviation.
    conditions = example_conditions(vae, 16 * count, y, rng)
    z = vae.prior.for_decoder(vae.sample_latent(16 * count, seed=seed, y=conditions))
    unbounded = vae.posterior.support in (REAL, LAYERS)
    columns = [
        _with_corners(np.asarray(c), count, rng) if unbounded else np.asarray(c)[:count]
        for c in tf.nest.flatten(z)
    ]
    longest = max(len(column) for column in columns)
    rows["decoder"] = {
        name: np.resize(c, (longest, c.shape[1]))
        for name, c in zip(signatures.names("z", vae.latent_dim), columns)
    }

    if x is not None:
        chosen = rng.choice(len(x), min(count, len(x)), replace=False)
        rows["encoder"] = {
            "x": np.asarray(vae.likelihood.prepare_fixed(np.asarray(x)[chosen])[0], np.float32)
        }

    for name, inputs in rows.items():
        if conditions is not None:
            length = len(next(iter(inputs.values())))
            of_data = name == "encoder" and y is not None
            inputs["y"] = (
                np.asarray(y)[chosen]
                if of_data
                else np.resize(conditions, (length, *conditions.shape[1:]))
            )

    return {
        name: _batches(part, rows[name.split("@")[0]])
        for name, part in parts.items()
        if part.network
    }


def example_conditions(
    vae: "VAE",
    count: int,
    y: np.ndarray | tf.Tensor | None = None,
    rng: np.random.Generator | None = None,
) -> np.ndarray | None:
    """Returns conditions to measure or calibrate a model with.

    Args:
        vae: the model.
        count: how many.
        y: conditions to repeat. By default every label in turn, or standard normals if the
            conditions are no labels.
        rng: generator of the normals; default one of seed 0.

    Returns:
        Conditions `[count, ...]`, int32 or float32, or None for a model without conditions.
    """
    if vae.condition_shape is None:
        return None

    dtype = tf.as_dtype(vae.condition_dtype)
    if y is not None:
        found = np.resize(np.asarray(y), (count, *vae.condition_shape))
    elif dtype.is_integer:
        labels = np.arange(count) % (vae.num_classes or 1)
        found = np.broadcast_to(
            labels.reshape([count] + [1] * len(vae.condition_shape)), (count, *vae.condition_shape)
        )
    else:
        found = (rng or np.random.default_rng(0)).normal(size=(count, *vae.condition_shape))

    return found.astype(np.int32 if dtype.is_integer else np.float32)


def _with_corners(z, count, rng):
    """Returns the first latents of z `[N, D]`, and 2 D more with one extreme number each.

    That number lies 4 standard deviations above or below its mean.
    """
    mean, deviation = z.mean(axis=0), z.std(axis=0)
    size = z.shape[1]
    corners = z[rng.integers(0, len(z), 2 * size)].copy()
    for i in range(size):
        corners[2 * i, i], corners[2 * i + 1, i] = (
            mean[i] + 4 * deviation[i],
            mean[i] - 4 * deviation[i],
        )

    return np.concatenate([z[:count], corners])


def _batches(part, rows):
    """Cuts rows into batches of a part's size. The last one is filled with the first rows."""
    batch = part.specs[0].shape[0]
    length = len(next(iter(rows.values())))
    chosen = [np.arange(first, first + batch) % length for first in range(0, length, batch)]
    return [
        {spec.name: rows[spec.name][index].astype(spec.dtype.as_numpy_dtype) for spec in part.specs}
        for index in chosen
    ]
