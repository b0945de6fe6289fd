"""Compares the draws of a file with those of the model, before the file is written."""

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tfvae.errors import invalid

if TYPE_CHECKING:
    from tfvae.export.examples import Samples

# A draw differs from the model's if it is off by more than this share of draw and mean.
_TOLERANCE = 1e-4
# Of values that can be counted: a uniform beside a probability may draw either of two.
_COUNTED_MAY_DIFFER = 0.02


def share_that_differs(
    drawn: "Samples", x: tf.Tensor, of_file: dict[int, np.ndarray], quantization: str | None
) -> float | None:
    """Returns the share of elements whose draws differ from the model's, over all batch sizes.

    Args:
        drawn: samples of the model.
        x: draws of x for them by the model.
        of_file: the same draws by the file, `[64, *event]` for each of its batch sizes; none
            for a file without draws.
        quantization: of the file.

    Returns:
        The largest share of a batch size, or None for a file without draws.

    Raises:
        InputError: draws of a float32 file that differ, or draws that are not finite where the
            model's are.
    """
    if not of_file:
        return None
    expected = np.asarray(x)
    mean = 0.0 if drawn.x is None else drawn.x
    allowed = _TOLERANCE * (1.0 + np.abs(expected) + np.abs(mean))
    limit = _COUNTED_MAY_DIFFER if _counted(expected) else 0.0

    shares = []
    for size, found in of_file.items():
        shares.append(float(np.mean(~(np.abs(found - expected) <= allowed))))
        broken = bool((np.isfinite(expected) & ~np.isfinite(found)).any())
        if broken or (quantization is None and shares[-1] > limit):
            raise invalid(
                "draws of x that are the model's",
                f"{'draws that are not finite' if broken else 'other draws'}, "
                f"{shares[-1]:.3g} of all elements differ, in batches of {size}",
                "report this model: nothing was written",
            )
    return max(shares)


def _counted(x):
    """Returns whether draws are of values that can be counted, such as 0 and 1."""
    return bool((x == np.round(x)).all()) or len(np.unique(x)) < x.size / 2
