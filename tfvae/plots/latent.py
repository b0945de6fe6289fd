"""Draws where examples lie in the latent, and which latents are used."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfvae.errors import invalid
from tfvae.plots import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tfvae.models.vae import VAE

_METHODS = ("auto", "direct", "pca", "umap")
_MOST_CLASSES = 20  # more labels are drawn by a scale of colours
_BARS = 64  # latents
_THRESHOLD = 0.01  # of the variance of an active latent
_NEIGHBOURS = 15  # of an example on a map by UMAP, its usual number
_LEAST_OF_UMAP = 4  # examples, below which it ends with an error of SciPy


class _Map(NamedTuple):
    """Points `[N, 2]`, the names of the axes, and a title."""

    points: np.ndarray
    names: tuple[str, str]
    title: str


@figures.styled
def latent_map(
    vae: "VAE",
    x: npt.ArrayLike,
    labels: npt.ArrayLike | None = None,
    y: npt.ArrayLike | None = None,
    *,
    method: str = "auto",
    classes: Sequence[str] = (),
    seed: int = 0,
) -> "Figure":
    """Draws the locations of q(z|x) of examples as points in a plane, coloured by label.

    Args:
        vae: the model.
        x: examples `[N, *event]`, at least 2.
        labels: a label or a number for each, for the colour.
        y: conditions `[N, ...]` of a conditional model.
        method: how the plane is found: "direct", the two latents themselves (of one latent how
            often each value occurs); "pca", the two directions of the largest variance; "umap",
            a map that keeps neighbours together, by umap-learn, if it is installed, of 4 examples
            or more; "auto", directly up to two latents, else by PCA.
        classes: names of the labels 0, 1, and so on.
        seed: the seed of UMAP.

    Returns:
        The figure.

    Raises:
        InputError: examples that the model does not take, labels of another number, another
            method, "direct" for more than two latents, or no umap-learn for "umap".
        InputTypeError: anything but a model.
    """
    from tfvae.models import locations
    from tfvae.plots import model_calls

    x = model_calls.checked(vae, x, y)
    z = locations.side_by_side(locations.point_estimates(vae, x, y)).astype(np.float64)
    labels = _labels(labels, len(z))
    method = _method(method, z)
    figure, (axes,) = figures.new(size=(4.6, 3.6))
    if z.shape[1] == 1:
        _draw_values(axes, z[:, 0], labels, classes)
        return figure
    plane = _plane(method, z, seed)
    axes.set(xlabel=plane.names[0], ylabel=plane.names[1], title=plane.title)
    if method == "umap":
        axes.set(xticks=[], yticks=[])  # its axes have no meaning
    _draw_points(figure, axes, plane.points, labels, classes)
    return figure


@figures.styled
def activity(vae: "VAE", x: npt.ArrayLike, y: npt.ArrayLike | None = None) -> "Figure":
    """Draws how much each latent tells of an example, the most active first.

    Above, the variance of its location over the examples: above 0.01 it counts as active (Burda
    et al. 2016). Below, its share of the rate, KL(q(z_i|x) || p(z_i)), where posterior and prior
    are independent over the latents.

    Args:
        vae: the model.
        x: examples `[N, *event]`, at least 2.
        y: conditions `[N, ...]` of a conditional model.

    Returns:
        The figure; of more than 64 latents with the first 64.

    Raises:
        InputError: examples that the model does not take.
        InputTypeError: anything but a model.
    """
    from tfvae.models import locations
    from tfvae.plots import model_calls

    x = model_calls.checked(vae, x, y)
    variances = locations.side_by_side(locations.point_estimates(vae, x, y)).var(axis=0)
    rates = _rates(vae, x, y)
    order = np.argsort(-variances, kind="stable")
    shown = order[:_BARS]
    count = int((variances > _THRESHOLD).sum())
    figure, axes = figures.new(1 if rates is None else 2, 1, (4.6, 2.2), sharex=True)

    colours = [figures.COLOURS[0] if variances[i] > _THRESHOLD else figures.QUIET for i in shown]
    axes[0].bar(range(len(shown)), np.maximum(variances[shown], 1e-8), color=colours)
    axes[0].axhline(_THRESHOLD, color=figures.COLOURS[1], linewidth=1, linestyle="--")
    axes[0].set(yscale="log", ylim=(min(1e-4, variances.min() + 1e-9), None))
    axes[0].set_title(f"variance of the location: {count} of {len(order)} latents active")
    figures.plain_ticks(axes[0].yaxis)
    if rates is not None:
        axes[1].bar(range(len(shown)), rates[shown], color=colours)
        axes[1].set_title("rate of each latent, nats")
    axes[-1].set_xlabel("latent")
    is_few = len(shown) <= 16
    axes[-1].set_xticks(range(len(shown)) if is_few else [], shown if is_few else [])
    return figure


def _rates(vae, x, y):
    """Returns the mean rate of each latent, `[D]`, or None where it is not a sum over them."""
    if not (vae.posterior.factorized and vae.prior.factorized):
        return None
    import tensorflow_probability as tfp

    condition = None if y is None else vae.condition(y)
    q = vae.posterior.distribution(vae.encoder_params(x, condition, training=False))
    p = vae.prior.distribution()
    try:
        found = tfp.distributions.kl_divergence(q.distribution, p.distribution)
    except (AttributeError, NotImplementedError):
        return None
    return np.asarray(found).reshape(len(x), -1).mean(axis=0)


def _labels(labels, count):
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.shape != (count,):
        received = f"labels of shape {list(labels.shape)}"
        raise invalid(f"a label for each of {count} examples", received, "pass labels [N]")
    return labels


def _method(method, z):
    """Returns how the plane is found, where it can be."""
    if method not in _METHODS:
        expected = f"method to be one of {', '.join(_METHODS)}"
        raise invalid(expected, f"method={method!r}", 'use method="auto"')
    least = _LEAST_OF_UMAP if method == "umap" else 2
    if len(z) < least:
        raise invalid(f"at least {least} examples to map", f"{len(z)}", "pass more of them")
    is_small = z.shape[1] <= 2
    if method == "direct" and not is_small:
        fix = 'use method="pca"'
        raise invalid("at most 2 latents, to draw them directly", f"{z.shape[1]}", fix)
    return ("direct" if is_small else "pca") if method == "auto" else method


def _plane(method, z, seed):
    if method == "direct":
        return _Map(z, ("z0", "z1"), "location of each example")
    if method == "umap":
        return _Map(_umap(z, seed), ("", ""), "UMAP of the locations")
    centred = z - z.mean(axis=0)
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
    shares = lengths**2 / max(float((lengths**2).sum()), 1e-300)
    first, second = (f"direction {i + 1}, {shares[i]:.0%} of the variance" for i in range(2))
    return _Map(centred @ directions[:2].T, (first, second), "PCA of the locations")


def _umap(z, seed):
    try:
        import umap
    except ModuleNotFoundError as error:
        fix = "pip install umap-learn, or use method='pca'"
        raise invalid("umap-learn, for method='umap'", "it is not installed", fix) from error
    # With a seed UMAP runs in one thread, and of few examples takes all as neighbours: it warns
    # of both unless they are asked for.
    neighbours = min(_NEIGHBOURS, len(z) - 1)
    return umap.UMAP(neighbours, random_state=seed, n_jobs=1).fit_transform(z)


def _draw_points(figure, axes, points, labels, classes):
    size = 14 if len(points) <= 300 else 6
    style: dict[str, Any] = {"s": size, "linewidths": 0, "alpha": 0.8, "rasterized": True}
    if labels is None:
        axes.scatter(*points.T, color=figures.COLOURS[0], **style)
        return
    found = np.unique(labels)
    if len(found) > _MOST_CLASSES and labels.dtype.kind in "iuf":
        shown = axes.scatter(*points.T, c=labels, cmap="viridis", **style)
        figure.colorbar(shown, label="label")
        return
    figures.few(found, 200, "different labels", "pass fewer, or numbers")
    for i, label in enumerate(found):
        colour = figures.COLOURS[i % len(figures.COLOURS)]
        marker = "os^Dv"[i // len(figures.COLOURS) % 5]
        part = points[labels == label].T
        axes.scatter(*part, color=colour, marker=marker, label=_name(label, classes), **style)
    figure.legend(loc="outside right upper", markerscale=1.6, handletextpad=0.1)


def _draw_values(axes, z, labels, classes):
    """Draws how often each value of one latent occurs, for each label."""
    found = [None] if labels is None else list(np.unique(labels)[:_MOST_CLASSES])
    parts = [z if label is None else z[labels == label] for label in found]
    colours = [figures.COLOURS[i % len(figures.COLOURS)] for i in range(len(found))]
    names = [None if label is None else _name(label, classes) for label in found]
    axes.hist(parts, 40, stacked=True, color=colours, label=names)
    axes.set(xlabel="z0", ylabel="examples", title="location of each example")
    if labels is not None:
        axes.legend()


def _name(label, classes):
    is_number = isinstance(label, (int, np.integer)) and 0 <= label < len(classes)
    name = str(classes[label]) if is_number else str(label)
    return f" {name}" if name.startswith("_") else name  # Matplotlib leaves those out
