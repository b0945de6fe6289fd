"""Reads the command line of `tfvae`, and imports TensorFlow only where it is needed.

Typer shows the docstring of a command as its help, up to the form feed.
"""

import sys
from typing import Annotated

import typer
from rich.console import Console

from tfvae.app import options, tables
from tfvae.errors import InputError, InputTypeError

app = typer.Typer(
    help="Train, measure, export and sample variational autoencoders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(highlight=False)


@app.command()
def train(
    context: typer.Context,
    data: options.Data = "digits",
    data_dir: options.DataDir = None,
    latent_dim: options.LatentDim = None,
    network: options.NetworkName = options.Network.auto,
    likelihood: options.Likelihood = "auto",
    prior: options.Prior = None,
    posterior: options.Posterior = None,
    objective: options.Objective = None,
    estimator: options.Estimator = None,
    hidden: options.Hidden = None,
    filters: options.Filters = None,
    image_size: options.ImageSize = None,
    columns: options.Columns = None,
    epochs: options.Epochs = None,
    steps: options.Steps = None,
    batch_size: options.BatchSize = None,
    learning_rate: options.LearningRate = None,
    num_samples: options.NumSamples = 500,
    num_examples: options.NumExamples = 1000,
    seed: options.Seed = 0,
    out: options.Out = None,
    overwrite: options.Overwrite = False,
    resume: options.Resume = None,
) -> None:
    """Train a VAE, measure it on held-out data, export it, and draw samples from the file.

    \N{FORM FEED}

    Args:
        context: what was typed.
        data: name or path of the data.
        data_dir: folder of named data sets.
        latent_dim: size of the latent, D.
        network: kind of the networks.
        likelihood: p(x|z) in Python's words, or "auto".
        prior: p(z), likewise.
        posterior: q(z|x), likewise.
        objective: the bound, likewise.
        estimator: the gradient estimator, likewise.
        hidden: widths of the hidden layers, with commas.
        filters: channels of the convolutions, with commas.
        image_size: pixels a side of the images of a folder.
        columns: kinds of a table's columns.
        epochs: passes over the training examples.
        steps: steps of training, in place of epochs.
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
        data=data, data_dir=data_dir, latent_dim=latent_dim, network=network.value,
        likelihood=likelihood, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate,
        num_samples=num_samples, num_examples=num_examples, seed=seed, out=out, prior=prior,
        posterior=posterior, objective=objective, estimator=estimator,
        hidden=options.widths("hidden", hidden), filters=options.widths("filters", filters),
        image_size=image_size, steps=steps, columns=options.kinds(columns),
    )  # fmt: skip
    report = train_command.run(context, settings, overwrite, resume, _say)

    table = tables.of_evaluation(report["evaluation"])
    tables.add_export(table, report["export"])
    console.print(table)
    if "columns" in report:
        console.print(tables.of_columns(report["columns"]))
    _say(f"{report['seconds']['all']:.0f} s in all. The run is in {report['settings']['out']}/")


@app.command()
def evaluate(
    run: Annotated[str, typer.Argument(help="Folder of a run.")],
    num_samples: Annotated[
        int, typer.Option(min=1, help="Importance samples per held-out example.")
    ] = 5000,
    num_examples: options.NumExamples = 1000,
    data_dir: options.DataDir = None,
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
    batch_size: options.BatchSizes = None,
    encoder: Annotated[
        bool, typer.Option("--encoder", help="Include encode, reconstruct and interpolate.")
    ] = False,
    quantization: Annotated[
        options.Quantization, typer.Option(help="Precision of the networks in the TFLite file.")
    ] = options.Quantization.none,
    max_quality_loss: Annotated[
        float | None, typer.Option(help="Refuse a file that loses more nats than this.")
    ] = None,
    data_dir: options.DataDir = None,
    web: Annotated[
        str | None, typer.Option(help="Folder for a page that samples in the browser.")
    ] = None,
    litert: options.Litert = None,
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

    from tfvae.app import runs

    vae, settings = runs.load(run)
    data = runs.held_out_of(settings, data_dir) if encoder else None
    precision = None if quantization is options.Quantization.none else quantization.value
    how = (tuple(batch_size or [1]), encoder, precision, data, max_quality_loss)

    table = tables.new_table()
    if out is not None:
        tables.add_export(table, runs.export(vae, out, *how))
    if web is not None:
        size = runs.export_web(vae, web, litert, precision, max_quality_loss)
        table.add_row("the page", f"{size / 1000:,.0f} kB", "")
    if app_folder is not None:
        size = runs.export_app(vae, app_folder, *how)
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
    litert: options.Litert = None,
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
