"""Reads the command line of `tfvae`, and imports TensorFlow only where it is needed.

Typer shows the docstring of a command as its help, up to the form feed.
"""

import enum
import sys
from typing import Annotated

import typer
from rich.console import Console

from tfvae.app import tables
from tfvae.errors import InputError, InputTypeError

app = typer.Typer(
    help="Train, measure, export and sample variational autoencoders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(highlight=False)


class Network(str, enum.Enum):
    """Values of `--network`."""

    auto = "auto"
    mlp = "mlp"
    conv = "conv"


class LikelihoodName(str, enum.Enum):
    """Values of `--likelihood`."""

    auto = "auto"
    bernoulli = "bernoulli"
    normal = "normal"


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
        help="digits, mnist, fashion_mnist, binarized_mnist, a .npz, .npy, or folder of images."
    ),
]
Litert = Annotated[
    str | None,
    typer.Option(help="node_modules with @litertjs/core, to work offline. Default: from jsDelivr."),
]
BatchSizes = Annotated[
    list[int] | None,
    typer.Option(min=1, help="Static batch of the file; may be given several times."),
]


@app.command()
def train(
    context: typer.Context,
    data: Data = "digits",
    data_dir: DataDir = None,
    latent_dim: Annotated[int | None, typer.Option(min=1, help="Size of the latent.")] = None,
    network: Annotated[
        Network, typer.Option(help="auto: conv for images of 16 pixels a side or more.")
    ] = Network.auto,
    likelihood: Annotated[
        LikelihoodName, typer.Option(help="auto: bernoulli for values from 0 to 1.")
    ] = LikelihoodName.auto,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Default 20; 120 for the digits.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Default 128; 64 for the digits.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=1e-9, help="Of Adam; falls to 0 on a cosine. Default 2e-3.")
    ] = None,
    num_samples: Annotated[
        int, typer.Option(min=1, help="Importance samples per held-out example.")
    ] = 500,
    num_examples: NumExamples = 1000,
    seed: Seed = 0,
    out: Annotated[str | None, typer.Option(help="Folder of the run. Default runs/DATA.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a run, once the new one is finished.")
    ] = False,
    resume: Annotated[
        str | None, typer.Option(help="Go on with this run, that was stopped. Alone.")
    ] = None,
) -> None:
    """Train a VAE, measure it on held-out data, export it, and draw samples from the file.

    \N{FORM FEED}

    Args:
        context: what was typed.
        data: name or path of the data.
        data_dir: folder of named data sets.
        latent_dim: size of the latent, D.
        network: kind of the networks.
        likelihood: kind of p(x|z).
        epochs: passes over the training examples.
        batch_size: examples in a batch.
        learning_rate: learning rate of Adam at the start.
        num_samples: importance samples per held-out example.
        num_examples: held-out examples to evaluate; 0 for all.
        seed: seed of the weights, the noise and the pictures.
        out: folder of the run.
        overwrite: True to replace a run by the finished new one.
        resume: folder of a run that was stopped, to go on with.
    """
    from tfvae.app import train_command
    from tfvae.app.settings import Settings

    settings = Settings(
        data, data_dir, latent_dim, network.value, likelihood.value, epochs,
        batch_size, learning_rate, num_samples, num_examples, seed, out,
    )  # fmt: skip
    report = train_command.run(context, settings, overwrite, resume, _say)

    table = tables.of_evaluation(report["evaluation"])
    tables.add_export(table, report["export"])
    console.print(table)
    _say(f"{report['seconds']['all']:.0f} s in all. The run is in {report['settings']['out']}/")


@app.command()
def evaluate(
    run: Annotated[str, typer.Argument(help="Folder of a run.")],
    num_samples: Annotated[
        int, typer.Option(min=1, help="Importance samples per held-out example.")
    ] = 5000,
    num_examples: NumExamples = 1000,
    data_dir: DataDir = None,
) -> None:
    """Estimate the log-likelihood of held-out data under a trained model.

    \N{FORM FEED}

    Args:
        run: folder of the run.
        num_samples: importance samples per held-out example.
        num_examples: held-out examples to evaluate; 0 for all.
        data_dir: folder of named data sets; default the one of the run.
    """
    from tfvae.app import runs

    console.print(
        tables.of_evaluation(runs.evaluate(run, num_samples, num_examples, data_dir).to_dict())
    )


@app.command()
def sample(
    run_or_file: Annotated[str, typer.Argument(help="Folder of a run, or a .tflite file.")],
    count: Annotated[int, typer.Option(min=1)] = 16,
    seed: Annotated[int, typer.Option(min=-(2**31), max=2**32 - 1)] = 0,
    out: Annotated[str, typer.Option(help="The picture to write.")] = "samples.png",
) -> None:
    """Draw a grid of samples with LiteRT from an exported file.

    \N{FORM FEED}

    Args:
        run_or_file: folder of a run, or a `.tflite`.
        count: how many samples.
        seed: seed of the samples.
        out: the picture to write.
    """
    from tfvae.app import runs

    runs.sample(run_or_file, count, seed, out)
    _say(f"{count} samples of seed {seed} in {out}")


