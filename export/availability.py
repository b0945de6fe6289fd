"""Finds which signatures a model's pieces are complete enough for."""

import logging
import traceback
from typing import TYPE_CHECKING

import tensorflow as tf

from tfvae.errors import invalid

if TYPE_CHECKING:
    from tfvae.export.signatures import Part, Signature

_LOG = logging.getLogger("tfvae")


def available(
    found: dict[str, "Part"], made: dict[str, "Signature"]
) -> tuple[dict[str, "Signature"], dict[str, "Part"], dict[str, str]]:
    """Leaves out the signatures that need a method which a piece does not have, and their parts.

    A piece written by a user may have no `draw`, or no `sample`, which nothing but a file needs.

    Args:
        found: parts by name.
        made: the signatures that chain them, by name.

    Returns:
        The signatures that can be exported, the parts that these chain, and the reasons of the
        other signatures, by name.

    Raises:
        InputError: a model of which nothing can be exported.
    """
    reasons = {name: _missing(part) for name, part in found.items() if not part.network}
    left_out = {}
    for name, signature in made.items():
        found_here = [reasons[step.part] for step in signature.steps if reasons.get(step.part)]
        if found_here:
            left_out[name] = found_here[0]

    kept = {name: signature for name, signature in made.items() if name not in left_out}
    if not kept:
        raise invalid(
            "a likelihood with a mean or a draw, to export",
            "; ".join(sorted(set(left_out.values()))),
            "define that method of the piece",
        )
    used = {step.part for signature in kept.values() for step in signature.steps}
    return kept, {name: part for name, part in found.items() if name in used}, left_out


def tell(left_out: dict[str, str]) -> None:
    """Logs one line on the signatures that a file does not have.

    Args:
        left_out: the reasons by name of the signature, as `available` returns them.
    """
    if left_out:
        reasons = "; ".join(f"{name} ({reason})" for name, reason in left_out.items())
        _LOG.warning("The file is exported without the signatures %s", reasons)


def _missing(part):
    """Returns which method a part misses, or None. The part is tried on zeros."""
    shapes = [[1 if size is None else size for size in spec.shape] for spec in part.specs]
    zeros = {spec.name: tf.zeros(shape, spec.dtype) for spec, shape in zip(part.specs, shapes)}
    try:
        part.function(zeros)
    except NotImplementedError as error:
        frame = list(traceback.walk_tb(error.__traceback__))[-1][0]
        owner = type(frame.f_locals.get("self", part)).__name__
        words = str(error).strip().splitlines()
        return words[0] if words else f"{owner} does not define {frame.f_code.co_name}"
    except Exception:  # of zeros, perhaps; else the converter says what it was
        return None
    return None
