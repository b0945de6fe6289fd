"""Writes ONNX files, one for each signature, measured with ONNX Runtime against the model."""

import json
import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import tfvae.export.availability as availability
import tfvae.export.call_arguments as call_arguments
import tfvae.export.finite as finite
import tfvae.export.plain_functions as plain_functions
import tfvae.export.sidecar as sidecar
from tfvae import _files, quiet_loggers
from tfvae._version import __version__
from tfvae.export.precision import in_float32

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

INDEX = "model.json"
_OPSET = 18  # the first with BitwiseXor, which the stream of random numbers is made of
_XOR = "BitwiseXor"  # of TensorFlow; ONNX' operator has the same name and meaning


def to_onnx(
    vae: "VAE",
    folder: str | os.PathLike[str],
    *,
    include_encoder: bool = False,
    signatures: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Writes a folder with an ONNX file for each signature of the TFLite file, see `to_tflite`.

    Each takes any batch size. `sample(seed [1], index [B]) -> x, z` and `draw` take the numbers
    of the samples wanted, and give the samples that the TFLite file gives. An output that would
    have the name of an input ends in `_out`, as the `x_out` of `reconstruct`. Each file holds
    the weights that it needs. It is run by ONNX Runtime and compared with the model before the
    folder is written.

    Args:
        vae: a `tfvae.VAE`.
        folder: a new folder, an empty one, or an earlier one of this function.
        include_encoder: True to write the signatures that take x.
        signatures: the names of those to write; by default all.

    Returns:
        What `model.json` holds: shapes, pieces and versions, and of each signature the file, its
        inputs and outputs, and the largest difference from the model.

    Raises:
        InputTypeError: no model or no path, or the two swapped.
        InputError: a signature that the model does not have, weights that are not finite, an
            operator that ONNX has no equal of, or a file that differs from the model.
        WriteError: a folder that cannot be written, or holds anything else.
        ModuleNotFoundError: `tf2onnx` or `onnxruntime` is not installed.
    """
    call_arguments.check_model(vae, folder, "to_onnx")
    folder = call_arguments.as_path("folder", folder)
    include_encoder = call_arguments.as_flag("include_encoder", include_encoder)
    check_ready()
    finite.check_weights(vae)
    names = None if signatures is None else list(signatures)
    target = _files.Target(folder, "ONNX files of tfvae alone", _files.foreign_to_mark)
    with in_float32(vae), _files.whole_folder(target) as written:
        made, left_out = plain_functions.functions(vae, names, batch=None, encoder=include_encoder)
        described = {
            name: _write(vae, written / f"{name}.onnx", function, name)
            for name, function in made.items()
        }
        metadata = {**_of_model(vae), "signatures": described, "left_out": left_out}
        text = json.dumps(metadata, indent=2, sort_keys=True, allow_nan=False)
        (written / INDEX).write_text(text + "\n", encoding="utf-8")
        _files.mark(written)
    availability.tell(left_out)
    return metadata


def _write(vae, path, found, name):
    """Writes and measures the file of one signature, and returns its description."""
    model = _converted(found)
    difference = plain_functions.measured(
        vae, found, lambda inputs: _run(model, found.outputs, inputs), f"{name}.onnx"
    )
    path.write_bytes(model)
    return {
        "file": path.name,
        "inputs": [spec.name for spec in found.specs],
        "outputs": found.outputs,
        "difference": difference,
        "bytes": len(model),
        "sha256": sidecar.sha256(model),
    }


def _converted(found):
    """Returns the bytes of a function's ONNX file."""
    import tf2onnx

    # tf2onnx tells of rewritings that it tries and leaves.
    with quiet_loggers.quiet("tf2onnx", logging.CRITICAL):
        proto, _ = tf2onnx.convert.from_function(
            found.function,
            input_signature=found.specs,
            opset=_OPSET,
            custom_op_handlers={_XOR: (_as_it_is, [])},
        )
    # tf2onnx counts an operator that it was told of among those of another domain.
    own = [each for each in proto.opset_import if not each.domain]
    del proto.opset_import[:]
    proto.opset_import.extend(own)
    return proto.SerializeToString()


def _as_it_is(context, node, name, arguments):
    """Keeps an operator that ONNX has under the same name."""
    del context, name, arguments
    node.domain = ""
    return node


def _run(model, names, inputs):
    """Runs an ONNX file on inputs by name, and returns its outputs by name."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(names, inputs)))


def _of_model(vae):
    conditions = None if vae.condition_shape is None else list(vae.condition_shape)
    return {
        "package_version": __version__,
        "opset": _OPSET,
        "event_shape": list(vae.event_shape),
        "latent_dim": vae.latent_dim,
        "condition_shape": conditions,
        "condition_dtype": vae.condition_dtype,
        "num_classes": vae.num_classes,
        "posterior": repr(vae.posterior),
        "prior": repr(vae.prior),
        "likelihood": repr(vae.likelihood),
        "random": sidecar.RANDOM_SCHEME,
    }


def check_ready() -> None:
    """Imports what this needs.

    Raises:
        ModuleNotFoundError: `tf2onnx` or `onnxruntime` is not installed.
    """
    for name in ("tf2onnx", "onnxruntime"):
        try:
            __import__(name)
        except ModuleNotFoundError as error:
            words = f"{name} is not installed; pip install 'tfvae[onnx]'"
            raise ModuleNotFoundError(words, name=name) from error
