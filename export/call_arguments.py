"""Checks the arguments of the public functions of this folder, before any model is converted."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from tfvae import _files
from tfvae.errors import InputTypeError, invalid
from tfvae.validation import arguments

QUANTIZATIONS = (None, "float16", "dynamic_int8", "int8")
# What people write for one of them: names of dtypes, of the converter's options, of other tools.
_MEANT = {
    "float32": None,
    "none": None,
    "half": "float16",
    "fp16": "float16",
    "f16": "float16",
    "bfloat16": "float16",
    "dynamic": "dynamic_int8",
    "dynamic_range": "dynamic_int8",
    "default": "dynamic_int8",
    "uint8": "int8",
    **{name: name for name in ("float16", "dynamic_int8", "int8")},
}


def check_model(vae: Any, path: Any, call: str, *, or_file: bool = False) -> None:
    """Refuses anything but a `tfvae.VAE` as the model.

    Args:
        vae: what was passed as the model.
        path: what was passed as the path, to tell whether the two were swapped.
        call: the name of the function, for the message.
        or_file: True if the path of a `.tflite` may stand for the model.

    Raises:
        InputTypeError: a path, a network, a class or anything else in its place.
    """
    if _is_path(vae) and or_file and not _is_vae(path):
        return
    if not _is_vae(vae):
        wanted = "a tfvae.VAE, or the path of a .tflite file" if or_file else "a tfvae.VAE"
        raise invalid(
            f"{wanted}, to export", _shown(vae), _model_fix(vae, path, call), InputTypeError
        )


def as_path(name: str, value: Any) -> Path:
    """Returns a path that was passed as an argument.

    Args:
        name: name of the argument, for the message.
        value: the value that was passed: a text, or anything with `__fspath__`.

    Raises:
        InputTypeError: anything else.
        InputError: an empty text, or one with a character that no path has.
    """
    if not _is_path(value):
        fix = f"pass {name}='folder/name'"
        raise invalid(f"{name} to be a path", f"{name}={_shown(value)}", fix, InputTypeError)
    text = os.fspath(value)
    if not text or "\0" in text:
        raise invalid(f"{name} to be a path", f"{name}={text!r}", f"pass {name}='folder/name'")
    return _files.local(text)


def as_model_path(value: Any) -> Path:
    """Returns the path of a `.tflite` to write.

    Args:
        value: the value that was passed as `path`.

    Raises:
        InputTypeError: no path.
        InputError: another ending.
    """
    path = as_path("path", value)
    if path.suffix != ".tflite":
        given = Path(os.fspath(value))
        stem = given if given.name else given / "model"
        named = f"write to {stem.with_suffix('.tflite')}"
        raise invalid("a path ending in .tflite", repr(str(value)), named)
    return path


def as_quantization(value: Any) -> str | None:
    """Returns the name of a quantization.

    Args:
        value: the value that was passed.

    Raises:
        InputError: another text; the message has the one that was meant, where it is known.
        InputTypeError: a dtype or anything else that is no text.
    """
    if value is None or (isinstance(value, str) and value in QUANTIZATIONS):
        return value
    meant = _meant(value)
    fix = f"pass quantization={meant!r}" if meant != "" else "choose one of them"
    raise invalid(
        f"quantization to be one of {', '.join(map(repr, QUANTIZATIONS))}",
        f"quantization={_shown(value)}",
        fix,
        *([] if isinstance(value, str) else [InputTypeError]),
    )


def as_batch_sizes(value: Any) -> tuple[int, ...]:
    """Returns batch sizes as a tuple of Python's integers.

    Args:
        value: the value that was passed: a whole number of any type, or a list, tuple, range or
            vector of different ones.

    Raises:
        InputError: a size that is not a whole number from 1, none, or the same one twice.
    """
    if not _is_row(value):
        return (arguments.whole_number("batch_size", value, 1),)
    sizes = tuple(
        arguments.whole_number(f"batch_size[{i}]", size, 1) for i, size in enumerate(value)
    )
    if not sizes or len(set(sizes)) < len(sizes):
        expected = "one batch size from 1, or several different ones"
        raise invalid(expected, f"batch_size={value!r}", "pass 1 or (1, 16)")
    return sizes


def as_quality_loss(value: Any) -> float | None:
    """Returns the limit to what a file may lose, in nats per example, or None for no limit.

    Args:
        value: the value that was passed.

    Raises:
        InputError: anything but None or a finite number.
    """
    return None if value is None else arguments.real_number("max_quality_loss", value)


def as_flag(name: str, value: Any) -> bool:
    """Returns a switch as a Python bool.

    Args:
        name: name of the argument, for the message.
        value: the value that was passed.

    Raises:
        InputTypeError: anything but True or False.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise invalid(
            f"{name} to be True or False",
            f"{name}={_shown(value)}",
            f"pass {name}=True or leave it out",
            InputTypeError,
        )
    return bool(value)


