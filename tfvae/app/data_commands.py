"""The commands that use a trained model on data.

Typer shows the docstring of a command as its help, up to the form feed.
"""

from typing import Annotated, Any

import typer

from tfvae.app import options, screen, tables
from tfvae.app.commands import command


@command
def reconstruct(
    run: options.Run,
    data: options.OptionalData = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="How many. Default all, or 64 in a picture.")
    ] = None,
    out: Annotated[
        str, typer.Option(help="A .png, or .npz, .csv or .parquet.")
    ] = "reconstructions.png",
    data_dir: options.DataDir = None,
) -> None:
    """Reconstruct held-out examples, or data of yours, by the trained model.

    \N{FORM FEED}

    Args:
        run: folder of the run.
        data: name or path of the data; default what the run has held out.
        count: how many examples.
        out: the file to write.
        data_dir: folder of named data sets; default the one of the run.
    """
    from tfvae.app import uses

    found = uses.reconstruct(run, data, count, out, data_dir)
    screen.result(found, f"{found['examples']:,} examples {found['source']} in {out}")


@command
def interpolate(
    run: options.Run,
    data: options.OptionalData = None,
    pairs: Annotated[int, typer.Option(min=1, help="How many strips.")] = 8,
    steps: Annotated[int, typer.Option(min=2, help="Pictures in a strip.")] = 10,
    out: Annotated[str, typer.Option(help="A .png, or .npz.")] = "interpolations.png",
    data_dir: options.DataDir = None,
) -> None:
    """Draw strips of pictures on the way from one example to another.

    \N{FORM FEED}

    Args:
        run: folder of the run.
        data: name or path of the data; default what the run has held out.
        pairs: how many strips.
        steps: pictures in a strip.
        out: the file to write.
        data_dir: folder of named data sets; default the one of the run.
    """
    from tfvae.app import uses

    found = uses.interpolate(run, data, pairs, steps, out, data_dir)
    screen.result(found, f"{found['strips']} strips between examples {found['source']} in {out}")


@command
def encode(
    run: options.Run,
    data: options.OptionalData = None,
    out: Annotated[str, typer.Option(help="A .npz, .csv or .parquet.")] = "latents.npz",
    data_dir: options.DataDir = None,
) -> None:
    """Write the latents of examples: means and scales of q(z|x).

    \N{FORM FEED}

    Args:
        run: folder of the run.
        data: name or path of the data; default what the run has held out.
        out: the file to write.
        data_dir: folder of named data sets; default the one of the run.
    """
    from tfvae.app import uses

    found = uses.encode(run, data, out, data_dir)
    arrays = ", ".join(f"{name} {shape}" for name, shape in found["arrays"].items())
    screen.result(found, f"{arrays} of the examples {found['source']} in {out}")


@command
def impute(
    run: options.Run,
    data: Annotated[str, typer.Argument(help="Data with NaN where a number is missing.")],
    num_samples: Annotated[int, typer.Option(min=1, max=8192, help="Latents per example.")] = 1000,
    draws: Annotated[
        int | None, typer.Option(min=1, help="Draw so many complete data sets, into a .npz.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1)] = 0,
    out: Annotated[str, typer.Option(help="A .npz, .csv, .parquet or .png.")] = "imputed.npz",
    data_dir: options.DataDir = None,
) -> None:
    """Fill in what is missing in data, by a model that was trained with Observed(...).

    \N{FORM FEED}

    Args:
        run: folder of the run.
        data: name or path of the data.
        num_samples: latents per example.
        draws: how many completed data sets to draw; default the expectation.
        seed: seed of latents and draws.
        out: the file to write.
        data_dir: folder of named data sets; default the one of the run.
    """
    from tfvae.app import uses

    found = uses.impute(run, data, num_samples, draws, seed, out, data_dir)
    told = f"{found['filled in']:,} of {found['of']:,} numbers filled in"
    screen.result(found, f"{told}, of {found['examples']:,} examples in {out}")


@command
def anomalies(
    run: options.Run,
    data: options.OptionalData = None,
    quantile: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the held-out examples below the threshold."),
    ] = 0.01,
    num_samples: options.NumSamples = 500,
    num_examples: options.NumExamples = 1000,
    out: Annotated[str, typer.Option(help="A .csv, .parquet or .npz.")] = "anomalies.csv",
    data_dir: options.DataDir = None,
) -> None:
    """Rank examples by their log-likelihood, the least likely first.

    \N{FORM FEED}

    Args:
        run: folder of the run.
        data: name or path of the data; default what the run has held out.
        quantile: share of the held-out examples below the threshold.
        num_samples: importance samples per example.
        num_examples: held-out examples that give the threshold; 0 for all.
        out: the table to write.
        data_dir: folder of named data sets; default the one of the run.
    """
    from tfvae.app import anomalies as of_data

    found = of_data.find(run, data, quantile, num_samples, num_examples, out, data_dir)
    screen.result(found, tables.of_anomalies(found), *_told(found))


def _told(found: dict[str, Any]) -> list[str]:
    """Returns lines that say what was found, and how far to trust the threshold."""
    lines = [
        f"{found['anomalies']:,} of {found['examples']:,} examples {found['source']} are less "
        f"likely than {found['threshold']:.2f} nats, the quantile {found['quantile']} of "
        f"{found['held_out']:,} held-out examples."
    ]
    if found["quantile"] * found["held_out"] < 1:
        lines.append(
            f"So few held-out examples have no quantile {found['quantile']}: the threshold is "
            "near the least likely of them. Hold out more, or give a larger --quantile."
        )
    pictures = f", the least likely drawn in {found['picture']}" if found["picture"] else ""
    lines.append(f"All are ranked in {found['out']}{pictures}")
    return lines
