"""The settings of a run, those left open chosen to suit the data, and the model they name."""

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfvae import datasets

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

# Settings that were found to train well. A few small images need more epochs, smaller batches and
# smaller networks.
_DEFAULTS: dict[str, Any] = {"epochs": 20, "batch_size": 128, "learning_rate": 2e-3}
_DIGITS_DEFAULTS: dict[str, Any] = {"epochs": 120, "batch_size": 64, "learning_rate": 3e-3}
_SMALL = 256  # examples of fewer elements get smaller latents and networks
_CONV_FROM = 16  # images of at least so many pixels a side get the convolutional network


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of `train`. None or "auto" is chosen from the data, see `choose`.

    Attributes:
        data: name or path of the data, see `datasets.load`.
        data_dir: folder of named data sets, or None for the default.
        latent_dim: size of the latent, D.
        network: "mlp", "conv" or "auto".
        likelihood: "bernoulli", "normal" or "auto".
        epochs: passes over the training examples.
        batch_size: examples in a batch.
        learning_rate: learning rate of Adam at the start. It falls to 0 on a cosine.
        num_samples: importance samples per held-out example.
        num_examples: held-out examples to evaluate, from the first; 0 for all.
        seed: seed of the weights, the noise and the pictures.
        out: folder of the run, or None for `runs/` and the name of the data.
    """

    data: str = "digits"
    data_dir: str | None = None
    latent_dim: int | None = None
    network: str = "auto"
    likelihood: str = "auto"
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    num_samples: int = 500
    num_examples: int = 1000
    seed: int = 0
    out: str | None = None


if TYPE_CHECKING:

    class _Chosen(Settings):
        """Settings as `choose` returns them: only `data_dir` may be None."""

        latent_dim: int
        epochs: int
        batch_size: int
        learning_rate: float
        out: str


def choose(settings: Settings, dataset: datasets.Dataset) -> "_Chosen":
    """Fills in the settings that were left open, to suit the data.

    Args:
        settings: the settings, with None or "auto" where they are open.
        dataset: the data.

    Returns:
        Settings in which only `data_dir` may be None.
    """
    defaults = _DIGITS_DEFAULTS if dataset.name == "digits" else _DEFAULTS
    shape = dataset.event_shape
    image = len(shape) in (2, 3) and min(shape[:2]) >= _CONV_FROM
    unit = dataset.x_train.min() >= 0 and dataset.x_train.max() <= 1
    colour = len(shape) == 3 and shape[2] > 1

    return dataclasses.replace(  # type: ignore[return-value]
        settings,
        latent_dim=settings.latent_dim or (16 if math.prod(shape) < _SMALL else 32),
        network=("conv" if image else "mlp") if settings.network == "auto" else settings.network,
        likelihood=("bernoulli" if unit and not colour else "normal")
        if settings.likelihood == "auto"
        else settings.likelihood,
        **{name: getattr(settings, name) or value for name, value in defaults.items()},
        out=settings.out or f"runs/{Path(dataset.name).stem}",
    )


def build(settings: "_Chosen", dataset: datasets.Dataset) -> "VAE":
    """Builds the model that the settings name, with new weights.

    Args:
        settings: settings without open ones, see `choose`.
        dataset: the data, for their shape.
    """
    from tfvae import conv_vae, likelihoods, mlp_vae

    if settings.likelihood == "normal":
        likelihood = likelihoods.Normal(0.5, learn_scale=True)
    else:
        likelihood = likelihoods.Bernoulli(dynamic_binarization=datasets.is_grey(dataset.x_train))

    if settings.network == "conv":
        return conv_vae(
            dataset.event_shape, settings.latent_dim, likelihood=likelihood, seed=settings.seed
        )
    hidden = (256, 256) if math.prod(dataset.event_shape) < _SMALL else (512, 512)
    return mlp_vae(
        dataset.event_shape, settings.latent_dim, hidden, likelihood=likelihood, seed=settings.seed
    )


def describe(dataset: datasets.Dataset, settings: "_Chosen") -> str:
    """Describes the data and the model of a run in two lines of text.

    Args:
        dataset: the data.
        settings: settings without open ones, see `choose`.
    """
    shape = " x ".join(map(str, dataset.event_shape))
    return (
        f"{dataset.name}: {len(dataset.x_train):,} examples of {shape} to train on, "
        f"{len(dataset.x_test):,} held out"
        f" ({dataset.note or 'values as given'})\n"
        f"{settings.network} network, {settings.latent_dim} latents, "
        f"{settings.likelihood} likelihood, seed {settings.seed}"
    )
