"""Writes what a run holds beside its model: exported files, pages and pictures."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae import _files, datasets, plots
from tfvae._files.listing import read_json
from tfvae.app import conditions, data_files, rows, screen
from tfvae.app.run_folder import (
    MODEL,
    RECONSTRUCTIONS,
    REPORT,
    ROWS,
    SAMPLES,
    SAVED_MODEL,
    TFLITE,
    opened,
)
from tfvae.errors import invalid

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

_PAGE = 4096  # samples drawn at once
_OF_ARRAYS = (data_files.PICTURE, ".npz", ".csv")  # the files of samples that are no rows
_MOST_DRAWN = 10_000  # in a picture


def export(
    vae: "VAE",
    out: str | os.PathLike[str],
    batch_size: int | Sequence[int] = 1,
    include_encoder: bool = False,
    quantization: str | None = None,
    data: np.ndarray | None = None,
    max_quality_loss: float | None = None,
    data_y: np.ndarray | None = None,
) -> dict[str, Any]:
    """Writes the SavedModel and the TFLite file of a model into a folder.

    Args:
        vae: the model.
        out: the folder.
        batch_size: one or several static batch sizes of the TFLite file.
        include_encoder: True to include the signatures that take x.
        quantization: of the TFLite file, see `tfvae.export.to_tflite`.
        data: held-out examples `[N, *event]`, to calibrate and measure the TFLite file with.
        max_quality_loss: the largest increase of the distortion allowed, in nats per example.
        data_y: conditions of the examples `[N, ...]`, of a conditional model.

    Returns:
        `{"sizes": {file: bytes}, "parity": quality of the TFLite file}`.

    Raises:
        InputError: as `tfvae.export.to_tflite` and `to_saved_model`.
    """
    from tfvae.export import to_saved_model, to_tflite

    out = _files.local(out)
    with screen.waiting(f"Writing and measuring {TFLITE}"):
        metadata = to_tflite(
            vae,
            out / TFLITE,
            quantization,
            batch_size,
            include_encoder=include_encoder,
            data=data,
            data_y=data_y,
            max_quality_loss=max_quality_loss,
        )
    with screen.waiting(f"Writing {SAVED_MODEL}"):
        to_saved_model(vae, out / SAVED_MODEL)

    return {
        "sizes": {
            name: _size(out / name)
            for name in (MODEL, SAVED_MODEL, TFLITE)
            if (out / name).exists()
        },
        "parity": metadata["quality"],
    }


def export_web(
    vae: "VAE",
    out: str | os.PathLike[str],
    litert: str | os.PathLike[str] | None = None,
    quantization: str | None = None,
    max_quality_loss: float | None = None,
) -> int:
    """Writes the page of a model.

    Args:
        vae: the model.
        out: the folder of the page.
        litert: `node_modules` folder with LiteRT.js, or None to load it from jsDelivr.
        quantization: of the page's model, see `tfvae.export.to_tflite`.
        max_quality_loss: the largest increase of the distortion allowed, in nats per example.

    Returns:
        The size of the folder, in bytes.

    Raises:
        InputError: as `tfvae.export.to_web`.
    """
    from tfvae.export import to_web

    to_web(vae, out, litert=litert, quantization=quantization, max_quality_loss=max_quality_loss)
    return _size(Path(out))


def export_app(
    vae: "VAE",
    folder: str | os.PathLike[str],
    batch_size: int | Sequence[int] = 1,
    include_encoder: bool = False,
    quantization: str | None = None,
    data: np.ndarray | None = None,
    max_quality_loss: float | None = None,
    data_y: np.ndarray | None = None,
) -> int:
    """Writes the TFLite file of a model with sources for Android, iOS and the web.

    Args:
        vae: the model.
        folder: the folder.
        batch_size: one or several static batch sizes.
        include_encoder: True to include the signatures that take x.
        quantization: of the file, see `tfvae.export.to_tflite`.
        data: held-out examples `[N, *event]`, to calibrate and measure the file with.
        max_quality_loss: the largest increase of the distortion allowed, in nats per example.
        data_y: conditions of the examples `[N, ...]`, of a conditional model.

    Returns:
        The size of the TFLite file, in bytes.

    Raises:
        InputError: as `tfvae.export.to_app`.
    """
    from tfvae.export import to_app

    metadata = to_app(
        vae,
        folder,
        quantization=quantization,
        batch_size=batch_size,
        include_encoder=include_encoder,
        data=data,
        data_y=data_y,
        max_quality_loss=max_quality_loss,
    )
    return metadata["bytes"]


def sample(
    run_or_file: str | os.PathLike[str],
    count: int,
    seed: int,
    out: str | os.PathLike[str],
    draw: bool = False,
    label: str | None = None,
    known_y: np.ndarray | None = None,
) -> None:
    """Draws samples from an exported file, without TensorFlow.

    Args:
        run_or_file: folder of a run, or a `.tflite` with its sidecar beside it.
        count: how many samples.
        seed: seed of the samples, from -2^31 to 2^32 - 1.
        out: the file to write: `.png` for a grid of pictures, `.npz` with an array `x`, or `.csv`
            with a row of numbers for each sample. Memory holds one page of them at a time. Of a
            table `.csv` or `.parquet`, with its columns.
        draw: True to draw x from p(x|z), in place of its mean. Rows of a table are always drawn.
        label: the label of all samples, a number or a name; by default as many of each.
        known_y: conditions `[M, ...]` to take in turn, for a model of numbers.

    Raises:
        InputError: no such file, a sidecar of another file, no LiteRT, or `out` that cannot be
            written.
    """
    from tfvae.export import Sampler

    suffix = data_files.suffix_of(str(out), (*_OF_ARRAYS, ".parquet"))
    if suffix == data_files.PICTURE and count > _MOST_DRAWN:
        fix = "write them as numbers, --out samples.npz or samples.csv"
        raise invalid(f"at most {_MOST_DRAWN:,} samples in a picture", f"{count:,}", fix)

    file = file_of(run_or_file)
    table = rows.table_of(file)
    if table is not None:
        rows.sample(file, table, count, seed, str(out))
        return
    data_files.suffix_of(str(out), _OF_ARRAYS)
    sampler = Sampler(file)
    names = (read_json(file.with_name(REPORT)) or {}).get("classes") or ()
    y_of = conditions.of_samples(sampler.metadata, count, label, names, known_y)
    pages = _sampled(sampler, count, seed, draw, y_of)
    if suffix == data_files.PICTURE:
        images = np.concatenate(list(pages))
        plots.save_png(out, plots.picture(images, value_range=sampler.metadata["value_range"]))
    else:
        data_files.save_pages(str(out), count, sampler.metadata["event_shape"], pages)


def _sampled(sampler, count, seed, draw, y_of) -> Iterator[np.ndarray]:
    """Yields pages of the samples of a seed, in their order."""
    with screen.waiting("Drawing samples") as advance:
        for first in range(0, count, _PAGE):
            size = min(_PAGE, count - first)
            yield sampler.sample(size, seed=seed, start=first, y=y_of(first, size), draw=draw)
            advance(first + size, count)


def file_of(run_or_file: str | os.PathLike[str]) -> Path:
    """Returns the `.tflite` of a run, of a folder with such a file alone, or the file itself.

    Raises:
        InputError: a run that is damaged or mixed from two.
    """
    path = _files.local(run_or_file)
    if not os.path.isdir(path):
        return path
    if (path / REPORT).exists():
        opened(path, (TFLITE, REPORT))
    return path / TFLITE


def draw_samples(
    vae: "VAE", dataset: datasets.Dataset, out: Path, seed: int
) -> list[dict[str, Any]] | None:
    """Draws the samples of a run from its exported file, and reconstructs held-out examples.

    Of a table `samples.csv`; else `samples.png` of 64 samples and `reconstructions.png` of 64
    examples.

    Args:
        vae: the model.
        dataset: its data. The first held-out examples are reconstructed.
        out: folder of the run, with the exported file in it.
        seed: seed of the samples.

    Returns:
        Of a table how the rows compare with held-out ones, see `rows.compared`; else None.
    """
    if dataset.table is not None:
        return rows.write(out / TFLITE, dataset.table, dataset.x_test, out / ROWS, seed)

    y = conditions.given(vae, dataset.y_test)
    sample(out / TFLITE, 64, seed, out / SAMPLES, known_y=y)
    x, _ = vae.likelihood.prepare_for_evaluation(dataset.x_test[:64])
    pairs = plots.beside(x, np.asarray(vae.reconstruct(x, None if y is None else y[:64])))
    sheet = plots.picture(pairs, 16, vae.likelihood.value_range)
    plots.save_png(out / RECONSTRUCTIONS, sheet)
    return None


def _size(path):
    """Returns the bytes of a file, or of all files in a folder."""
    return (
        sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
        if path.is_dir()
        else path.stat().st_size
    )
