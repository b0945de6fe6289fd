"""A TFLite (LiteRT) file for phones and browsers, and the sidecar that describes it."""

import json
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfvae._version import __version__
from tfvae.errors import invalid
from tfvae.export import sidecar, signatures
from tfvae.export.sampler import Sampler
from tfvae.export.saved_model import write_archive
from tfvae.files import whole_file

TOLERANCE = 1e-5  # of the file against the Keras model, in z and in x
_FORBIDDEN = ("RANDOM_", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "MULTINOMIAL")


def to_tflite(vae, path, quantization=None, batch_size=1, *, include_encoder=False):
    """Writes `NAME.tflite` and `NAME.json`: contract version 1, builtin ops only.

    The file holds `decode(z) -> x` and `sample(seed [1], index [1]) -> x, z`, and with the
    encoder `encode(x) -> loc, scale` and `reconstruct(x) -> x`. It is measured against the
    model before it is written; both files are written whole, or neither.

    Args:
        vae: a `tfvae.VAE`.
        path: ending in `.tflite`.
        quantization: None, for float32, is what this version writes.
        batch_size: static, or several such as `(1, 16)`: the first keeps the plain
            signature names, the others carry their size, as in `sample_16`.
        include_encoder: write `encode` and `reconstruct` as well.

    Returns:
        The sidecar's content, a dictionary.

    Raises:
        InputError: an argument out of range, a path that cannot be written, a model whose
            ops do not exist on the device (named), or a file that differs from the model.
    """
    path = Path(path)
    sizes = _check_arguments(path, quantization, batch_size)
    with whole_file(path) as model_file, whole_file(sidecar.path_of(path)) as sidecar_file:
        functions = _functions(vae, sizes, include_encoder)
        model = convert(vae, functions)
        operators = check_operators(model)
        metadata = _describe(vae, functions, sizes, model, operators, quantization)
        metadata["quality"] = measure(vae, model, metadata)
        model_file.write_bytes(model)
        sidecar_file.write_text(sidecar.dumps(metadata), encoding="utf-8")
    return metadata


def convert(vae, functions):
    """The file's bytes: functions to a SavedModel, and that through the converter."""
    with tempfile.TemporaryDirectory() as folder:
        write_archive(vae, folder, functions)
        # Without the keys, the alias `serving_default` is converted as well.
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(functions))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            return converter.convert()
        except Exception as error:  # ConverterError, a RuntimeError or an InvalidArgumentError, by what fails
            raise invalid(
                "a model whose ops all exist on the device",
                str(error).strip().splitlines()[0][:300],
                "replace the op named here in the network or the piece",
            ) from error


def check_operators(model):
    """The names of the ops in a file, sorted.

    Raises:
        InputError: an op that is not builtin, or keeps state of its own, by name.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    found = set()
    for code in schema.ModelT.InitFromPackedBuf(model, 0).operatorCodes:
        builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
        found.add(f"CUSTOM {code.customCode.decode()}" if code.customCode else names[builtin])
    refused = sorted(n for n in found if n.startswith(("CUSTOM", *_FORBIDDEN)))
    if refused:
        raise invalid("builtin ops without state only", ", ".join(refused), "replace them in the network or the piece")
    return sorted(found)


def measure(vae, model, metadata, count=16, seed=0):
    """The largest difference between the file and the model, in the first samples of a seed.

    Raises:
        InputError: more than 1e-5 in z, or in x relative to the data's range.
    """
    sampler = Sampler.from_bytes(model, metadata)
    y = _example_condition(vae, count)
    x, z = sampler.sample(count, seed=seed, y=y, return_latent=True)
    expected = np.asarray(vae.sample(count, seed=seed, y=y))
    expected_z = vae.sample_latent(count, seed=seed, y=y)
    scale = max(1.0, float(np.abs(expected).max()))
    quality = {
        "samples": count,
        "seed": seed,
        "max_abs_error_x": _max_difference(x, expected),
        "mean_abs_error_x": float(np.abs(x - expected).mean()),
        "max_abs_error_z": _max_difference(z, expected_z),
        "max_abs_error_decode": _max_difference(sampler.decode(vae.prior.for_decoder(expected_z), y=y), expected),
    }
    worst = max(quality["max_abs_error_z"], quality["max_abs_error_x"] / scale, quality["max_abs_error_decode"] / scale)
    if not worst <= TOLERANCE:
        raise invalid(f"a file within {TOLERANCE} of the model", json.dumps(quality), "report this model: nothing was written")
    return quality


def _max_difference(found, expected):
    parts = zip(tf.nest.flatten(found), tf.nest.flatten(expected))
    return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in parts)


def _check_arguments(path, quantization, batch_size):
    if path.suffix != ".tflite":
        raise invalid("a path ending in .tflite", str(path), f"write to {path.with_suffix('.tflite')}")
    if quantization is not None:
        raise invalid("quantization=None (float32)", f"quantization={quantization!r}", "leave it out")
    sizes = (batch_size,) if isinstance(batch_size, int) else tuple(batch_size)
    if not sizes or len(set(sizes)) < len(sizes) or any(not isinstance(n, int) or n < 1 for n in sizes):
        raise invalid("one batch size from 1, or several different ones", f"batch_size={batch_size!r}", "pass 1 or (1, 16)")
    return sizes


def _functions(vae, sizes, include_encoder):
    functions = {}
    for size in sizes:
        suffix = "" if size == sizes[0] else f"_{size}"
        built = signatures.build(vae, size, encoder=include_encoder)
        functions.update({name + suffix: value for name, value in built.items()})
    return functions


def _describe(vae, functions, sizes, model, operators, quantization):
    return {
        "format_version": sidecar.FORMAT_VERSION,
        "package_version": __version__,
        "event_shape": list(vae.event_shape),
        "value_range": vae.likelihood.value_range,
        "latent_dim": vae.latent_dim,
        "latent_sizes": tf.nest.flatten(vae.latent_sizes),
        "condition_shape": None if vae.condition_shape is None else list(vae.condition_shape),
        "condition_dtype": vae.condition_dtype,
        "batch_sizes": list(sizes),
        "signatures": {name: [spec.name for spec in specs] for name, (_, specs) in functions.items()},
        "posterior": repr(vae.posterior),
        "prior": repr(vae.prior),
        "likelihood": repr(vae.likelihood),
        "random": sidecar.RANDOM_SCHEME,
        "quantization": quantization,
        "operators": operators,
        "sha256": sidecar.sha256(model),
    }


def _example_condition(vae, count):
    if vae.condition_shape is None:
        return None
    return np.zeros((count, *vae.condition_shape), np.dtype(vae.condition_dtype))