def as_text(name: str, value: Any) -> str:
    """Returns a text.

    Args:
        name: name of the argument, for the message.
        value: the value that was passed.

    Raises:
        InputTypeError: anything else.
    """
    if not isinstance(value, str):
        raise invalid(
            f"{name} to be a text", f"{name}={_shown(value)}", f"pass {name}='...'", InputTypeError
        )
    return value


def check_examples(name: str, value: Any) -> None:
    """Refuses examples or conditions that are no array with at least one row.

    Args:
        name: name of the argument, for the message.
        value: the value that was passed, or None for none.

    Raises:
        InputTypeError: a dataset, a generator, a path or anything else that is no array.
        InputError: an array without rows.
    """
    if value is None:
        return
    if not (hasattr(value, "__array__") or isinstance(value, (list, tuple))):
        fix = f"pass an array, such as {name}=x_test[:256]"
        raise invalid(f"{name} to be an array [N, ...]", _shown(value), fix, InputTypeError)
    shape = np.shape(value)
    if shape[:1] == (0,):
        fix = f"pass a few hundred rows, or leave {name} out"
        raise invalid(f"{name} with at least one row", f"shape {list(shape)}", fix)


def _is_path(value):
    return isinstance(value, str) or (
        isinstance(value, os.PathLike) and not isinstance(value, type)
    )


def _is_vae(value):
    """Returns whether a value is a model. TensorFlow is imported for objects of unknown kinds."""
    if value is None or isinstance(value, (str, bytes, int, float, os.PathLike, type)):
        return False
    from tfvae.models.vae import VAE

    return isinstance(value, VAE)


def _is_row(value):
    """Returns whether a value is a list, tuple, range or vector."""
    if isinstance(value, (list, tuple, range)):
        return True
    return hasattr(value, "__array__") and len(np.shape(value)) == 1


def _shown(value):
    """Returns a value in few words: a short text or number as it is, else its type."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    words = repr(value)
    plain = value is None or isinstance(value, (str, bytes, int, float, list, tuple, os.PathLike))
    if len(words) <= 80 and (plain or hasattr(value, "as_numpy_dtype")):
        return words
    return f"an object of type {type(value).__name__}"


def _model_fix(value, path, call):
    """Returns what to do about something that was passed in place of the model."""
    if _is_vae(path):
        return f"swap the two: {call}(vae, path)"
    if _is_path(value):
        return "load the model first: vae = tfvae.load_model('model.keras')"
    if hasattr(value, "layers"):
        return "build the model of both networks first: vae = tfvae.VAE(encoder, decoder)"
    return f"call {call}(vae, path)"


def _meant(value):
    """Returns the quantization that a text, a dtype or an option means, or "" if none is known."""
    name = value if isinstance(value, str) else getattr(value, "name", None)
    if isinstance(value, type):
        name = value.__name__
    found = name.lower().replace("-", "_") if isinstance(name, str) else ""
    return _MEANT.get(found, "")
