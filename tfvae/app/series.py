"""Trains several runs into one folder, each once, and compares them.

A run that is finished and of the same settings is kept, and one that was stopped is gone on with.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfvae import _files
from tfvae.app import comparing, comparison_page, expressions, run_inputs, runs
from tfvae.app.run_folder import REPORT, Unfinished, opened
from tfvae.app.settings import Settings
from tfvae.errors import invalid, of_file

PAGE = "compare.html"
_OF_A_PLACE = ("out", "data_dir")

Say = Callable[[str], object]


def of_seeds(settings: Settings, seeds: int, overwrite: bool, say: Say) -> dict[str, Any]:
    """Trains runs that differ by their seed alone, and compares them.

    Args:
        settings: the settings of the first; `out` is the folder of all.
        seeds: how many runs.
        overwrite: True to replace runs by finished new ones.
        say: called with a line of text at each step.

    Returns:
        As `train`.

    Raises:
        InputError: as `train`.
    """
    chosen = run_inputs.chosen(settings).settings
    out = settings.out or f"{chosen.out}-seeds"
    jobs = {
        f"seed-{seed}": dataclasses.replace(chosen, seed=seed)
        for seed in range(settings.seed, settings.seed + seeds)
    }
    return train(out, jobs, say, overwrite=overwrite)


def planned(jobs: Mapping[str, Settings]) -> dict[str, Settings]:
    """Chooses what the settings of runs leave open, before the first of them is trained.

    Args:
        jobs: the settings of each run, by its name.

    Returns:
        Settings without open ones.

    Raises:
        InputError: data that cannot be read, or settings that cannot work with them.
    """
    found = {}
    for name, settings in jobs.items():
        with of_file(f"the run {name}"):
            _check_words(settings)
            found[name] = run_inputs.chosen(settings).settings
    return found


def _check_words(settings):
    """Refuses words that are no piece."""
    for role, module in expressions.ROLES.items():
        words = getattr(settings, role)
        if words is not None and role != "likelihood":
            expressions.piece(words, module)


def train(
    out: str, jobs: Mapping[str, Settings], say: Say, *, overwrite: bool = False
) -> dict[str, Any]:
    """Trains runs one after the other, and compares those that were not kept from it.

    Args:
        out: the folder of all runs.
        jobs: the settings of each run without open ones, by the name of its folder.
        say: called with a line of text at each step.
        overwrite: True to replace runs by finished new ones.

    Returns:
        As values for JSON: what `comparing.compare` returns, the lowest NLL first, if two runs are
        there; `out`; `failed`, the sentences of those whose loss was not finite; `page`, the page
        of the comparison, or None.

    Raises:
        InputError: a folder that is a run itself, runs of other settings in it, or as
            `runs.train`.
        Interrupted: Ctrl-C; the same call goes on.
    """
    folder = _files.local(out)
    page = folder / PAGE
    _check(folder, page, jobs, overwrite)

    from tfvae.training.alarm import NonFiniteLoss  # below, since it loads TensorFlow

    done, failed = [], {}
    for count, (name, settings) in enumerate(jobs.items(), 1):
        say(f"Run {count} of {len(jobs)}: {name}")
        try:
            _train_one(dataclasses.replace(settings, out=str(folder / name)), say, overwrite)
            done.append(folder / name)
        except NonFiniteLoss as error:
            failed[name] = str(error)
            say(f"{name} has failed. {error}")

    return _compared(folder, done, failed, page)


def _compared(folder, done, failed, page):
    about = {"out": str(folder), "failed": failed, "page": None}
    if not done:
        first = next(iter(failed.values()))
        fix = "lower --learning-rate, or set the options otherwise"
        raise invalid("a series of which a run ends well", f"in the first of them: {first}", fix)
    if len(done) < 2:
        return about
    found = comparing.compare(sorted(done, key=_nll))
    comparison_page.write(found, page)
    return {**found, **about, "page": str(page)}


def _nll(folder):
    value = opened(folder, (REPORT,))["evaluation"]["nll"]
    return float("inf") if value is None else value


def _check(folder: Path, page: Path, jobs: Mapping[str, Settings], overwrite: bool) -> None:
    """Refuses a folder in which not all runs can be, before any of them is trained."""
    if (folder / REPORT).exists():
        fix = "name another folder by --out"
        raise invalid(f"{folder} to be a folder for several runs", "a run itself", fix)
    comparison_page.check(page)
    if overwrite:
        return
    for name, settings in jobs.items():
        recorded = _recorded(folder / name)
        differing = [] if recorded is None else _differing(settings, recorded)
        if differing:
            expected = f"{folder / name} to be of the same settings"
            fix = "name another folder by --out, or give --overwrite"
            raise invalid(expected, f"another {', '.join(differing)}", fix)


def _recorded(place):
    """Returns the settings of a run that is finished or was stopped, or None."""
    unfinished = Unfinished(place)
    unfinished.settle()
    if (place / REPORT).is_file():
        return opened(place)["settings"]
    begun = unfinished.begun()
    return begun["settings"] if begun is not None and unfinished.is_worth_keeping() else None


def _differing(settings, recorded):
    """Returns the names of settings that differ from those of a report."""
    own = {name: _as_json(value) for name, value in dataclasses.asdict(settings).items()}
    return [
        name
        for name, value in own.items()
        if name not in _OF_A_PLACE and value != recorded.get(name)
    ]


def _as_json(value: Any) -> Any:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _train_one(settings, say, overwrite):
    """Trains a run, goes on with it, or keeps it."""
    place = _files.local(settings.out)
    unfinished = Unfinished(place)
    going_on = unfinished.begun() is not None and unfinished.is_worth_keeping()
    if (place / REPORT).is_file() and not overwrite:
        say(f"{place} is there and kept.")
        return

    from tfvae._keras.backend import keras
    from tfvae.callbacks import Interrupted

    keras.backend.clear_session()  # what the run before has left
    try:
        if going_on and not overwrite:
            runs.resume(settings.out, say)
        else:
            runs.train(settings, say, overwrite=overwrite)
    except Interrupted as error:
        told = "The training was stopped and is kept. The same command goes on with all runs."
        raise Interrupted(told) from error
