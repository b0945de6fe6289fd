"""Draws the panels of a run's page."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tfvae import plots
from tfvae.app.report_page.subject import MOST_LABELS, Subject, word
from tfvae.errors import InputError
from tfvae.plots import events, figures

_SMALL = 1024  # values of an example of which many are drawn


class Drawing(NamedTuple):
    """A figure of a panel.

    Attributes:
        svg: an SVG element.
        alt: what it shows, in words.
    """

    svg: str
    alt: str


class Panel(NamedTuple):
    """A part of the page.

    Attributes:
        name: its name in addresses.
        title: its heading.
        text: what it shows, and how to read it.
        drawings: its figures.
        wide: True to take the whole width of the page.
    """

    name: str
    title: str
    text: str
    drawings: list[Drawing]
    wide: bool = False


def drawn(found: Subject) -> tuple[list[Panel], list[str]]:
    """Draws all panels.

    Args:
        found: what the page is about.

    Returns:
        The panels, and for each that cannot be drawn a sentence that says why.
    """
    panels, left_out = [], []
    counter = itertools.count()
    for draw in _of_kind(found.kind):
        name = draw.__name__.strip("_")
        try:
            panels.append(_panel(name, draw(found), counter))
        except InputError as error:
            left_out.append(f"{_TITLES[name]}: {error}")
    return panels, left_out


def _panel(name, parts, counter):
    """Returns a panel of a text, and pairs of a figure and what it shows."""
    text, *pairs = parts
    drawings = [Drawing(figures.to_svg(f, f"f{next(counter)}"), alt) for f, alt in pairs]
    return Panel(name, _TITLES[name], text, drawings, name in _WIDE)


def _of_kind(kind) -> list[Callable[[Subject], Iterator[Any]]]:
    compared: list[Any] = []
    if kind == events.ROWS:
        compared = [_marginals, _correlations]
    elif kind == events.SIGNALS:
        compared = [_marginals]
    tail = [_traversals, _latent_map, _activity, _training, _calibration, _weights]
    return [_samples, _reconstructions, *compared, *tail]


_WIDE = ("traversals", "marginals", "correlations")
_TITLES = {
    "samples": "Samples",
    "marginals": "How often each value occurs",
    "correlations": "What goes together",
    "reconstructions": "Reconstructions",
    "traversals": "What each latent does",
    "latent_map": "Where examples lie in the latent",
    "activity": "Which latents are used",
    "training": "The training",
    "calibration": "Can the probabilities be trusted?",
    "weights": "Can the NLL be trusted?",
}


def _samples(found):
    vae = found.vae
    is_small = vae.likelihood.dimensions(vae.event_shape) <= _SMALL
    count = {events.PICTURES: 64 if is_small else 36, events.ROWS: 12}.get(found.kind, 16)
    y = _conditions_of_samples(found, count)
    words = None
    if y is not None and vae.num_classes:
        words = [word(label, found.classes) for label in y]
    seed = found.report["settings"]["seed"]
    figure = plots.samples(vae, count, seed, y, labels=words)
    text = (
        f"{count} {found.kind} that the model draws by itself, of seed {seed}: z from p(z), then "
        f"{'a draw' if found.kind == events.ROWS else 'the mean'} of p(x|z). None is picked out."
    )
    return text, (figure, f"{count} samples of the model")


def _conditions_of_samples(found, count):
    from tfvae.plots import model_calls

    if found.vae.condition_shape is None:
        return None
    known = found.y
    if not found.vae.num_classes:
        return known[np.arange(count) % len(known)]
    return model_calls.conditions(found.vae, count, None)


def _marginals(found):
    x, y = found.first(1000)
    text = "Held-out examples beside as many draws of the model. The closer the two, the better."
    figure = plots.marginals(found.vae, x, y, seed=found.report["settings"]["seed"], columns=2)
    return text, (figure, "Shares of values, held out and drawn")


def _correlations(found):
    x, y = found.first(1000)
    text = "Correlations of the columns, and on the right by how much those of draws differ."
    figure = plots.correlations(found.vae, x, y, seed=found.report["settings"]["seed"], columns=2)
    return text, (figure, "Correlations of columns, held out and drawn, and their difference")


def _reconstructions(found):
    is_rows = found.kind == events.ROWS
    count = 1000 if is_rows else {events.PICTURES: 24}.get(found.kind, 8)
    x, y = found.first(count)
    words = None if is_rows else found.words(count)
    figure = plots.reconstructions(found.vae, x, y, labels=words, columns=2 if is_rows else None)
    how = (
        "each number against what the model makes of it, and how probable it finds the right label"
        if is_rows
        else "above as they are, below as the model makes them again from their latents alone"
    )
    text = f"Held-out examples, which the model has not seen: {how}."
    return text, (figure, "Held-out examples and their reconstructions")


def _traversals(found):
    x, y = found.first(256)
    figure = plots.traversals(found.vae, x, y, steps=7)
    text = (
        "One latent changes along a row, from a held-out example; the others stay. The latents "
        "that vary most come first. Rows in which nothing happens are latents of little use."
    )
    return text, (figure, "What the model makes as one latent after the other changes")


def _latent_map(found):
    x, y = found.first(1000)
    labels, classes, coloured = _colours(found, len(x))
    figure = plots.latent_map(found.vae, x, labels, y, classes=classes)
    text = (
        f"Each point is a held-out example, at the location of q(z|x){coloured}. What lies close "
        "together the model finds alike."
    )
    return text, (figure, "Held-out examples as points of the latent")


def _colours(found, count):
    """Returns labels for the colours of points, their names, and words on them."""
    if found.labels is not None:
        return found.labels[:count], found.classes, ", coloured by its label"
    if found.kind == events.ROWS:
        for column in events.features(found.vae):
            values = column.values(found.x[:count])
            if column.labels and len(column.labels) <= MOST_LABELS and not np.isnan(values).any():
                return values.astype(int), column.labels, f", coloured by {column.name}"
    return None, (), ""


def _activity(found):
    x, y = found.first(1000)
    text = (
        "The more a latent varies between examples, and the larger its share of the rate, the "
        "more it tells. Below the dashed line it tells nothing."
    )
    return text, (plots.activity(found.vae, x, y), "Variance and rate of each latent")


def _training(found):
    history = found.report.get("history")
    if not history:
        raise InputError("the run was made before runs kept the numbers of their epochs.")
    names = [name for name in ("loss", "rate", "distortion") if name in history]
    held_out = found.report["evaluation"]
    pairs = [
        (plots.training_curves(history, [name], held_out=held_out), f"{name} over the epochs")
        for name in names
    ]
    if {"rate", "distortion"} <= set(history):
        path = plots.rate_distortion(history, held_out=held_out)
        pairs.append((path, "The path of rate and distortion over the epochs"))
    text = (
        "Training examples over the epochs, and held-out ones at the end with their standard "
        "error. A held-out point far above the curve of loss or distortion means learning by heart."
    )
    return text, *pairs


def _calibration(found):
    x, y = found.first(256)
    figure = plots.calibration(found.vae, x, y)
    text = (
        "On the diagonal the model's probabilities are right: of what it calls 30 % likely, 30 % "
        "happens. Below it on the right and above it on the left it is too sure of itself."
    )
    return text, (figure, "Predicted and observed shares, and how often each is predicted")


def _weights(found):
    if found.report["evaluation"].get("exact"):
        raise InputError("the NLL is exact, and rests on no importance samples.")
    x, y = found.first(64)
    figure = plots.weight_health(found.vae, x, y)
    text = (
        "Left, on how many importance samples the NLL of an example rests: few is bad. Right, the "
        "estimate of log p(x) by their number: where it is flat, more of them change nothing."
    )
    return text, (figure, "Effective importance samples, and the estimate by their number")
