"""Reads a sweep: which runs to train, as a TOML file with options of `tfvae train`."""

import hashlib
import itertools
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfvae.app import config_file
from tfvae.errors import invalid

_WAYS = ("grid", "random")
_RUNS = 20  # of a random search, unless the file says
_MOST = 1000  # runs of a sweep
_LARGEST = 2**53  # of an end of a range
_TRIES = 50  # for each run of a random search, to find one that is not there yet
_LONGEST = 60  # characters of the name of a run's folder
_NUMBERS = {
    "runs": "how many runs of a random search",
    "seed": "the seed of a random search",
    "seeds": "how many seeds for each choice",
}


class Job(NamedTuple):
    """A run of a series.

    Attributes:
        name: the name of its folder.
        options: options of `tfvae train` by name, as `config_file.read` returns them.
        chosen: those among them that differ in the series, as the file has them.
    """

    name: str
    options: dict[str, Any]
    chosen: dict[str, Any]


class Sweep(NamedTuple):
    """What a file asks for.

    Attributes:
        out: the folder of all runs.
        jobs: the runs.
    """

    out: str
    jobs: list[Job]


def read(path: str | os.PathLike[str]) -> Sweep:
    """Reads a sweep.

    Args:
        path: a TOML file: `[train]` with options of all runs, and `[grid]` with a list of values
            for each option that varies, or `[random]` with such lists or with `{min, max, log}`.
            Before them `out`, and `runs`, `seed` and `seeds`.

    Raises:
        InputError: no file, no TOML, an unknown key, a value that an option cannot have, or
            too many runs.
    """
    name = str(path)
    content = config_file.parsed(name)
    _check_keys(content, name)
    _check_ways(content, name)
    way = next(each for each in _WAYS if content.get(each))
    shared = content.get("train", {})
    _check_values(way, content[way], name)
    config_file.options(shared, f"[train] of {name}")

    first, count = shared.get("seed", 0), content.get("seeds", 1)
    seeds = range(first, first + count)
    choices = list(_grid(content["grid"], name) if way == "grid" else _drawn(content, name))
    _check_count(len(choices) * count, name)
    jobs = []
    for choice in choices:
        for seed in seeds:
            chosen = {**choice, **({"seed": seed} if len(seeds) > 1 else {})}
            options = config_file.options({**shared, **chosen}, f"[{way}] of {name}")
            jobs.append(Job(_folder(chosen), options, chosen))
    return Sweep(content.get("out", f"runs/{Path(name).stem}"), jobs)


def _check_keys(content, name):
    """Refuses what a sweep does not have."""
    known = ("out", *_NUMBERS, "train", *_WAYS)
    for key, value in content.items():
        if key not in known:
            fix = f"take one of {', '.join(known)}; options of tfvae train go into [train]"
            raise invalid(f"keys of a sweep in {name}", key, fix)
        is_table = key in ("train", *_WAYS)
        if is_table and not isinstance(value, dict):
            raise invalid(f"{key} in {name} to be a table", repr(value), f"write [{key}]")
        if key in _NUMBERS and (type(value) is not int or value < (key != "seed")):
            raise invalid(f"{key} in {name}, {_NUMBERS[key]}", repr(value), f"write {key} = 3")
    if not isinstance(content.get("out", ""), str):
        raise invalid(f"out in {name}, a folder", repr(content["out"]), 'write out = "runs/mine"')


def _check_ways(content, name):
    """Refuses tables that contradict each other."""
    ways = [way for way in _WAYS if content.get(way)]
    if len(ways) != 1:
        received = "both" if ways else "neither"
        fix = "write [grid] and a line such as latent_dim = [4, 8]"
        raise invalid(f"one of [grid] and [random], not empty, in {name}", received, fix)
    twice = sorted(set(content[ways[0]]) & set(content.get("train", {})))
    if twice:
        fix = "keep it in one of the two"
        raise invalid(f"options in [train] or in [{ways[0]}] of {name}", f"{twice[0]} in both", fix)
    if content.get("seeds", 1) > 1 and "seed" in content[ways[0]]:
        fix = "leave seeds out, or seed in the table"
        raise invalid(f"seeds, or values of seed in [{ways[0]}] of {name}", "both", fix)
    if "out" in content.get("train", {}) or "out" in content[ways[0]]:
        fix = "write it before the tables, for the folder of all runs"
        raise invalid(f"no out in the tables of {name}", "one", fix)


def _check_values(way, table, name):
    for option, values in table.items():
        is_range = way == "random" and isinstance(values, dict)
        if is_range:
            _check_range(option, values, name)
        elif not isinstance(values, list) or not values:
            fix = f"write {option} = [{values!r}]" if values != [] else "write one value at least"
            raise invalid(f"a list of values of {option} in [{way}] of {name}", repr(values), fix)


def _check_range(option, values, name):
    ends = [values.get(end) for end in ("min", "max")]
    is_known = set(values) <= {"min", "max", "log"} and isinstance(values.get("log", False), bool)
    are_numbers = all(type(end) in (int, float) and abs(end) < _LARGEST for end in ends)
    if not is_known or not are_numbers or not ends[0] < ends[1]:
        fix = f"write {option} = {{min = 1e-4, max = 1e-2, log = true}}"
        expected = f"min below max, and log if wanted, of {option} in [random] of {name}"
        raise invalid(expected, repr(values), fix)
    if values.get("log") and ends[0] <= 0:
        fix = "take a positive min, or leave log out"
        raise invalid(f"positive ends of {option} on a logarithmic scale", repr(values), fix)


def _check_count(count, name):
    if count > _MOST:
        fix = "take fewer values, or [random] with runs = 50"
        raise invalid(f"at most {_MOST:,} runs in {name}", f"{count:,}", fix)


def _grid(table, name) -> Iterator[dict[str, Any]]:
    """Yields every combination of the values, the last option changing first."""
    _check_count(math.prod(map(len, table.values())), name)
    for values in itertools.product(*table.values()):
        yield dict(zip(table, values))


def _drawn(content, name) -> Iterator[dict[str, Any]]:
    """Yields different choices at random. More of them begin as fewer do."""
    generator = np.random.default_rng(content.get("seed", 0))
    wanted = content.get("runs", _RUNS)
    _check_count(wanted, name)
    known: set[str] = set()
    for _ in range(wanted * _TRIES):
        choice = {key: _value(values, generator) for key, values in content["random"].items()}
        text = json.dumps(choice, default=str)
        if text not in known and len(known) < wanted:
            known.add(text)
            yield choice


def _value(values, generator):
    if isinstance(values, list):
        return values[generator.integers(len(values))]
    low, high = values["min"], values["max"]
    is_whole = isinstance(low, int) and isinstance(high, int)
    if is_whole and not values.get("log"):
        return int(generator.integers(low, high + 1))
    if values.get("log"):
        found = math.exp(generator.uniform(math.log(low), math.log(high)))
    else:
        found = generator.uniform(low, high)
    return min(max(round(found), low), high) if is_whole else float(f"{found:.4g}")


def _folder(chosen):
    """Returns the name of a run's folder, the same for the same choices in any file."""
    words = "-".join(f"{name}-{_plain(value)}" for name, value in chosen.items())
    name = re.sub(r"[^A-Za-z0-9._]+", "-", words).strip("-.")
    exact = "-".join(f"{name}-{value}" for name, value in chosen.items())
    if name == exact and len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()
    return f"{name[:_LONGEST].rstrip('-.')}-{digest[:6]}"


def _plain(value):
    return ".".join(map(str, value)) if isinstance(value, list) else value
