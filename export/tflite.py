"""Writes a TFLite (LiteRT) file for phones and browsers, and the sidecar that describes it."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

import tfvae.export.availability as availability
import tfvae.export.call_arguments as call_arguments
import tfvae.export.examples as examples
import tfvae.export.finite as finite
import tfvae.export.least_runtimes as least_runtimes
import tfvae.export.linker as linker
import tfvae.export.quality as quality
import tfvae.export.quantize as quantize
import tfvae.export.refused_ops as refused_ops
import tfvae.export.sidecar as sidecar
import tfvae.export.signatures as signatures
from tfvae import _files
from tfvae._version import __version__
from tfvae.errors import invalid
from tfvae.export.precision import in_float32
from tfvae.likelihoods import Columns
from tfvae.validation import conditions, data_checks

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

# Starts of the names of operators that draw random numbers of their own, or keep state.
_FORBIDDEN = ("RANDOM_", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "MULTINOMIAL")


def to_tflite(
    vae: "VAE",
    path: str | os.PathLike[str],
    quantization: str | None = None,
    batch_size: int | Sequence[int] = 1,
    *,
    include_encoder: bool = False,
    data: np.ndarray | tf.Tensor | None = None,
    data_y: np.ndarray | tf.Tensor | None = None,
    max_quality_loss: float | None = None,
) -> dict[str, Any]:
    """Writes `NAME.tflite`, with builtin ops only, and its sidecar `NAME.json`.

    The file has the signatures `decode(z) -> x`, `sample(seed [1], index [1]) -> x, z`, and
    `draw`, which draws x from p(x|z) where `sample` takes its mean. With the encoder it also has
    `encode(x) -> loc, scale`, `encode_sample(x, seed, index) -> z`, `reconstruct(x) -> x` and
    `interpolate(x_from, x_to, weight [batch]) -> x`. Those of a conditional model take `y` as
    well. `sample` and `encode_sample` take the same noise for the same seed and index. A
    signature whose method a piece does not have, such as `draw`, is left out, and the sidecar and
    a logged line say so. This is version 1 of the contract in `export/README.md`. The file is
    measured against the model before it is written. Both files are written whole, or neither.

    Args:
        vae: a `tfvae.VAE`.
        path: the file to write, ending in `.tflite`. It and `NAME.json` are replaced if they are
            a pair that this function wrote.
        quantization: precision of the two networks. z is the same in all cases.
            None: float32. "float16": weights of half the size.
            "dynamic_int8": weights in 8 bits, sums in float32.
            "int8": weights and activations in 8 bits, with float32 ports.
        batch_size: a static batch size, or several such as `(1, 16)`. The first one keeps the
            plain signature names. The others carry their size, as in `sample_16`.
        include_encoder: True to write the signatures that take x.
        data: examples `[N, *event]`. With the encoder they calibrate its int8 form, and the
            change of the distortion is measured on them. Pass examples left out of training.
        data_y: conditions `[N, ...]` of a conditional model, of the examples or alone. int8 needs
            them unless they are labels whose number is known, and so does `max_quality_loss`.
            Without them, the sidecar of such a model has no quality.
        max_quality_loss: the largest increase of the distortion allowed, in nats per example.
            None allows any.

    Returns:
        The content of the sidecar, a dictionary.

    Raises:
        InputTypeError: an argument of another kind, such as a path in place of the model.
        InputError: an argument out of range, numbers of the model that are not finite, ops that
            do not exist on the device (named), or a file that differs from the model.
        WriteError: a path that cannot be written, or holds what this function did not write.
    """
    call_arguments.check_model(vae, path, "to_tflite")
    path = call_arguments.as_model_path(path)
    quantization = call_arguments.as_quantization(quantization)
    sizes = call_arguments.as_batch_sizes(batch_size)
    include_encoder = call_arguments.as_flag("include_encoder", include_encoder)
    max_quality_loss = call_arguments.as_quality_loss(max_quality_loss)
    call_arguments.check_examples("data", data)
    call_arguments.check_examples("data_y", data_y)
    _check_data(vae, quantization, include_encoder, data, data_y, max_quality_loss)

    finite.check_weights(vae)
    pair = _files.whole_files(sidecar.targets(path))
    with in_float32(vae), pair as (model_file, sidecar_file):
        found = signatures.of_sizes(vae, sizes, encoder=include_encoder)
        built, parts, left_out = availability.available(*found)

        drawn = examples.samples(vae, data_y)
        finite.check_samples(drawn)
        rows = {}
        if quantization == "int8":
            rows = examples.calibration(vae, parts, (data, data_y))
            finite.check_activations(parts, rows)
        models = quantize.convert_parts(vae, parts, quantization, rows)

        model = linker.link(models, built)
        operators = check_operators(model, parts)

        metadata = _describe(vae, built, sizes, model, operators, quantization)
        metadata["left_out"] = left_out
        metadata["quality"] = quality.measure(
            vae, model, metadata, parts, models, (data, data_y), drawn
        )
        seen = (data if include_encoder else None, data_y)
        quality.refuse_loss(metadata["quality"], max_quality_loss, vae, quantization, seen)

        model_file.write_bytes(model)
        sidecar_file.write_text(sidecar.dumps(metadata), encoding="utf-8")
    availability.tell(left_out)
    return metadata


def check_operators(model: bytes, parts: dict[str, signatures.Part]) -> list[str]:
    """Returns the sorted names of the ops in a file.

    Args:
        model: the bytes of the file.
        parts: what it was made of, to name the layers of a refused op.

    Raises:
        InputError: an op that is not builtin, draws random numbers, or keeps state, named.
    """
    found = sorted(least_runtimes.operators_of(model))
    refused = [name for name in found if name.startswith(("CUSTOM", *_FORBIDDEN))]
    if refused:
        raise invalid(
            "builtin ops without state only",
            refused_ops.described(refused, parts),
            "replace them in the network or the piece",
        )

    return found


def _check_data(vae, quantization, include_encoder, data, data_y, max_quality_loss):
    """Refuses examples and conditions that do not fit, or that are missing where needed."""
    if data is not None:
        data_checks.check_condition(data, data_y, vae, "data")
        data_checks.check_events(data, vae.likelihood, vae.event_shape, "data")
    elif quantization == "int8" and include_encoder:
        raise invalid(
            "data to calibrate the encoder of an int8 file with",
            "no data",
            "pass data=x, a few hundred examples",
        )
    elif data_y is not None:
        conditions.check_presence(data_y, vae.condition_shape)
        data_checks.check_condition(data_y, data_y, vae, "data_y")

    measures = quantization == "int8" or max_quality_loss is not None
    if measures and not examples.are_known(vae, data_y):
        needs = "int8" if quantization == "int8" else "max_quality_loss"
        raise invalid(
            f"conditions of the model's use, for {needs}",
            f"no data_y, for conditions of shape {list(vae.condition_shape)} "
            f"and type {vae.condition_dtype}",
            "pass data_y=y, a few hundred conditions, with data=x or alone",
        )


def _describe(vae, built, sizes, model, operators, quantization):
    """Returns the content of the sidecar, without the measured quality."""
    return {
        "format_version": sidecar.FORMAT_VERSION,
        "package_version": __version__,
        "event_shape": list(vae.event_shape),
        "value_range": _value_range(vae.likelihood),
        **_columns(vae.likelihood),
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
        "least_runtimes": least_runtimes.of_file(model),
        "bytes": len(model),
        "sha256": sidecar.sha256(model),
    }


def _columns(likelihood):
    """Returns what the elements of a row are, of a table's model."""
    if not isinstance(likelihood, Columns):
        return {}
    triples = zip(likelihood.names, likelihood.widths, likelihood.likelihoods)
    return {
        "columns": [
            {
                "name": name,
                "width": width,
                "likelihood": type(getattr(part, "base", part)).__name__,
                "labels": likelihood.labels.get(name),
            }
            for name, width, part in triples
        ]
    }


def _value_range(likelihood):
    """Returns two finite numbers, or None where the values of x have no such range."""
    if likelihood.value_range is None:
        return None
    ends = [float(end) for end in likelihood.value_range]
    return ends if np.isfinite(ends).all() else None
