"""Makes and reads runs: folders with a trained model, its exported files, pictures and report."""

import dataclasses
import json
import math
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae import _files, datasets, plots
from tfvae._version import __version__
from tfvae.app import fingerprints
from tfvae.app.settings import Settings, build, choose, describe
from tfvae.errors import invalid

if TYPE_CHECKING:
    from tfvae.evaluation import Report
    from tfvae.models.vae import VAE

# The files of a run.
MODEL, SAVED_MODEL, TFLITE = "model.keras", "saved_model", "decoder.tflite"
SAMPLES, RECONSTRUCTIONS, REPORT = "samples.png", "reconstructions.png", "report.json"


def train(settings: Settings, say: Callable[[str], object] = print) -> dict[str, Any]:
    """Trains, evaluates and exports a model, and draws samples from the exported file.

    Args:
        settings: what to train on, and how.
        say: called with a line of text at each step.

    Returns:
        The report, a dictionary, which is also in `report.json`.

    Raises:
        InputError: data or settings that cannot work, before any step or file.
        InputTypeError: data that are not numbers, before any step or file.
    """
    started = time.time()
    dataset = datasets.load(settings.data, settings.data_dir)
    settings = choose(settings, dataset)
    datasets.check_batches(dataset, settings.batch_size)
    say(describe(dataset, settings))

    from tfvae import evaluation
    from tfvae._keras.backend import keras
    from tfvae.validation import data_checks

    keras.utils.set_random_seed(settings.seed)
    vae = build(settings, dataset)
    for name in ("x_train", "x_test"):
        data_checks.check_events(getattr(dataset, name), vae.likelihood, vae.event_shape, name)
    out = _files.local(settings.out)

    steps = settings.epochs * math.ceil(len(dataset.x_train) / settings.batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)
    vae.compile(keras.optimizers.Adam(schedule))

    trained_on, evaluated_on = dataset.x_train, held_out(dataset, settings.num_examples)
    used = fingerprints.compare(trained_on, evaluated_on)
    if used["shared"]:
        say(
            f"{used['shared']:,} of the held-out examples to evaluate on "
            "are among those to train on."
        )

    before_fit = time.time()
    vae.fit(trained_on, batch_size=settings.batch_size, epochs=settings.epochs)
    trained = time.time()

    say(f"Evaluating {_count(settings.num_examples, dataset)} held-out examples ...")
    found = evaluation.evaluate(vae, evaluated_on, settings.num_samples, settings.seed)
    say("Exporting ...")
    with _files.whole_file(_files.Target(out / MODEL, "x", lambda _: None)) as file:
        vae.save(file)
    exported = export(vae, out)
    draw_pictures(vae, dataset, out, settings.seed)

    report = {
        "settings": dataclasses.asdict(settings),
        "data": {
            "note": dataset.note,
            "train": len(dataset.x_train),
            "held_out": len(dataset.x_test),
            **used,
        },
        "versions": versions(),
        "evaluation": found.to_dict(),
        "export": exported,
        "seconds": {"fit": round(trained - before_fit, 1), "all": round(time.time() - started, 1)},
    }
    with _files.whole_file(_files.Target(out / REPORT, "x", lambda _: None)) as file:
        file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")

    return report


def evaluate(
    run: str | os.PathLike[str],
    num_samples: int,
    num_examples: int,
    data_dir: str | os.PathLike[str] | None = None,
) -> "Report":
    """Evaluates the model of a run on its held-out data.

    Args:
        run: folder of the run.
        num_samples: importance samples per example.
        num_examples: held-out examples to evaluate, from the first; 0 for all.
        data_dir: folder of named data sets; default the one of the run.

    Returns:
        The estimates, in nats per example.

    Raises:
        InputError: a folder that is no run, or data that cannot be read.
    """
    vae, settings = load(run)
    dataset = datasets.load(settings.data, data_dir or settings.data_dir)

    from tfvae import evaluation

    return evaluation.evaluate(vae, held_out(dataset, num_examples), num_samples, settings.seed)


def held_out_of(settings: Settings, data_dir: str | os.PathLike[str] | None = None) -> np.ndarray:
    """Returns held-out examples of a run, to calibrate and measure files with.

    Args:
        settings: the settings of the run.
        data_dir: folder of named data sets; default the one of the run.

    Returns:
        The first 1,000 of them at most, `[N, *event]`.

    Raises:
        InputError: data that cannot be read.
    """
    return held_out(datasets.load(settings.data, data_dir or settings.data_dir), 1000)


