"""A run: one folder with a trained model, its exported files, pictures and report."""

import dataclasses
import json
import math
import platform
import time
from pathlib import Path

import numpy as np

from tfvae import datasets, plots
from tfvae._files import whole_file, writable_folder
from tfvae._version import __version__
from tfvae.app import fingerprints
from tfvae.errors import invalid

MODEL, SAVED_MODEL, TFLITE = "model.keras", "saved_model", "decoder.tflite"
SAMPLES, RECONSTRUCTIONS, REPORT = "samples.png", "reconstructions.png", "report.json"

# What was found to train well: few small images want more passes, smaller steps and networks.
_DEFAULTS = {"epochs": 20, "batch_size": 128, "learning_rate": 2e-3}
_DIGITS_DEFAULTS = {"epochs": 120, "batch_size": 64, "learning_rate": 3e-3}
_SMALL = 256  # elements of an example below which the latent and the networks are smaller
_CONV_FROM = 16  # pixels a side from which images get the convolutional network


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a user sets for `train`; None or "auto" is chosen from the data."""

    data: str = "digits"
    data_dir: str | None = None
    latent_dim: int | None = None
    network: str = "auto"
    likelihood: str = "auto"
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    num_samples: int = 500
    num_examples: int = 1000
    seed: int = 0
    out: str | None = None


def train(settings, say=print):
    """Trains, evaluates, exports, and draws samples from the exported file.

    Args:
        settings: `Settings`.
        say: called with a line of text at each step.

    Returns:
        The report, a dictionary, which is also in `report.json`.

    Raises:
        InputError: data or settings that cannot work, before any step or file.
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
    out = writable_folder(settings.out)
    steps = settings.epochs * math.ceil(len(dataset.x_train) / settings.batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)
    vae.compile(keras.optimizers.Adam(schedule))
    trained_on, evaluated_on = dataset.x_train, held_out(dataset, settings.num_examples)
    used = fingerprints.compare(trained_on, evaluated_on)
    if used["shared"]:
        say(
            f"{used['shared']:,} of the held-out examples to evaluate on are among those to train on."
        )
    before_fit = time.time()
    vae.fit(trained_on, batch_size=settings.batch_size, epochs=settings.epochs)
    trained = time.time()
    say(f"Evaluating {_count(settings.num_examples, dataset)} held-out examples ...")
    found = evaluation.evaluate(vae, evaluated_on, settings.num_samples, settings.seed)
    say("Exporting ...")
    with whole_file(out / MODEL) as file:
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
    with whole_file(out / REPORT) as file:
        file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def evaluate(run, num_samples, num_examples, data_dir=None):
    """The `evaluation.Report` of a run on its held-out data."""
    vae, settings = load(run)
    dataset = datasets.load(settings.data, data_dir or settings.data_dir)

    from tfvae import evaluation

    return evaluation.evaluate(vae, held_out(dataset, num_examples), num_samples, settings.seed)


def held_out_of(settings, data_dir=None):
    """The held-out examples of a run, to calibrate and measure files with."""
    return held_out(datasets.load(settings.data, data_dir or settings.data_dir), 1000)


def export(
    vae,
    out,
    batch_size=1,
    include_encoder=False,
    quantization=None,
    data=None,
    max_quality_loss=None,
):
    """Writes the SavedModel and the TFLite file of a model; returns their sizes and quality."""
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


def export_web(vae, out, litert=None, quantization=None, max_quality_loss=None):
    """Writes the page of a model; returns its size."""
    from tfvae.export import to_web

    to_web(vae, out, litert=litert, quantization=quantization, max_quality_loss=max_quality_loss)
    return _size(Path(out))


