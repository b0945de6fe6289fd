"""Gives the signatures of a model as plain functions, for formats of one function a file.

Such a file has a network's weights for itself, and inputs and outputs of different names.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

import tfvae.export.availability as availability
import tfvae.export.examples as examples
import tfvae.export.signatures as signatures
from tfvae.errors import invalid

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

MOST_DIFFERENCE = 1e-3  # from the model, in units of x and z
_MEASURED = 4  # rows that a file is measured with


class PlainFunction(NamedTuple):
    """A signature as one function.

    Attributes:
        function: a traced function of tensors in the order of `specs`.
        specs: shapes and dtypes of the inputs.
        outputs: names of the outputs, none of them that of an input.
    """

    function: Callable[..., dict[str, tf.Tensor]]
    specs: list[tf.TensorSpec]
    outputs: list[str]


def functions(
    vae: "VAE", names: list[str] | None, *, batch: int | None, encoder: bool
) -> tuple[dict[str, PlainFunction], dict[str, str]]:
    """Returns the signatures of a model as functions, by name.

    Args:
        vae: the model.
        names: the signatures wanted, or None for all.
        batch: a static batch size, or None for any.
        encoder: True to include those that take x.

    Returns:
        The functions, and the reasons of the signatures that a piece has no method for.

    Raises:
        InputError: a name that is no signature of the model.
    """
    parts = signatures.parts(vae, batch, encoder=encoder)
    made = signatures.signatures(vae, parts, batch)
    built, parts, left_out = availability.available(parts, made)
    unknown = sorted(set(names or ()) - set(built))
    if unknown:
        fix = "leave it out, or include the encoder for those that take x"
        raise invalid(f"signatures among {sorted(built)}", f"{unknown}", fix)

    chosen = {name: built[name] for name in names or built}
    return {name: _plain(signature, parts) for name, signature in chosen.items()}, left_out


def output_name(output: str, specs: list[tf.TensorSpec]) -> str:
    """Returns the name of an output, which is not that of an input.

    Args:
        output: its name in the signature, such as the `x` of `reconstruct`.
        specs: the inputs.
    """
    return f"{output}_out" if output in {spec.name for spec in specs} else output


def measured(
    vae: "VAE",
    found: PlainFunction,
    run: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]],
    name: str,
) -> float:
    """Returns the largest difference of a file's outputs from those of the model.

    Args:
        vae: the model.
        found: the function that the file was made of.
        run: runs the file on inputs by name.
        name: what the file is, for the message.

    Raises:
        InputError: a file that differs by more than rounding does.
    """
    inputs = _inputs(vae, found.specs)
    wanted = found.function(*(tf.constant(inputs[spec.name]) for spec in found.specs))
    outputs = run(inputs)
    largest = max(float(np.abs(outputs[key] - wanted[key].numpy()).max()) for key in found.outputs)
    if not largest <= MOST_DIFFERENCE:
        raise invalid(
            f"{name} within {MOST_DIFFERENCE} of the model",
            f"a largest difference of {largest:.2g}",
            "export to TFLite, and report which layer the converter turns into something else",
        )
    return largest


def _plain(signature, parts):
    """Returns a signature as a function whose outputs have names of their own."""
    whole = signatures.as_function(signature, parts)
    names = {output: output_name(output, signature.specs) for output in signature.outputs}

    def function(*tensors):
        # An output that is an input would have no operator in the graph.
        return {names[key]: tf.identity(value) for key, value in whole(*tensors).items()}

    traced = tf.function(function, input_signature=signature.specs, autograph=False)
    return PlainFunction(traced, signature.specs, list(names.values()))


def _inputs(vae, specs):
    """Returns inputs to measure a file with, by name: rows of the batch that it takes."""
    rows = 1 if all(spec.shape[0] == 1 for spec in specs) else _MEASURED
    y = examples.conditions(vae, rows)
    z = tf.nest.flatten(vae.prior.decoder_input(examples.latents(vae, rows, 1, y)))
    x = np.asarray(vae.decode_batch(tf.nest.pack_sequence_as(vae.latent_dim, z), y, training=False))
    x = np.asarray(vae.likelihood.mean(tf.constant(x)))
    known = {
        "seed": np.array([7], np.int32),
        "index": np.arange(rows, dtype=np.int32),
        "weight": np.linspace(0, 1, rows, dtype=np.float32),
        "y": y,
        **dict.fromkeys(("x", "x_from"), x),
        "x_to": x[::-1],
        **{name: part.numpy() for name, part in zip(signatures.names("z", vae.latent_dim), z)},
    }
    return {
        spec.name: np.ascontiguousarray(known[spec.name], spec.dtype.as_numpy_dtype)
        for spec in specs
    }
