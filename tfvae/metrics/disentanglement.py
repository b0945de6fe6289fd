"""Measures how the latents of a model relate to the factors that are known behind its data.

References:
    See `tfvae.metrics.factors` and `tfvae.metrics.factor_vae`.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae.metrics.factor_vae import factor_vae_score
from tfvae.metrics.factors import dci, mig, sap

if TYPE_CHECKING:
    import numpy.typing as npt

    from tfvae.datasets.shapes import Factored
    from tfvae.models.vae import VAE


@dataclasses.dataclass(frozen=True)
class Disentanglement:
    """The scores of a model on data with known factors, each from 0 to 1.

    Attributes:
        num_examples: examples.
        latent_dim: latents, D.
        factors: the names of the factors.
        mig: mutual information gap, see `metrics.mig`.
        dci_disentanglement: D of DCI, see `metrics.dci`.
        dci_completeness: its C.
        dci_informativeness: its I, the share of factors' values that are told right.
        sap: separated attribute predictability, see `metrics.sap`.
        factor_vae: score of FactorVAE, see `metrics.factor_vae_score`.
    """

    num_examples: int
    latent_dim: int
    factors: tuple[str, ...]
    mig: float
    dci_disentanglement: float
    dci_completeness: float
    dci_informativeness: float
    sap: float
    factor_vae: float

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name, ready for JSON."""
        return dataclasses.asdict(self)


def disentanglement(
    model: "VAE | npt.ArrayLike", data: "Factored", seed: int = 0
) -> Disentanglement:
    """Measures the disentanglement of a model's latents by all scores of this package.

    Args:
        model: a `tfvae.VAE`, whose codes are the locations of q(z|x) (grey data are binarized by
            one fixed draw where its likelihood does so); or codes `[N, D]` of the examples.
        data: examples with known factors, such as `tfvae.datasets.shapes()`.
        seed: seed of the forests and of the votes.

    Returns:
        The scores.

    Raises:
        InputError: examples that the model does not take, fewer than two latents, or no
            scikit-learn.
    """
    codes = _locations(model, data.x) if hasattr(model, "likelihood") else np.asarray(model)
    found = dci(codes, data.factors, seed)
    categorical = [data.names.index(name) for name in data.categorical]
    return Disentanglement(
        len(codes), codes.shape[1], data.names, mig(codes, data.factors), *found,
        sap(codes, data.factors, categorical, seed),
        factor_vae_score(codes, data.factors, seed=seed),
    )  # fmt: skip


def _locations(vae, x):
    from tfvae.models.locations import locations  # which loads TensorFlow

    return locations(vae, x)
