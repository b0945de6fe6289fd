"""Measures the samples of a model against data, and says in which features.

References:
    See `tfvae.metrics.sample_distances`.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tfvae.datasets import Dataset
from tfvae.errors import invalid
from tfvae.metrics.features import Features, features_for
from tfvae.metrics.sample_distances import fid, kid, precision_recall
from tfvae.validation import arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfvae.models.vae import VAE

_MOST = 10_000  # real examples, unless more are asked for
_FEW = 10  # examples for each feature, below which FID's bias is large


@dataclasses.dataclass(frozen=True)
class SampleQuality:
    """How samples compare with data, in the features that `features` tells.

    Attributes:
        features: what the features are, in words.
        num_features: how many there are, F.
        num_real: real examples.
        num_generated: generated examples.
        fid: Fréchet distance, see `metrics.fid`. It is biased upwards.
        fid_of_data: the same of as many other real examples, the training ones, in place of the
            samples: about what a perfect model would get, or a little more in features of a
            classifier that was trained on them. None if there are no others.
        kid: kernel distance, without bias, see `metrics.kid`.
        kid_stderr: its standard error.
        precision: share of the samples that lie where data do, see `metrics.precision_recall`.
        recall: share of the data that lie where samples do.
        note: what to mind, in words; empty for nothing.
    """

    features: str
    num_features: int
    num_real: int
    num_generated: int
    fid: float
    fid_of_data: float | None
    kid: float
    kid_stderr: float
    precision: float
    recall: float
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name, ready for JSON, which has no NaN: that is None there."""
        return {
            name: None if isinstance(value, float) and np.isnan(value) else value
            for name, value in dataclasses.asdict(self).items()
        }


def sample_quality(
    samples: "VAE | npt.ArrayLike",
    data: Dataset | npt.ArrayLike,
    features: "Features | Callable[[np.ndarray], Any] | None" = None,
    num_examples: int | None = None,
    seed: int = 0,
    y: npt.ArrayLike | None = None,
) -> SampleQuality:
    """Measures samples against data: FID, KID, precision and recall.

    Args:
        samples: a `tfvae.VAE`, which draws as many samples as there are real examples (means of
            p(x|z), as `VAE.sample`); or samples `[M, *event]`.
        data: a `Dataset`, of which the held-out examples are the real ones; or examples
            `[N, *event]`.
        features: a function of a batch, such as a Keras model without its last layer, or
            `Features`. By default those of a small classifier trained on the labels of a
            `Dataset`, else random projections.
        num_examples: real examples to use, from the first; by default all, at most 10,000.
        seed: seed of the samples, and of features that are not passed.
        y: conditions `[M, ...]` of the samples of a conditional model.

    Returns:
        The numbers, with the features in words.

    Raises:
        InputError: samples of another shape than the data, too few of either, or values that are
            not finite.
    """
    real, others = _real(data, num_examples)
    drawn = _drawn(samples, len(real), arguments.seed("seed", seed), y)
    if drawn.shape[1:] != real.shape[1:]:
        expected = f"samples of the data's shape {list(real.shape[1:])}"
        raise invalid(expected, f"{list(drawn.shape[1:])}", "reshape them")
    if features is None:
        features = features_for(data, seed)
    elif not isinstance(features, Features):
        features = Features(features)
    return _measured(features, real, drawn, others)


def _real(data, num_examples):
    """Returns the real examples, and other real ones or None."""
    most = _MOST if num_examples is None else arguments.whole_number("num_examples", num_examples)
    if not isinstance(data, Dataset):
        return np.asarray(data, np.float32)[:most], None
    return data.x_test[:most], data.x_train


def _drawn(samples, count, seed, y):
    if not hasattr(samples, "likelihood"):
        return np.asarray(samples, np.float32)
    return np.asarray(samples.sample(count, seed=seed, y=y))


def _measured(features, real, drawn, others):
    of_real, of_drawn = features(real), features(drawn)
    precision, recall = precision_recall(of_real, of_drawn)
    distance = kid(of_real, of_drawn)
    of_data = None
    if others is not None and len(others) >= len(drawn):
        of_data = fid(of_real, features(others[: len(drawn)]))
    return SampleQuality(
        features.description, of_real.shape[1], len(real), len(drawn), fid(of_real, of_drawn),
        of_data, distance.value, distance.stderr, precision, recall,
        _note(of_real.shape[1], min(len(real), len(drawn))),
    )  # fmt: skip


def _note(width, count):
    """Says whether FID's bias is large."""
    if count >= _FEW * width:
        return ""
    return (
        f"{count:,} examples are few for {width} features: fid is biased upwards, "
        "compare it with fid_of_data, or use kid"
    )