@app.command()
def export(
    run: Annotated[str, typer.Argument(help="Folder of a run.")],
    out: Annotated[str | None, typer.Option(help="Folder for the files.")] = None,
    batch_size: BatchSizes = None,
    encoder: Annotated[
        bool, typer.Option("--encoder", help="Include encode, reconstruct and interpolate.")
    ] = False,
    quantization: Annotated[
        Quantization, typer.Option(help="Precision of the networks in the TFLite file.")
    ] = Quantization.none,
    max_quality_loss: Annotated[
        float | None, typer.Option(help="Refuse a file that loses more nats than this.")
    ] = None,
    data_dir: DataDir = None,
    web: Annotated[
        str | None, typer.Option(help="Folder for a page that samples in the browser.")
    ] = None,
    litert: Litert = None,
    app_folder: Annotated[
        str | None,
        typer.Option("--app", help="Folder for the file with Kotlin, Swift and JavaScript."),
    ] = None,
) -> None:
    """Write a trained model as a SavedModel and a measured TFLite file, as a page, or for an app.

    \N{FORM FEED}

    Args:
        run: folder of the run.
        out: folder for the files.
        batch_size: static batch sizes of the TFLite file.
        encoder: True to include the signatures that take x.
        quantization: precision of the networks in the TFLite file.
        max_quality_loss: the largest increase of the distortion allowed, in nats per example.
        data_dir: folder of named data sets; default the one of the run.
        web: folder for a page that samples in the browser.
        litert: `node_modules` folder with LiteRT.js for the page.
        app_folder: folder for the TFLite file with sources for Android, iOS and the web.
    """
    if out is None and web is None and app_folder is None:
        raise typer.BadParameter("give --out FOLDER, --web FOLDER, --app FOLDER, or several")
    if litert is not None and web is None:
        raise typer.BadParameter("--litert goes with --web FOLDER")
    if out is None and app_folder is None and (batch_size or encoder):
        raise typer.BadParameter("--batch-size and --encoder go with --out or --app FOLDER")

    from tfvae.app import app_export, runs

    vae, settings = runs.load(run)
    data = runs.held_out_of(settings, data_dir) if encoder else None
    precision = None if quantization is Quantization.none else quantization.value
    options = (tuple(batch_size or [1]), encoder, precision, data, max_quality_loss)

    table = tables.new_table()
    if out is not None:
        tables.add_export(table, runs.export(vae, out, *options))
    if web is not None:
        size = runs.export_web(vae, web, litert, precision, max_quality_loss)
        table.add_row("the page", f"{size / 1000:,.0f} kB", "")
    if app_folder is not None:
        size = app_export.export_app(vae, app_folder, *options)
        table.add_row("for an app", f"{size / 1000:,.0f} kB", "")
    console.print(table)
    if web is not None:
        _say(f"To see it: tfvae demo {web}")
    if app_folder is not None:
        _say(f"What to do with it: {app_folder}/README.md")


@app.command()
def demo(
    run_or_folder: Annotated[
        str, typer.Argument(help="Folder of a run or of a page, or a .tflite file.")
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only serve; open nothing.")
    ] = False,
    litert: Litert = None,
) -> None:
    """Sample in the browser, from a server on this machine that only this machine reaches.

    \N{FORM FEED}

    Args:
        run_or_folder: folder of a run or of a page, or a `.tflite`.
        port: port of the server; 0 for a free one.
        no_browser: True to serve only, and open nothing.
        litert: `node_modules` folder with LiteRT.js for the page.
    """
    import webbrowser

    from tfvae.app import demo_server

    with (
        demo_server.page_of(run_or_folder, litert) as folder,
        demo_server.server_of(folder, port) as server,
    ):
        address = f"http://{demo_server.HOST}:{server.server_port}/"
        _say(f"{run_or_folder} is at {address}  (Ctrl-C ends)")
        if not no_browser:
            webbrowser.open(address)

        try:
            server.serve_forever()
        except KeyboardInterrupt:
            _say("Ended.")


def main() -> None:
    """Runs the command. A user's mistake ends in one message and exit status 2."""
    from tfvae.app.quiet_stderr import native_stderr

    try:
        with native_stderr():
            app()
    except (InputError, InputTypeError, OSError) as error:
        Console(stderr=True, highlight=False).print(
            f"[red]tfvae:[/red] {_escape(error)}", soft_wrap=True
        )
        sys.exit(2)


def _say(text):
    """Prints a line of text as it is."""
    console.print(text, soft_wrap=True, markup=False)


def _escape(error):
    """Returns the message of an error, with Rich's markup escaped."""
    from rich.markup import escape

    return escape(str(error))