def export(
    vae: "VAE",
    out: str | os.PathLike[str],
    batch_size: int | Sequence[int] = 1,
    include_encoder: bool = False,
    quantization: str | None = None,
    data: np.ndarray | None = None,
    max_quality_loss: float | None = None,
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

    Returns:
        `{"sizes": {file: bytes}, "parity": quality of the TFLite file}`.

    Raises:
        InputError: as `tfvae.export.to_tflite` and `to_saved_model`.
    """
    from tfvae.export import to_saved_model, to_tflite

    out = Path(out)
    metadata = to_tflite(
        vae,
        out / TFLITE,
        quantization,
        batch_size,
        include_encoder=include_encoder,
        data=data,
        max_quality_loss=max_quality_loss,
    )
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


def load(run: str | os.PathLike[str]) -> "tuple[VAE, Settings]":
    """Loads the model and the settings of a run.

    Args:
        run: folder of the run.

    Returns:
        The model, and its settings.

    Raises:
        InputError: a folder that is no run, or whose files are damaged.
    """
    run = Path(run)
    for name in (MODEL, REPORT):
        if not (run / name).is_file():
            raise invalid(
                f"a run, a folder with {MODEL} and {REPORT}",
                f"{run}, without {name}",
                "give the --out of tfvae train",
            )

    from tfvae.models.files import load_model

    try:
        settings = Settings(**json.loads((run / REPORT).read_text(encoding="utf-8"))["settings"])
        return load_model(run / MODEL), settings
    except Exception as error:  # of zipfile, HDF5, JSON or Keras
        reason = f"{type(error).__name__}: {str(error).strip()[:200]}"
        raise invalid(
            f"readable files {MODEL} and {REPORT} in {run}", reason, "train the run again"
        ) from error


def sample(
    run_or_file: str | os.PathLike[str], count: int, seed: int, out: str | os.PathLike[str]
) -> None:
    """Draws a grid of samples from an exported file, without TensorFlow.

    Args:
        run_or_file: folder of a run, or a `.tflite` with its sidecar beside it.
        count: how many samples.
        seed: seed of the samples, from -2^31 to 2^32 - 1.
        out: the PNG file to write.

    Raises:
        InputError: no such file, a sidecar of another file, no LiteRT, or `out` that cannot be
            written.
    """
    from tfvae.export import Sampler

    path = Path(run_or_file)
    sampler = Sampler(path / TFLITE if path.is_dir() else path)
    images = sampler.sample(count, seed=seed)
    plots.save_png(out, plots.grid(images, value_range=sampler.metadata["value_range"]))


def draw_pictures(vae: "VAE", dataset: datasets.Dataset, out: Path, seed: int) -> None:
    """Draws the pictures of a run: `samples.png` and `reconstructions.png`.

    The 64 samples come from the exported file, and the 64 reconstructions from the model.

    Args:
        vae: the model.
        dataset: its data. The first held-out examples are reconstructed.
        out: folder of the run, with the exported file in it.
        seed: seed of the samples.
    """
    sample(out, 64, seed, out / SAMPLES)

    x, _ = vae.likelihood.prepare_fixed(dataset.x_test[:64])
    pairs = plots.beside(x, np.asarray(vae.reconstruct(x)))
    plots.save_png(
        out / RECONSTRUCTIONS, plots.grid(pairs, columns=16, value_range=vae.likelihood.value_range)
    )


def held_out(dataset: datasets.Dataset, num_examples: int) -> np.ndarray:
    """Returns the first held-out examples.

    Args:
        dataset: the data.
        num_examples: how many; 0 for all.
    """
    return dataset.x_test[: num_examples or None]


def versions() -> dict[str, str]:
    """Returns the versions of all software that could change a number of the report."""
    import keras
    import tensorflow
    import tensorflow_probability

    packages = {
        "keras": keras,
        "tensorflow": tensorflow,
        "tensorflow_probability": tensorflow_probability,
        "numpy": np,
    }

    found = {name: module.__version__ for name, module in packages.items()}
    return {"tfvae": __version__, "python": platform.python_version(), **found}


def _count(num_examples, dataset):
    """Returns how many held-out examples are evaluated, in words."""
    return (
        f"{min(num_examples or len(dataset.x_test), len(dataset.x_test)):,} "
        f"of {len(dataset.x_test):,}"
    )


def _size(path):
    """Returns the bytes of a file, or of all files in a folder."""
    return (
        sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
        if path.is_dir()
        else path.stat().st_size
    )
