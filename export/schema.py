"""Checks a sidecar: its keys against the contract, and its shapes against those of the file."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tfvae.errors import invalid

_FIX = "export the model again, and keep both files together"


class Ports(NamedTuple):
    """The inputs and outputs of one signature of a file.

    Attributes:
        inputs: `{name: shape}`.
        outputs: `{name: shape}`.
    """

    inputs: dict[str, list[int]]
    outputs: dict[str, list[int]]


def check_keys(metadata: dict[str, Any]) -> None:
    """Refuses a sidecar with a key missing, or with a value of another kind.

    Args:
        metadata: the content of the sidecar.

    Raises:
        InputError: the message has every such key.
    """
    wrong = [
        f"{key} = {metadata[key]!r}, not {kind.words}" if key in metadata else f"no {key}"
        for key, kind in {**_KEYS, **_OPTIONAL}.items()
        if (key in metadata or key in _KEYS) and not kind.holds(metadata.get(key, _ABSENT))
    ]
    if not wrong:
        for first, second in (("condition_shape", "condition_dtype"), ("signatures", "outputs")):
            a, b = metadata[first], metadata[second]
            if (a is None) != (b is None) or (isinstance(a, dict) and set(a) != set(b)):
                wrong.append(f"{first} = {a!r} beside {second} = {b!r}")
    if wrong:
        raise invalid("a sidecar with the keys of format version 1", "; ".join(wrong), _FIX)


def check_file(metadata: dict[str, Any], ports: dict[str, Ports]) -> None:
    """Refuses a sidecar of which the signatures, names or shapes are not the file's.

    Args:
        metadata: the content of the sidecar, of which `check_keys` holds.
        ports: the signatures of the file, by name.

    Raises:
        InputError: the message has the first difference.
    """
    told = metadata["signatures"]
    if set(told) != set(ports):
        raise invalid(f"a file with the signatures {sorted(told)}", f"{sorted(ports)}", _FIX)

    for signature, batch in _batches(metadata).items():
        for side, names, found in (
            ("input", told[signature], ports[signature].inputs),
            ("output", metadata["outputs"][signature], ports[signature].outputs),
        ):
            if set(names) != set(found):
                raise invalid(
                    f"{side}s {sorted(names)} of {signature}, which the sidecar tells",
                    f"a file with {sorted(found)}",
                    _FIX,
                )
            for name, shape in found.items():
                expected = _shape(metadata, signature, side, name, batch)
                if shape[: len(expected)] != expected or (name in _WHOLE and shape != expected):
                    raise invalid(
                        f"{side} {name} of {signature} of shape {expected}, by the sidecar",
                        f"shape {shape} in the file",
                        _FIX,
                    )


_WHOLE = ("seed", "index", "x", "x_from", "x_to", "y", "weight")


def _batches(metadata):
    """Returns the batch size of every signature, by the suffix of its name."""
    first, *others = metadata["batch_sizes"]
    found = {}
    for name in metadata["signatures"]:
        sizes = [size for size in others if name.endswith(f"_{size}")]
        found[name] = max(sizes, key=lambda size: len(str(size)), default=first)
    missing = [size for size in metadata["batch_sizes"] if size not in found.values()]
    if missing:
        raise invalid(
            f"signatures of the batch sizes {metadata['batch_sizes']}, by the sidecar",
            f"none of {missing}",
            _FIX,
        )
    return found


def _shape(metadata, signature, side, name, batch):
    """Returns the shape of a port, or the start of it where no key tells the rest."""
    if name in ("seed", "index"):
        return [1]
    if name in ("x", "x_from", "x_to"):
        return [batch, *metadata["event_shape"]]
    if name == "y":
        return [batch, *(metadata["condition_shape"] or [])]

    stem, _, number = name.partition("_")
    if stem == "z" and not (signature == "encode" and side == "output"):
        sizes = metadata["latent_dim"] if side == "input" else metadata["latent_sizes"]
        sizes = sizes if isinstance(sizes, list) else [sizes]
        place = int(number) if number.isdigit() else 0
        return [batch, sizes[place] if place < len(sizes) else 0]
    return [batch]


class _Kind(NamedTuple):
    """What a key holds.

    Attributes:
        words: the kind in words.
        holds: True of a value of this kind.
    """

    words: str
    holds: Callable[[Any], bool]


def _is_size(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _list_of(holds, least=0):
    return lambda value: isinstance(value, list) and len(value) >= least and all(map(holds, value))


def _or_null(kind):
    return _Kind(f"{kind.words}, or null", lambda value: value is None or kind.holds(value))


def _is_text(value):
    return isinstance(value, str)


def _is_dtype(value):
    try:
        return isinstance(value, str) and np.dtype(value).kind in "biuf"
    except TypeError:
        return False


def _are_ports(value):
    return isinstance(value, dict) and all(map(_list_of(_is_text), value.values()))


_TEXT = _Kind("a text", _is_text)
_SIZE = _Kind("a whole number from 1", _is_size)
_SIZES = _Kind("a list of whole numbers from 1", _list_of(_is_size))
_PORTS = _Kind("lists of names by signature", _are_ports)
_KEYS = {
    "package_version": _TEXT,
    "sha256": _TEXT,
    "event_shape": _SIZES,
    "value_range": _or_null(
        _Kind("two numbers", lambda value: _list_of(_is_number)(value) and len(value) == 2)
    ),
    "latent_dim": _Kind(
        "a whole number from 1, or a list of them",
        lambda value: _is_size(value) or _list_of(_is_size, 1)(value),
    ),
    "latent_sizes": _Kind("a list of whole numbers from 1", _list_of(_is_size, 1)),
    "condition_shape": _or_null(_SIZES),
    "condition_dtype": _or_null(_Kind("the name of a type of numbers", _is_dtype)),
    "num_classes": _or_null(_SIZE),
    "batch_sizes": _Kind(
        "different whole numbers from 1",
        lambda value: _list_of(_is_size, 1)(value) and len(set(value)) == len(value),
    ),
    "signatures": _PORTS,
    "outputs": _PORTS,
    "posterior": _TEXT,
    "prior": _TEXT,
    "likelihood": _TEXT,
    "quantization": _or_null(_TEXT),
}


def _is_column(value):
    """Returns True for {"name": ..., "width": ..., "labels": [...] or None}."""
    if not isinstance(value, dict) or not _is_text(value.get("name")):
        return False
    labels = value.get("labels")
    return _is_size(value.get("width")) and (labels is None or isinstance(labels, list))


_OPTIONAL = {  # of files from before there were such keys, or without a measurement
    "quality": _or_null(_Kind("measured numbers by name", lambda value: isinstance(value, dict))),
    "least_runtimes": _or_null(
        _Kind(
            "versions by runtime, or null for either",
            lambda value: (
                isinstance(value, dict) and all(v is None or _is_text(v) for v in value.values())
            ),
        )
    ),
    "columns": _Kind("columns of a table, each with a name and a width", _list_of(_is_column, 1)),
    "left_out": _Kind(
        "reasons by signature",
        lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
    ),
}
_ABSENT = object()  # of no kind
