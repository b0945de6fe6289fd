"""Refuses models with numbers that no file can hold, before they are converted."""

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tfvae.errors import invalid

if TYPE_CHECKING:
    from tfvae.export.examples import Samples
    from tfvae.export.signatures import Part
    from tfvae.models.vae import VAE

# A scale of int8 is the length of a range, in float32: 1e38 to each side is too much for it.
_MOST_IN_INT8 = 1e37


def check_weights(vae: "VAE") -> None:
    """Refuses weights that are not finite.

    Args:
        vae: the model.

    Raises:
        InputError: such a weight; the message has the name of the first one.
    """
    for weight in vae.weights:
        values = np.asarray(weight.value)
        if values.dtype.kind not in "iub" and not np.isfinite(values.astype(np.float32)).all():
            wrong = int((~np.isfinite(values.astype(np.float32))).sum())
            raise invalid(
                "a model whose weights are all finite",
                f"{wrong} of {values.size} numbers of {weight.path} are not",
                "train it again, with a lower learning rate or on_nonfinite='raise'",
            )


def check_samples(drawn: "Samples") -> None:
    """Refuses a model that draws numbers that are not finite.

    Args:
        drawn: samples of the model.

    Raises:
        InputError: latents or means of p(x|z) that are not finite.
    """
    count = len(drawn.params)
    found = {"z": drawn.z, "the decoder's output": drawn.params}
    if drawn.x is not None:
        found["x"] = drawn.x
    for name, values in found.items():
        rows = [
            np.isfinite(np.asarray(part)).reshape(count, -1).all(axis=1)
            for part in tf.nest.flatten(values)
        ]
        wrong = np.flatnonzero(~np.all(rows, axis=0))
        if len(wrong):
            raise invalid(
                "a model whose samples are all finite",
                f"{name} of sample {wrong[0]} of seed 0 is not, nor of {len(wrong) - 1} others "
                f"among {count}",
                "bound what overflows in the network or the piece",
            )


def check_activations(parts: "dict[str, Part]", rows: dict[str, list[dict]]) -> None:
    """Refuses networks whose int8 form has no scale for one of their activations.

    Args:
        parts: the parts by name.
        rows: inputs of the network parts, as `examples.calibration` returns them.

    Raises:
        InputError: an activation that is not finite, or so large that the length of its range
            is not, or a loop, whose activations the converter cannot watch; the message has
            the place in the network.
    """
    for name, batches in rows.items():
        places: list = []
        watched = _watched(parts[name], places)
        _refuse_loops(watched.get_concrete_function().graph.as_graph_def(), name)
        held = np.all([watched(*batch.values()).numpy() for batch in batches], axis=0)
        if not held.all():
            raise invalid(
                f"activations within {_MOST_IN_INT8:g}, which int8 needs a scale for",
                f"others at {places[int(np.argmin(held))]} in the {name.split('@')[0]}",
                "bound that layer, or choose another quantization",
            )


def _refuse_loops(graph, name):
    """Refuses a network with a loop, at which the converter's calibration ends the process."""
    inner = (node for function in graph.library.function for node in function.node_def)
    for node in (*graph.node, *inner):
        if node.op in ("While", "StatelessWhile"):
            raise invalid(
                "networks without loops, for int8",
                f"a loop at {node.name} in the {name.split('@')[0]}",
                "pass unroll=True to that recurrent layer, or choose another quantization",
            )


def _watched(part, places):
    """Returns a function that says of each activation of a part whether int8 can hold it.

    Args:
        part: a network.
        places: a list, to which the names of the activations are added.
    """

    @tf.function(input_signature=part.specs, autograph=False)
    def function(*tensors):
        part.function(dict(zip((spec.name for spec in part.specs), tensors)))
        operations = tf.compat.v1.get_default_graph().get_operations()
        outputs = [(op.name, out) for op in operations for out in op.outputs]
        found = {name: out for name, out in outputs if out.dtype == tf.float32}
        places.extend(found)
        return tf.stack([tf.reduce_all(tf.abs(out) <= _MOST_IN_INT8) for out in found.values()])

    return function
