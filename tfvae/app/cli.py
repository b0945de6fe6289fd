"""Reads the command line of `tfvae`, and imports TensorFlow only where it is needed."""

import contextlib
import sys
from typing import Annotated

import typer
from rich.markup import escape

from tfvae._version import __version__
from tfvae.app import (
    data_commands,
    file_commands,
    screen,
    series_commands,
    share_command,
    training_commands,
)
from tfvae.errors import InputError, InputTypeError, invalid

# What an extra brings, by the name under which it is imported.
_EXTRAS = {
    "PIL": ("Pillow", "app"),
    "ai_edge_litert": ("LiteRT", "app"),
    "coremltools": ("coremltools", "coreml"),
    "huggingface_hub": ("huggingface_hub", "hub"),
    "jinja2": ("Jinja2", "app"),
    "onnxruntime": ("ONNX Runtime", "onnx"),
    "sklearn": ("scikit-learn", "app"),
    "tf2onnx": ("tf2onnx", "onnx"),
}

app = typer.Typer(
    help="Train, measure, export and sample variational autoencoders.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for function in (
    training_commands.train,
    training_commands.evaluate,
    series_commands.compare,
    series_commands.sweep,
    file_commands.sample,
    data_commands.reconstruct,
    data_commands.interpolate,
    data_commands.encode,
    data_commands.impute,
    data_commands.anomalies,
    file_commands.export,
    file_commands.report,
    file_commands.demo,
    share_command.share,
):
    app.command()(function)


def _show_version(asked: bool) -> None:
    if asked:
        screen.console.print(f"tfvae {__version__}", markup=False)
        raise typer.Exit


@app.callback()
def _of_all(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version, and end."
        ),
    ] = False,
) -> None:
    """Train, measure, export and sample variational autoencoders."""
    screen.choose()


def main() -> None:
    """Runs the command. A user's mistake ends in one message and exit status 2."""
    from tfvae.app.quiet_stderr import native_stderr, open_closed_streams

    open_closed_streams()
    loud = {"-v", "--verbose"} & set(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # where there is no letter for ±
    try:
        with contextlib.nullcontext() if loud else native_stderr(), _memory_in_words():
            app()
    except ModuleNotFoundError as error:
        if error.name not in _EXTRAS:
            raise
        package, extra = _EXTRAS[error.name]
        fix = f"pip install 'tfvae[{extra}]'"
        _end(invalid(f"{package}, which this needs", "it is not installed", fix))
    except (InputError, InputTypeError, OSError) as error:
        _end(error)


@contextlib.contextmanager
def _memory_in_words():
    """Refuses what does not fit into the memory, of which NumPy and TensorFlow have own errors."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, MemoryError) and type(error).__name__ != "ResourceExhaustedError":
            raise
        # Python's own error may say nothing, and TensorFlow's has names of its own around it.
        said = str(error).rpartition("}} ")[2].partition(" on /job")[0] or type(error).__name__
        fix = "smaller networks (--hidden, --filters, --latent-dim), or fewer and smaller examples"
        expected = "a model and data that fit into the memory"
        raise invalid(expected, said.splitlines()[0][:200], fix) from error


def _end(error):
    """Ends the command with the message of an error."""
    screen.errors.print(f"[red]tfvae:[/red] {escape(str(error))}", soft_wrap=True)
    sys.exit(2)
