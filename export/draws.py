"""Compares the draws of a file with those of the model, before the file is written."""

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tfvae.errors import invalid

if TYPE_CHECKING:
    from tfvae.export.sampler import Sampler
    from tfvae.models.vae import VAE

# A draw differs from the model's if it is off by more than this share of draw and mean.
_TOLERANCE = 1e-4
# Of values that can be counted: a uniform beside a probability may draw either of two.
_COUNTED_MAY_DIFFER = 0.02
_SAMPLES = 64


def share_that_differs(
    vae: "VAE", sampler: "Sampler", mean: np.ndarray | float, y: tf.Tensor | None
) -> float | None:
    """Returns the share of elements whose draws differ from the model's, over all batch sizes.

    Args:
        vae: the model.
        sampler: of the file.
        mean: the means of p(x|z) of the first 64 samples of seed 0, `[64, *event]`.
        y: their conditions `[64, ...]`, or None.

    Returns:
        The largest share of a batch size, or None for a file without draws.

    Raises:
        InputError: draws of a float32 file that differ, or draws that are not finite where the
            model's are.
    """
    metadata = sampler.metadata
    if "draw" not in metadata["signatures"]:
        return None
    expected = np.asarray(vae.sample(_SAMPLES, seed=0, y=y, draw=True))
    allowed = _TOLERANCE * (1.0 + np.abs(expected) + np.abs(mean))
    limit = _COUNTED_MAY_DIFFER if _counted(expected) else 0.0

    shares = []
    for size in metadata["batch_sizes"]:
        found = sampler.with_batch_size(size).sample(_SAMPLES, seed=0, y=y, draw=True)
        shares.append(float(np.mean(~(np.abs(found - expected) <= allowed))))
        broken = bool((np.isfinite(expected) & ~np.isfinite(found)).any())
        if broken or (metadata["quantization"] is None and shares[-1] > limit):
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
