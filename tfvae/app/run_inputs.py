"""What a run is made of: its data, and settings chosen to suit them."""

import dataclasses
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tfvae import datasets
from tfvae._version import __version__
from tfvae.app import conditions, early_stopping, fingerprints, given_data, screen
from tfvae.app.settings import Settings, choose, load_data, with_likelihood
from tfvae.errors import invalid


class Chosen(NamedTuple):
    """What a run is made of.

    Attributes:
        settings: the settings, without open ones.
        dataset: the data.
        kept_back: training examples that tell when to stop, and their labels; or None.
        reason: why the likelihood was chosen; None if it was asked for.
    """

    settings: Any
    dataset: datasets.Dataset
    kept_back: tuple[np.ndarray, np.ndarray | None] | None
    reason: str | None


def chosen(settings: Settings) -> Chosen:
    """Loads the data of settings, and chooses those that were left open.

    Args:
        settings: the settings.

    Raises:
        InputError: data that cannot be read, or too few; widths of the other kind of network.
    """
    with screen.waiting("Reading the data"):
        dataset, kept_back = load_data(settings), None
    datasets.check_shape(dataset.event_shape)
    conditions.check(settings.condition, dataset)
    if settings.early_stopping is not None:
        dataset, kept_back = early_stopping.kept_back(dataset)
    settings, reason = with_likelihood(given_data.located(settings), dataset)
    settings = choose(settings, dataset)
    _check_widths(settings)
    datasets.check_batches(dataset, settings.batch_size)
    return Chosen(settings, dataset, kept_back, reason)


def of_unfinished(begun: dict[str, Any], run: str | os.PathLike[str]) -> Settings:
    """Returns the settings that an unfinished run was begun with.

    Args:
        begun: what was kept of its call.
        run: the folder that it was to have.

    Raises:
        InputError: another version of tfvae kept it, or somebody has altered it.
    """
    try:
        absent = {"settings", "overwrite", "data"} - set(begun)
        if absent:
            raise ValueError(f"no {sorted(absent)[0]}")
        return dataclasses.replace(Settings(**begun["settings"]), out=str(run))
    except (TypeError, ValueError) as error:
        raise invalid(
            f"what an unfinished run of {run} was begun with, as tfvae {__version__} writes it",
            f"{error}, by tfvae {begun.get('tfvae', 'of an unknown version')}",
            "go on with the version that began it, or begin anew with tfvae train",
        ) from error


def used(
    dataset: datasets.Dataset,
    evaluated_on: np.ndarray,
    begun: dict[str, Any] | None,
    say: Callable[[str], object],
) -> dict[str, Any]:
    """Returns which examples a run uses, see `fingerprints.compare`.

    Args:
        dataset: the data.
        evaluated_on: the examples that it is evaluated on, `[M, *event]`.
        begun: what an unfinished run was begun with, or None.
        say: called with a line of text if examples are both trained and evaluated on.

    Raises:
        InputError: other examples than the unfinished run was begun with.
    """
    with screen.waiting("Comparing the examples"):
        found = fingerprints.compare(dataset.x_train, evaluated_on)
    if begun is not None and begun["data"] != found:
        fix = "bring back the data, or train anew"
        raise invalid("the data of the unfinished run", "other examples", fix)
    if found["shared"]:
        say(
            f"{found['shared']:,} of the held-out examples to evaluate on "
            "are among those to train on."
        )
    return found


def _check_widths(settings):
    """Refuses widths of the other kind of network, which would count for nothing."""
    other = "filters" if settings.network in ("conv", "conv1d") else "hidden"
    name = "hidden" if other == "filters" else "filters"
    if getattr(settings, name) is not None:
        fix = f"give --{other}, or another --network"
        expected = f"widths of the network {settings.network}, --{other}"
        raise invalid(expected, f"--{name}", fix)
