"""The commands that write and use exported files.

Typer shows the docstring of a command as its help, up to the form feed.
"""

from typing import Annotated, Any

import typer

from tfvae.app import options, screen, tables
from tfvae.app.commands import command


@command
def sample(
    run_or_file: Annotated[str, typer.Argument(help="Folder of a run, or a .tflite file.")],
    count: Annotated[
        int, typer.Option(min=1, max=options.MANY, help="How many; millions into a file.")
    ] = 16,
    seed: Annotated[int, typer.Option(min=-(2**31), max=2**32 - 1)] = 0,
    draw: Annotated[
        bool, typer.Option("--draw", help="Draw x from p(x|z), in place of its mean.")
    ] = False,
    label: Annotated[
        str | None, typer.Option(help="Of all samples, a number or a name. Default: all in turn.")
    ] = None,
    out: Annotated[
        str, typer.Option(help="A picture, .png, or numbers, .npz or .csv.")
    ] = "samples.png",
) -> None:
    """Draw samples with LiteRT from an exported file, as a picture or as numbers.

    \N{FORM FEED}

    Args:
        run_or_file: folder of a run, or a `.tflite`.
        count: how many samples.
        seed: seed of the samples.
        draw: True to draw x from p(x|z), in place of its mean.
        label: the label of all samples, of a model of labels.
        out: the file to write.
    """
    from tfvae.app import runs

    runs.sample(run_or_file, count, seed, out, draw, label)
    found = {"out": out, "count": count, "seed": seed, "draw": draw}
    screen.result(found, f"{count:,} samples of seed {seed} in {out}")


@command
def export(
    run: options.Run,
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
    onnx: Annotated[
        str | None, typer.Option(help="Folder for an ONNX file of each signature.")
    ] = None,
    coreml: Annotated[
        str | None, typer.Option(help="Folder for Core ML packages; on macOS.")
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
        onnx: folder for an ONNX file of each signature.
        coreml: folder for Core ML packages.
    """
    _check_places(out, web, app_folder, onnx or coreml)
    if litert is not None and web is None:
        raise typer.BadParameter("--litert goes with --web FOLDER")
    _check_sizes(batch_size, encoder, out or app_folder, onnx or coreml)

    from tfvae.app import other_formats, runs

    other_formats.check_ready(onnx, coreml)
    vae, settings = runs.load(run)
    data, y = None, None
    if encoder or settings.condition is not None:
        examples, y = runs.held_out_of(settings, data_dir)
        data = examples if encoder else None
    precision = None if quantization is options.Quantization.none else quantization.value
    how = (tuple(batch_size or [1]), encoder, precision, data, max_quality_loss, y)

    table, found = tables.new_table(), dict[str, Any]()
    if out is not None:
        found["out"] = runs.export(vae, out, *how)
        tables.add_export(table, found["out"])
    if web is not None:
        with screen.waiting("Writing the page"):
            found["web"] = runs.export_web(vae, web, litert, precision, max_quality_loss)
        table.add_row("the page", f"{found['web'] / 1000:,.0f} kB", "")
    if app_folder is not None:
        with screen.waiting("Writing the app"):
            found["app"] = runs.export_app(vae, app_folder, *how)
        table.add_row("for an app", f"{found['app'] / 1000:,.0f} kB", "")
    for name, folder in {"onnx": onnx, "coreml": coreml}.items():
        if folder is not None:
            with screen.waiting(f"Writing and measuring {folder}"):
                found[name] = other_formats.WRITERS[name](vae, folder, encoder)
            tables.add_differences(table, found[name])
    screen.result(found, table)
    _say_what_next(web, app_folder)


def _check_places(*places):
    """Refuses a call that would write nothing."""
    if not any(places):
        wanted = "--out FOLDER, --web FOLDER, --app FOLDER, --onnx FOLDER, --coreml FOLDER"
        raise typer.BadParameter(f"give {wanted}, or several of them")


def _check_sizes(batch_size, encoder, for_tflite, for_others):
    """Refuses options that no file of the call would follow."""
    if batch_size and not for_tflite:
        raise typer.BadParameter("--batch-size goes with --out or --app FOLDER")
    if encoder and not (for_tflite or for_others):
        raise typer.BadParameter("--encoder goes with --out, --app, --onnx or --coreml FOLDER")


def _say_what_next(web, app_folder):
    if web is not None:
        screen.say(f"To see it: tfvae demo {web}")
    if app_folder is not None:
        screen.say(f"What to do with it: {app_folder}/README.md")


@command
def report(
    run: options.Run,
    data_dir: options.DataDir = None,
    litert: Annotated[
        str | None,
        typer.Option(
            help="node_modules with @litertjs/core: the page runs the exported model, offline."
        ),
    ] = None,
) -> None:
    """Write the page of a run, report.html, anew.

    \N{FORM FEED}

    Args:
        run: folder of the run.
        data_dir: folder of named data sets; default the one of the run.
        litert: `node_modules` folder with LiteRT.js, for a page that runs the exported model.
    """
    from tfvae.app.report_page.again import again

    page = str(again(run, data_dir, litert))
    screen.result({"out": page}, f"The page of the run is {page}")


@command
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

    # The folder of a page that was made is gone before it is said that the command has ended.
    try:
        with (
            demo_server.ended_by_signals(),
            demo_server.folder_with_page(run_or_folder, litert) as folder,
            demo_server.make_server(folder, port) as server,
        ):
            address = f"http://{demo_server.HOST}:{server.server_port}/"
            told = f"{run_or_folder} is at {address}  (Ctrl-C ends)"
            screen.result({"address": address}, told)
            if not no_browser:
                webbrowser.open(address)
            server.serve_forever()
    except KeyboardInterrupt:
        screen.say("Ended.")
