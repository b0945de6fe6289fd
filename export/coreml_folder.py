"""Writes Core ML packages of a model's networks, on macOS, where they can be run and measured.

No Mac has run this yet: converting was tried on Linux, and the rest with a stand-in.
"""

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import tfvae.export.call_arguments as call_arguments
import tfvae.export.finite as finite
import tfvae.export.plain_functions as plain_functions
from tfvae import _files
from tfvae.errors import invalid
from tfvae.export.precision import in_float32

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

# Those without random numbers: coremltools has no form for the loop of integers that makes them.
_SIGNATURES = ("decode", "encode", "reconstruct")


def to_coreml(
    vae: "VAE", folder: str | os.PathLike[str], *, include_encoder: bool = False
) -> dict[str, dict[str, Any]]:
    """Writes `decode.mlpackage`, and with the encoder `encode` and `reconstruct`, for one example.

    Apple's devices alone run such packages, and macOS alone can compare one with the model.
    Elsewhere this is refused, and an iPhone runs the TFLite file of `to_tflite`, which has
    `sample` too: Core ML has no form for its stream of random numbers, so draw z in the app.

    Args:
        vae: a `tfvae.VAE`.
        folder: a new folder, an empty one, or an earlier one of this function.
        include_encoder: True to write the signatures that take x.

    Returns:
        Of each package, by name of the signature: its `outputs`, under which name each is found
        in it, and its largest `difference` from the model. `model.json` holds the same.

    Raises:
        InputTypeError: no model or no path, or the two swapped.
        InputError: another system than macOS, weights that are not finite, or a package that
            differs from the model.
        WriteError: a folder that cannot be written, or holds anything else.
        ModuleNotFoundError: `coremltools` is not installed.
    """
    call_arguments.check_model(vae, folder, "to_coreml")
    folder = call_arguments.as_path("folder", folder)
    include_encoder = call_arguments.as_flag("include_encoder", include_encoder)
    tools = check_ready()
    finite.check_weights(vae)
    names = list(_SIGNATURES if include_encoder else _SIGNATURES[:1])
    target = _files.Target(folder, "Core ML packages of tfvae alone", _files.foreign_to_mark)
    with in_float32(vae), _files.whole_folder(target) as written:
        made, _ = plain_functions.functions(vae, names, batch=1, encoder=include_encoder)
        described = {
            name: _write(tools, vae, written / f"{name}.mlpackage", function)
            for name, function in made.items()
        }
        text = json.dumps(described, indent=2, sort_keys=True) + "\n"
        (written / "model.json").write_text(text, encoding="utf-8")
        _files.mark(written)
    return described


def _write(tools, vae, path, found):
    """Writes and measures the package of one signature, and returns its description."""
    package = tools.convert(
        [found.function.get_concrete_function()],
        source="tensorflow",
        convert_to="mlprogram",
        compute_precision=tools.precision.FLOAT32,
    )
    # coremltools names outputs as the graph does, and keeps their order: that of sorted names.
    inside = [output.name for output in package.get_spec().description.output]
    names = dict(zip(sorted(found.outputs), inside))

    def run(inputs: dict[str, Any]) -> dict[str, Any]:
        outputs = package.predict(inputs)
        return {key: outputs[name] for key, name in names.items()}

    difference = plain_functions.measured(vae, found, run, path.name)
    package.save(str(path))
    return {"outputs": names, "difference": difference}


def check_ready() -> Any:
    """Returns coremltools.

    Raises:
        InputError: another system than macOS, which the message names.
        ModuleNotFoundError: `coremltools` is not installed.
    """
    if sys.platform != "darwin":
        raise invalid(
            "macOS, where a Core ML package can be run and compared with the model",
            f"the system {sys.platform}",
            "export on a Mac, or use tfvae.export.to_tflite, which iPhones run as well",
        )
    try:
        import coremltools
    except ModuleNotFoundError as error:
        words = "coremltools is not installed; pip install 'tfvae[coreml]'"
        raise ModuleNotFoundError(words, name="coremltools") from error
    return coremltools
