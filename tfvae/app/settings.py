"""The settings of a run, those left open chosen to suit the data, and the model they name."""

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tfvae import datasets
from tfvae._files import mapped
from tfvae.app import conditions, expressions, suited
from tfvae.app.options import FIRST_DATA

if TYPE_CHECKING:
    import os

    from tfvae.models.vae import VAE

# Settings that were found to train well. A few small images need more epochs and smaller networks.
_BATCH_SIZE = 128
_LEARNING_RATE = 2e-3
_EPOCHS = 20
_NUM_SAMPLES = 500
_LEAST_STEPS = {
    "mlp": 3000,
    "conv": 1200,
    "conv1d": 1500,
    "table": 3000,
}  # with fewer, a model of few examples learns nothing
# For images of 8 bits, whose gradients are large at first: ReLU's units die, and the latents with
# them (0 of 16 active after 1,200 steps on 250 photographs, 16 of 16 with these).
_8_BITS: dict[str, Any] = {"activation": "swish", "learning_rate": 1e-3}
_OF_NAMED: dict[str, dict[str, Any]] = {
    "digits": {
        "epochs": 120,
        "batch_size": 64,
        "learning_rate": 3e-3,
        "latent_dim": 8,  # of which 6 are active; of 16 only 4 were, at the same NLL
    },
    # Few epochs and samples, so that a first run is over soon (500 samples take 20 s more, for an
    # NLL 0.3 nats lower); and a mixture, by which more of the samples are digits that one can read
    # (ELBO -107.7 where the standard normal has -109.5).
    FIRST_DATA: {
        "epochs": 26,
        "latent_dim": 16,
        "prior": "GaussianMixture(50)",
        "num_samples": 200,
    },
}
_FEW_ELEMENTS = 256  # examples of fewer elements get smaller latents and networks
_FEW = 2000  # examples to train on; fewer get smaller latents
_BATCHES = 4  # at least so many in an epoch
_CONV_FROM = 16  # images of at least so many pixels a side get the convolutional network


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of `train`. None or "auto" is chosen from the data, see `choose`.

    Attributes:
        data: name or path of the data, see `datasets.load`.
        data_dir: folder of named data sets, or None for the default.
        latent_dim: size of the latent, D.
        network: "mlp", "conv", "conv1d", "table" or "auto".
        likelihood: p(x|z) in the words of `expressions.piece`, or "auto".
        epochs: passes over the training examples.
        batch_size: examples in a batch.
        learning_rate: learning rate of Adam at the start. It falls to 0 on a cosine.
        num_samples: importance samples per held-out example, or None.
        num_examples: held-out examples to evaluate, from the first; 0 for all.
        seed: seed of the weights, the noise and the pictures.
        out: folder of the run, or None for `runs/` and the name of the data.
        prior: p(z) in the words of `expressions.piece`, or None for the builder's.
        posterior: q(z|x), likewise.
        objective: the bound, likewise.
        estimator: the gradient estimator, likewise.
        hidden: widths of the hidden layers of the network "mlp", or None.
        filters: channels after each halving of the network "conv", or None.
        image_size: pixels a side of the images of a folder, or None.
        image_fit: "crop" or "pad", how images of another shape are brought to it.
        steps: steps of training, in place of epochs, or None.
        condition: "labels" for a model p(x|z, y) of the data's labels, or None.
        columns: kinds of a table's columns, such as "age=real", or None.
        early_stopping: epochs without progress after which the training ends, or None.
        strategy: "mirrored" or "multiworker", see `devices.strategy`, or None for one device.
    """

    data: str = FIRST_DATA
    data_dir: str | None = None
    latent_dim: int | None = None
    network: str = "auto"
    likelihood: str = "auto"
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    num_samples: int | None = None
    num_examples: int = 1000
    seed: int = 0
    out: str | None = None
    prior: str | None = None
    posterior: str | None = None
    objective: str | None = None
    estimator: str | None = None
    hidden: tuple[int, ...] | None = None
    filters: tuple[int, ...] | None = None
    image_size: int | None = None
    image_fit: str = "crop"
    steps: int | None = None
    condition: str | None = None
    columns: tuple[str, ...] | None = None
    early_stopping: int | None = None
    strategy: str | None = None


if TYPE_CHECKING:

    class _Chosen(Settings):
        """Settings as `choose` returns them: only `data_dir` may be None."""

        latent_dim: int
        epochs: int
        batch_size: int
        learning_rate: float
        num_samples: int
        out: str


def load_data(
    settings: Settings, data_dir: "str | os.PathLike[str] | None" = None, least: int = 2
) -> datasets.Dataset:
    """Loads the data that settings name.

    Args:
        settings: the settings.
        data_dir: folder of named data sets; default the one of the settings.
        least: how many examples there must be, see `datasets.load`.
    """
    kinds = dict(column.rsplit("=", 1) for column in settings.columns or ())
    folder = data_dir or settings.data_dir
    size, fit = settings.image_size, cast("datasets.ImageFit", settings.image_fit)
    return datasets.load(settings.data, folder, size, kinds, least, fit)


def with_likelihood(settings: Settings, dataset: datasets.Dataset) -> tuple[Settings, str | None]:
    """Fills in the likelihood, if it was left open.

    Args:
        settings: the settings.
        dataset: the data.

    Returns:
        The settings with a likelihood, and the reason if it was chosen, see `suited.likelihood`.
    """
    if settings.likelihood != "auto":
        return settings, None
    if dataset.table is not None:
        words, reason = suited.COLUMNS, "each column is of a kind"
    else:
        words, reason = suited.likelihood(dataset.x_train)
    return dataclasses.replace(settings, likelihood=words), reason


def choose(settings: Settings, dataset: datasets.Dataset) -> "_Chosen":
    """Fills in the settings that were left open, to suit the data.

    Args:
        settings: the settings, with None or "auto" where they are open.
        dataset: the data.

    Returns:
        Settings in which `latent_dim`, `epochs`, `batch_size`, `learning_rate`, `num_samples`
        and `out` are set.
    """
    given = _OF_NAMED.get(dataset.name, {})
    shape, count = dataset.event_shape, len(dataset.x_train)
    network = _network(dataset) if settings.network == "auto" else settings.network

    small = math.prod(shape) < _FEW_ELEMENTS or count < _FEW
    batch_size = settings.batch_size or given.get("batch_size") or _batch_size(count)
    settings, _ = with_likelihood(settings, dataset)
    usual_rate = _8_BITS["learning_rate"] if _of_8_bits(settings.likelihood) else _LEARNING_RATE
    return dataclasses.replace(  # type: ignore[return-value]
        settings,
        latent_dim=settings.latent_dim or given.get("latent_dim") or (16 if small else 32),
        network=network,
        epochs=_epochs(settings, math.ceil(count / batch_size), network, given),
        batch_size=batch_size,
        learning_rate=settings.learning_rate or given.get("learning_rate") or usual_rate,
        num_samples=settings.num_samples or given.get("num_samples") or _NUM_SAMPLES,
        out=settings.out or f"runs/{Path(dataset.name).stem}",
        prior=settings.prior or (given.get("prior") if settings.posterior is None else None),
    )


def _network(dataset):
    """Returns the kind of network that suits data by their shape."""
    shape = dataset.event_shape
    if dataset.table is not None:
        return "table"
    if datasets.is_signal(shape):
        return "conv1d"
    image = len(shape) in (2, 3) and min(shape[:2]) >= _CONV_FROM
    return "conv" if image else "mlp"


def _batch_size(count):
    """Returns a power of two of which a few fit into the examples, at most 128."""
    fitting = 2 ** int(math.log2(max(1, count // _BATCHES)))
    return min(_BATCH_SIZE, fitting)


def _of_8_bits(likelihood):
    return likelihood.lower().startswith("discretized")


def _epochs(settings, steps_per_epoch, network, given):
    """Returns the epochs asked for, or those of enough steps."""
    if settings.steps:
        return math.ceil(settings.steps / steps_per_epoch)
    enough = math.ceil(_LEAST_STEPS[network] / steps_per_epoch)
    return settings.epochs or given.get("epochs") or max(_EPOCHS, enough)


def build(settings: "_Chosen", dataset: datasets.Dataset) -> "VAE":
    """Builds the model that the settings name, with new weights.

    Args:
        settings: settings without open ones, see `choose`.
        dataset: the data, for their shape.

    Raises:
        InputError: words that are no piece, or pieces that do not fit together.
    """
    from tfvae.likelihoods.discretized_logistic import EightBitLikelihood

    words = {name: getattr(settings, name) for name in expressions.ROLES}
    likelihood = words.pop("likelihood")
    pieces = {
        name: expressions.piece(text, expressions.ROLES[name])
        for name, text in words.items()
        if text is not None
    }
    if likelihood != suited.COLUMNS:
        pieces["likelihood"] = suited.made(likelihood, dataset.x_train)
    if isinstance(pieces.get("likelihood"), EightBitLikelihood):
        pieces["activation"] = _8_BITS["activation"]
    if settings.condition is not None:
        pieces["condition"] = conditions.of_model(dataset)
    return _built(settings, dataset, pieces)


def _built(settings, dataset, pieces):
    """Returns the model of a network and of pieces."""
    from tfvae import conv1d_vae, conv_vae, mlp_vae, table_vae

    shape, latent_dim, seed = dataset.event_shape, settings.latent_dim, settings.seed
    usual = (256, 256) if math.prod(shape) < _FEW_ELEMENTS else (512, 512)
    if settings.network == "table":
        return table_vae(dataset.table, latent_dim, settings.hidden or usual, seed=seed, **pieces)
    if settings.network == "mlp":
        return mlp_vae(shape, latent_dim, settings.hidden or usual, seed=seed, **pieces)

    builder = conv_vae if settings.network == "conv" else conv1d_vae
    return builder(shape, latent_dim, settings.filters, seed=seed, **pieces)


def describe(dataset: datasets.Dataset, settings: "_Chosen", reason: str | None) -> str:
    """Describes the data and the model of a run in a few lines of text.

    Args:
        dataset: the data.
        settings: settings without open ones, see `choose`.
        reason: why the likelihood was chosen; None if it was asked for.
    """
    shape = " x ".join(map(str, dataset.event_shape))
    lines = [
        f"{dataset.name}: {len(dataset.x_train):,} examples of {shape} to train on, "
        f"{len(dataset.x_test):,} held out ({dataset.note or 'values as given'})",
        f"{settings.network} network, {settings.latent_dim} latents, {settings.likelihood} "
        f"likelihood, {settings.epochs} epochs of batches of {settings.batch_size}, "
        f"seed {settings.seed}",
    ]
    if mapped.is_mapped(dataset.x_train):
        lines.insert(1, "So many are kept on disk while the run is made, and read batch by batch.")
    if settings.prior is not None:
        lines[-1] += f", prior {settings.prior}"
    if dataset.table is not None:
        lines += [f"  {c.name}: {c.kind}, since {c.reason}" for c in dataset.table.columns]
        lines.append("--columns NAME=KIND takes another kind, or leaves the column out (skip).")
    elif reason is not None:
        lines.append(f"The likelihood is chosen since {reason}; --likelihood takes another.")
    if settings.condition is not None:
        names = f": {', '.join(dataset.classes[:10])}" if dataset.classes else ""
        lines.append(f"The model is one of the labels, p(x|z, y){names}.")
    elif dataset.y_train is not None:
        lines.append("There are labels, which training does not use; --condition labels does.")

    return "\n".join(lines)
