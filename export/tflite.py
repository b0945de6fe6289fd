"""A TFLite (LiteRT) file for phones and browsers, and the sidecar that describes it."""

from pathlib import Path

import tensorflow as tf

from tfvae._files import whole_file
from tfvae._version import __version__
from tfvae.errors import invalid
from tfvae.export import quality, quantize, sidecar, signatures
from tfvae.export.linker import Linker
from tfvae.export.precision import in_float32
from tfvae.validation import data_checks

_FORBIDDEN = ("RANDOM_", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "MULTINOMIAL")


def to_tflite(
    vae,
    path,
    quantization=None,
    batch_size=1,
    *,
    include_encoder=False,
    data=None,
    data_y=None,
    max_quality_loss=None,
):
    """Writes `NAME.tflite` and `NAME.json`: contract version 1, builtin ops only.

    The file holds `decode(z) -> x`, `sample(seed [1], index [1]) -> x, z` and `draw`, the same with x
    drawn from p(x|z) instead of its mean; and with the encoder `encode(x) -> loc, scale`,
    `encode_sample(x, seed, index) -> z`, `reconstruct(x) -> x` and
    `interpolate(x_from, x_to, weight [batch]) -> x`. A conditional model's take `y` as well. The
    file is measured against the model before it is written; both files are written whole, or neither.

    Args:
        vae: a `tfvae.VAE`.
        path: ending in `.tflite`.
        quantization: of the two networks; z is the same in all of them.
            None: float32. "float16": weights of half the size.
            "dynamic_int8": weights in 8 bits, sums in float32.
            "int8": weights and activations in 8 bits, with float32 ports.
        batch_size: static, or several such as `(1, 16)`: the first keeps the plain
            signature names, the others carry their size, as in `sample_16`.
        include_encoder: write the signatures that take x.
        data: examples `[N, *event]`. With the encoder they calibrate its int8, and the change of the
            distortion is measured on them, so leave some out of training.
        data_y: their conditions, where the model is conditional.
        max_quality_loss: refuse a file whose distortion is more than this many nats worse.

    Returns:
        The sidecar's content, a dictionary.

    Raises:
        InputError: an argument out of range, a path that cannot be written, a model whose
            ops do not exist on the device (named), or a file that differs from the model.
    """
    path = Path(path)
    sizes = _check_arguments(vae, path, quantization, batch_size, include_encoder, data, data_y)
    vae = in_float32(vae)
    with whole_file(path) as model_file, whole_file(sidecar.path_of(path)) as sidecar_file:
        parts = _parts(vae, sizes, include_encoder)
        examples = (
            quantize.calibration(vae, parts, (data, data_y)) if quantization == "int8" else {}
        )
        models = quantize.convert_parts(vae, parts, quantization, examples)
        built = _signatures(vae, parts, sizes)
        model = link(models, built)
        operators = check_operators(model)
        metadata = _describe(vae, built, sizes, model, operators, quantization)
        metadata["quality"] = quality.measure(vae, model, metadata, parts, models, (data, data_y))
        quality.refuse_loss(metadata["quality"], max_quality_loss, vae)
        model_file.write_bytes(model)
        sidecar_file.write_text(sidecar.dumps(metadata), encoding="utf-8")
    return metadata


def link(models, built):
    """The file's bytes, from those of its parts."""
    linker = Linker(models)
    for name, signature in built.items():
        linker.add(name, signature)
    return linker.to_bytes()


def check_operators(model):
    """The names of the ops in a file, sorted.

    Raises:
        InputError: an op that is not builtin, or keeps state of its own, by name.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    names = {
        value: name
        for name, value in vars(schema.BuiltinOperator).items()
        if not name.startswith("_")
    }
    found = set()
    for code in schema.ModelT.InitFromPackedBuf(model, 0).operatorCodes:
        builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
        found.add(f"CUSTOM {code.customCode.decode()}" if code.customCode else names[builtin])
    refused = sorted(n for n in found if n.startswith(("CUSTOM", *_FORBIDDEN)))
    if refused:
        raise invalid(
            "builtin ops without state only",
            ", ".join(refused),
            "replace them in the network or the piece",
        )
    return sorted(found)


def _parts(vae, sizes, include_encoder):
    """The parts of every batch size: `latent` for the first, `latent@16` for another."""
    found = {}
    for size in sizes:
        built = signatures.parts(vae, size, encoder=include_encoder)
        found.update({_of_size(name, "@", size, sizes): part for name, part in built.items()})
    return found


def _signatures(vae, parts, sizes):
    found = {}
    for size in sizes:
        mine = {
            name: parts[_of_size(name, "@", size, sizes)]
            for name in {name.split("@")[0] for name in parts}
        }
        for name, signature in signatures.signatures(vae, mine, size).items():
            steps = [
                step._replace(part=_of_size(step.part, "@", size, sizes))
                for step in signature.steps
            ]
            found[_of_size(name, "_", size, sizes)] = signature._replace(steps=steps)
    return found


def _of_size(name, mark, size, sizes):
    return name if size == sizes[0] else f"{name}{mark}{size}"


def _check_arguments(vae, path, quantization, batch_size, include_encoder, data, data_y):
    if path.suffix != ".tflite":
        raise invalid(
            "a path ending in .tflite", str(path), f"write to {path.with_suffix('.tflite')}"
        )
    if quantization not in quantize.QUANTIZATIONS:
        known = ", ".join(map(repr, quantize.QUANTIZATIONS))
        raise invalid(
            f"a quantization of {known}", f"quantization={quantization!r}", "choose one of them"
        )
    sizes = (batch_size,) if isinstance(batch_size, int) else tuple(batch_size)
    if (
        not sizes
        or len(set(sizes)) < len(sizes)
        or any(not isinstance(n, int) or n < 1 for n in sizes)
    ):
        raise invalid(
            "one batch size from 1, or several different ones",
            f"batch_size={batch_size!r}",
            "pass 1 or (1, 16)",
        )
    if data is not None:
        data_checks.check_condition(data, data_y, vae, "data")
        data_checks.check_events(data, vae.likelihood, vae.event_shape, "data")
    elif quantization == "int8" and include_encoder:
        raise invalid(
            "data to calibrate the encoder of an int8 file with",
            "no data",
            "pass data=x, a few hundred examples",
        )
    return sizes


def _describe(vae, built, sizes, model, operators, quantization):
    return {
        "format_version": sidecar.FORMAT_VERSION,
        "package_version": __version__,
        "event_shape": list(vae.event_shape),
        "value_range": vae.likelihood.value_range,
        "latent_dim": vae.latent_dim,
        "latent_sizes": tf.nest.flatten(vae.latent_sizes),
        "condition_shape": None if vae.condition_shape is None else list(vae.condition_shape),
        "condition_dtype": vae.condition_dtype,
        "num_classes": vae.num_classes,
        "batch_sizes": list(sizes),
        "signatures": {
            name: [spec.name for spec in signature.specs] for name, signature in built.items()
        },
        "outputs": {name: list(signature.outputs) for name, signature in built.items()},
        "posterior": repr(vae.posterior),
        "prior": repr(vae.prior),
        "likelihood": repr(vae.likelihood),
        "random": sidecar.RANDOM_SCHEME,
        "quantization": quantization,
        "operators": operators,
        "bytes": len(model),
        "sha256": sidecar.sha256(model),
    }