def load(run):
    """The model and the `Settings` of a run.

    Raises:
        InputError: a folder that is no run.
    """
    run = Path(run)
    for name in (MODEL, REPORT):
        if not (run / name).is_file():
            raise invalid(
                f"a run, a folder with {MODEL} and {REPORT}",
                f"{run}, without {name}",
                "give the --out of tfvae train",
            )
    from tfvae.models.vae import load_model

    try:
        settings = Settings(**json.loads((run / REPORT).read_text(encoding="utf-8"))["settings"])
        return load_model(run / MODEL), settings
    except Exception as error:  # zipfile, HDF5, JSON and Keras errors, by what is damaged
        reason = f"{type(error).__name__}: {str(error).strip()[:200]}"
        raise invalid(
            f"readable files {MODEL} and {REPORT} in {run}", reason, "train the run again"
        ) from error


def sample(run_or_file, count, seed, out):
    """Draws a grid of samples from an exported file, without TensorFlow."""
    from tfvae.export import Sampler

    path = Path(run_or_file)
    sampler = Sampler(path / TFLITE if path.is_dir() else path)
    images = sampler.sample(count, seed=seed)
    plots.save_png(out, plots.grid(images, value_range=sampler.metadata["value_range"]))


def choose(settings, dataset):
    """Settings with what was left open filled in from the data."""
    defaults = _DIGITS_DEFAULTS if dataset.name == "digits" else _DEFAULTS
    shape = dataset.event_shape
    image = len(shape) in (2, 3) and min(shape[:2]) >= _CONV_FROM
    unit = dataset.x_train.min() >= 0 and dataset.x_train.max() <= 1
    colour = len(shape) == 3 and shape[2] > 1
    return dataclasses.replace(
        settings,
        latent_dim=settings.latent_dim or (16 if math.prod(shape) < _SMALL else 32),
        network=("conv" if image else "mlp") if settings.network == "auto" else settings.network,
        likelihood=("bernoulli" if unit and not colour else "normal")
        if settings.likelihood == "auto"
        else settings.likelihood,
        **{name: getattr(settings, name) or value for name, value in defaults.items()},
        out=settings.out or f"runs/{Path(dataset.name).stem}",
    )


def build(settings, dataset):
    """The model that the settings name."""
    from tfvae import conv_vae, likelihoods, mlp_vae

    if settings.likelihood == "normal":
        likelihood = likelihoods.Normal(0.5, learn_scale=True)
    else:
        likelihood = likelihoods.Bernoulli(dynamic_binarization=datasets.is_grey(dataset.x_train))
    if settings.network == "conv":
        return conv_vae(
            dataset.event_shape, settings.latent_dim, likelihood=likelihood, seed=settings.seed
        )
    hidden = (256, 256) if math.prod(dataset.event_shape) < _SMALL else (512, 512)
    return mlp_vae(
        dataset.event_shape, settings.latent_dim, hidden, likelihood=likelihood, seed=settings.seed
    )


def draw_pictures(vae, dataset, out, seed):
    """`samples.png` by LiteRT from the exported file, `reconstructions.png` by the model."""
    sample(out, 64, seed, out / SAMPLES)
    x, _ = vae.likelihood.prepare_fixed(dataset.x_test[:64])
    pairs = plots.beside(x, np.asarray(vae.reconstruct(x)))
    plots.save_png(
        out / RECONSTRUCTIONS, plots.grid(pairs, columns=16, value_range=vae.likelihood.value_range)
    )


def held_out(dataset, num_examples):
    """The first `num_examples` held-out examples, or all where it is 0."""
    return dataset.x_test[: num_examples or None]


def describe(dataset, settings):
    shape = " x ".join(map(str, dataset.event_shape))
    return (
        f"{dataset.name}: {len(dataset.x_train):,} examples of {shape} to train on, {len(dataset.x_test):,} held out"
        f" ({dataset.note or 'values as given'})\n"
        f"{settings.network} network, {settings.latent_dim} latents, {settings.likelihood} likelihood, seed {settings.seed}"
    )


def versions():
    """Of everything that could change a number."""
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
    return f"{min(num_examples or len(dataset.x_test), len(dataset.x_test)):,} of {len(dataset.x_test):,}"


def _size(path):
    return (
        sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
        if path.is_dir()
        else path.stat().st_size
    )
