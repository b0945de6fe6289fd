"""Finds the examples that a command is to work on: held out by a run, or given by name or path."""

import dataclasses
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfvae import datasets
from tfvae.app.settings import Settings, load_data


class Examples(NamedTuple):
    """Examples to work on.

    Attributes:
        x: float32 `[N, *event]`, in the order of their file.
        y: conditions `[N, ...]`, or None.
        files: the names of N pictures; empty where the examples are no pictures of a folder.
        source: what they are, in words.
        table: the columns of which x is made; None of other data.
    """

    x: np.ndarray
    y: np.ndarray | None
    files: tuple[str, ...]
    source: str
    table: datasets.Table | None = None


def located(settings: Settings) -> Settings:
    """Returns settings whose paths are found from any working folder.

    Args:
        settings: the settings of a run, with paths as they were typed.
    """
    changes = {}
    if settings.data not in datasets.NAMES and Path(settings.data).expanduser().exists():
        changes["data"] = _absolute(settings.data)
    if settings.data_dir is not None:
        changes["data_dir"] = _absolute(settings.data_dir)
    return dataclasses.replace(settings, **changes)


def examples(
    settings: Settings,
    event_shape: tuple[int, ...],
    data: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    table: datasets.Table | None = None,
) -> Examples:
    """Loads the examples to work on.

    Args:
        settings: the settings of the run.
        event_shape: the shape of an example of its model.
        data: name or path of the data; None for what the run has held out.
        data_dir: folder of named data sets; default the one of the run.
        table: the columns of the run, if it is one of a table.

    Returns:
        All examples of a file or folder, which may be one; of data that come in two parts, those
        held out.

    Raises:
        InputError: data that cannot be read.
    """
    if data is None:
        dataset = load_data(settings, data_dir)
        source = f"held out of {dataset.name}"
        return Examples(dataset.x_test, dataset.y_test, (), source, table)
    if table is not None:
        return Examples(table.to_array(datasets.read_table(data)), None, (), f"of {data}", table)

    folder = Path(data).expanduser()
    has_pictures = folder.is_dir() and len(event_shape) == 3 and not datasets.record_files(folder)
    size: Any = event_shape[:2] if len(event_shape) == 3 else None
    asked = dataclasses.replace(settings, data=data, image_size=size)
    x, y = datasets.joined(load_data(asked, data_dir, least=1))
    if x.shape == tuple(event_shape) and y is None:
        x = x[None]  # one example without an axis of examples
    if not has_pictures:
        return Examples(x, y, (), f"of {data}")

    if (x.shape[-1], event_shape[-1]) == (1, 3):
        x = np.repeat(x, 3, axis=-1)  # grey pictures for a model of colours
    files = datasets.picture_files(folder)
    return Examples(x, y, tuple(str(file.relative_to(folder)) for file in files), f"of {data}")


def _absolute(path):
    return os.path.abspath(os.path.expanduser(path))
