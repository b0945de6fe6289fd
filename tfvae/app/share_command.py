"""The command that gives the model of a run to others.

Typer shows the docstring of a command as its help, up to the form feed.
"""

import os
from typing import Annotated

import typer

from tfvae import _files
from tfvae.app import options, screen
from tfvae.app.commands import command

# What goes beside the model, of what a run has.
_SHARED = (
    "decoder.tflite",
    "decoder.json",
    "samples.png",
    "samples.csv",
    "reconstructions.png",
    "config.toml",
)


@command
def share(
    run: options.Run,
    out: Annotated[str | None, typer.Option(help="Folder for the model with its card.")] = None,
    hub: Annotated[
        str | None, typer.Option(help="Name on the Hugging Face hub, such as user/name.")
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Make it private, if it is made on the hub.")
    ] = False,
    license: Annotated[
        str | None, typer.Option(help="Identifier of the licence, such as apache-2.0.")
    ] = None,
) -> None:
    """Write or upload a trained model with a card of its pieces, data and numbers.

    \N{FORM FEED}

    Args:
        run: folder of the run.
        out: folder for the model with its card.
        hub: name on the hub.
        private: True to make it private, if it is made.
        license: identifier of the licence, for the card.
    """
    if private and hub is None:
        raise typer.BadParameter("--private goes with --hub USER/NAME")

    from tfvae.app import run_folder, run_model

    def given():
        report, files = run_folder.opened(run), _files_of(_files.local(run))
        return {"report": report, "license": license, "files": files}

    if out is not None and hub is None:
        vae, _ = run_model.load(run)
        vae.save_pretrained(out, **given())
        screen.result({"out": out}, f"The model and its card are in {out}/")
        screen.say(f"To load it: tfvae.VAE.from_pretrained({out!r})")
    elif hub is not None and out is None:
        vae, _ = run_model.load(run)
        with screen.waiting("Uploading"):
            address = vae.push_to_hub(hub, private=private, **given())
        screen.result({"hub": hub, "commit": address}, f"The model and its card are at {address}")
        screen.say(f"To load it: tfvae.VAE.from_pretrained({hub!r})")
    else:
        raise typer.BadParameter("give --out FOLDER or --hub USER/NAME, one of them")


def _files_of(run):
    """Returns the files of a run that go beside its model."""
    return [run / name for name in _SHARED if os.path.isfile(run / name)]
