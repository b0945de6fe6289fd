"""The options of the command, as Typer reads them."""

import enum
from typing import Annotated

import typer

MANY = 10**9  # so that what is computed from a number fits into 64 bits
FIRST_DATA = "mnist_5k"  # what `tfvae train` learns if it is given nothing else


class Network(str, enum.Enum):
    """Values of `--network`."""

    auto = "auto"
    mlp = "mlp"
    conv = "conv"
    conv1d = "conv1d"
    table = "table"


class ImageFit(str, enum.Enum):
    """Values of `--image-fit`."""

    crop = "crop"
    pad = "pad"


class Strategy(str, enum.Enum):
    """Values of `--strategy`."""

    mirrored = "mirrored"
    multiworker = "multiworker"


class Quantization(str, enum.Enum):
    """Values of `--quantization`."""

    none = "none"
    float16 = "float16"
    dynamic_int8 = "dynamic_int8"
    int8 = "int8"


Seed = Annotated[
    int, typer.Option(min=0, max=2**31 - 1, help="Of the weights, the noise and the pictures.")
]
NumExamples = Annotated[
    int, typer.Option(min=0, help="Held-out examples to evaluate, from the first; 0 for all.")
]
DataDir = Annotated[
    str | None,
    typer.Option(help="Folder of named data sets. Default $TFVAE_DATA, else the user cache."),
]
Data = Annotated[
    str,
    typer.Argument(
        help="mnist_5k, digits, mnist, fashion_mnist, binarized_mnist, shapes, tfds:NAME, a .npz, "
        ".npy, .csv, .parquet, .tfrecord, or folder of images."
    ),
]
Run = Annotated[str, typer.Argument(help="Folder of a run.")]
OptionalData = Annotated[
    str | None,
    typer.Argument(help="Name or path of data. Default: what the run has held out."),
]
Litert = Annotated[
    str | None,
    typer.Option(help="node_modules with @litertjs/core, to work offline. Default: from jsDelivr."),
]
BatchSizes = Annotated[
    list[int] | None,
    typer.Option(min=1, help="Static batch of the file; may be given several times."),
]
LatentDim = Annotated[
    int | None,
    typer.Option(min=1, max=MANY, help="Size of the latent. Default 16 or 32, of digits 8."),
]
NetworkName = Annotated[
    Network,
    typer.Option(help="auto: conv for images from 16 pixels a side, conv1d for signals [T, C]."),
]
Likelihood = Annotated[
    str,
    typer.Option(help="p(x|z) in Python's words, such as 'Normal(0.1)'. auto: by the values."),
]
Prior = Annotated[str | None, typer.Option(help="p(z), such as 'VampPrior(100)'.")]
Posterior = Annotated[
    str | None, typer.Option(help="q(z|x), such as 'Flow(flows.InverseAutoregressive())'.")
]
Objective = Annotated[
    str | None,
    typer.Option(help="The bound, such as 'IWAE(5)' or 'ELBO(beta=4.0) + 10.0 * MMD()'."),
]
Estimator = Annotated[
    str | None, typer.Option(help="The gradient estimator, such as 'DoublyReparameterized()'.")
]
Hidden = Annotated[
    str | None, typer.Option(help="Widths of the hidden layers of mlp, such as 512,512.")
]
Filters = Annotated[
    str | None, typer.Option(help="Channels after each halving of conv, such as 32,64.")
]
ImageSize = Annotated[
    int | None,
    typer.Option(min=4, help="Pixels a side to which the images of a folder are brought."),
]
Fit = Annotated[
    ImageFit,
    typer.Option(help="How images of another shape are brought to it: cut, or with black added."),
]
Condition = Annotated[
    str | None, typer.Option(help="labels, for a model p(x|z, y) of the data's labels.")
]
Columns = Annotated[
    str | None,
    typer.Option(
        help="Kinds of a table's columns, such as age=real,id=skip, or what features of records "
        "are, such as pixels=28x28x1,digit=y. Default: by value."
    ),
]
Epochs = Annotated[
    int | None, typer.Option(min=1, max=MANY, help="Default 20, or as many as a few examples need.")
]
Steps = Annotated[
    int | None, typer.Option(min=1, max=MANY, help="Steps of training, in place of epochs.")
]
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="Default 128, or fewer of few examples.")
]
LearningRate = Annotated[
    float | None,
    typer.Option(min=1e-9, max=1e3, help="Of Adam; falls to 0 on a cosine. Default 2e-3."),
]
TrainNumSamples = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MANY,
        help="Importance samples per held-out example. Default 500; 200 for mnist_5k.",
    ),
]
NumSamples = Annotated[
    int, typer.Option(min=1, max=MANY, help="Importance samples per held-out example.")
]
Out = Annotated[str | None, typer.Option(help="Folder of the run. Default runs/DATA.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace a run, once the new one is finished.")
]
EarlyStopping = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="End after so many epochs in which a tenth of the training examples, kept back, got "
        "no likelier; keep the best weights.",
    ),
]
Strategies = Annotated[
    Strategy | None,
    typer.Option(
        help="Share each batch among all GPUs of this machine, or among the workers that TF_CONFIG "
        "names. Default: one device.",
    ),
]
PrintConfig = Annotated[
    bool, typer.Option("--print-config", help="Print all settings as chosen, and do not train.")
]
Seeds = Annotated[
    int | None,
    typer.Option(
        min=2,
        help="Train so many runs, of this --seed and those after it, and compare them. Again, to "
        "go on after a stop.",
    ),
]
Resume = Annotated[str | None, typer.Option(help="Go on with this run, that was stopped. Alone.")]


def kinds(text: str | None) -> tuple[str, ...] | None:
    """Returns the parts of `--columns age=real,id=skip`.

    Args:
        text: what was typed, or None.

    Raises:
        BadParameter: a part without a name or a kind.
    """
    if text is None:
        return None
    found = tuple(part.strip() for part in text.split(","))
    if not all("=" in part and all(part.rsplit("=", 1)) for part in found):
        raise typer.BadParameter(f"--columns takes NAME=KIND, with commas between, not {text!r}")
    return found


def _take_config(context: typer.Context, path: str | None) -> str | None:
    """Takes the options that are not typed from a file."""
    if path is not None:
        from tfvae.app import config_file

        context.default_map = config_file.read(path)
    return path


Config = Annotated[
    str | None,
    typer.Option(
        callback=_take_config,
        is_eager=True,
        help="A TOML file with values of these options, such as the config.toml of a run. What is "
        "typed beside it counts more.",
    ),
]


def widths(name: str, text: str | None) -> tuple[int, ...] | None:
    """Returns the numbers of an option such as `--hidden 512,512`.

    Args:
        name: name of the option.
        text: what was typed, or None.

    Raises:
        BadParameter: anything but whole numbers from 1 between commas.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise typer.BadParameter(f"--{name} takes whole numbers such as 512,512, not {text!r}")

    if max(map(len, parts)) > len(str(MANY)) or not all(1 <= int(part) <= MANY for part in parts):
        raise typer.BadParameter(f"--{name} takes numbers from 1 to {MANY:,}, not {text[:40]!r}")
    return tuple(map(int, parts))
