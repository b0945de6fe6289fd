"""Loads a saved model."""

import json
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfvae._files.places import local
from tfvae._keras.backend import keras
from tfvae.datasets import readers
from tfvae.errors import InputTypeError, invalid
from tfvae.models.vae import VAE

_METADATA = "metadata.json"
_MEMBERS = {"config.json", _METADATA, "model.weights.h5"}  # of every file that Keras writes
_LONGEST = 500  # letters of a message of Keras, which may have the whole configuration in it


def load_model(
    path: str | os.PathLike[str],
    *,
    custom_objects: Mapping[str, Any] | None = None,
    safe_mode: bool = True,
    compile: bool = True,
) -> VAE:
    """Loads a model from a `.keras` file: networks, pieces, optimizer and random state.

    The file is read whole and checked by its checksums before Keras sees it. Other formats that
    Keras loads, such as `.h5`, are refused, since `safe_mode` does not hold for all of them.

    Args:
        path: the file, or `"hf://user/name"` for a model on a hub, see `tfvae.sharing`.
        custom_objects: classes and functions of your own by name, as `keras.saving.load_model`
            takes them.
        safe_mode: False to let the file bring code of its own, such as the functions of `Lambda`
            layers. Only for a file that you made yourself.
        compile: False to leave the optimizer and the arguments of `compile` in the file.

    Raises:
        InputError: no such file, a damaged one, or one that Keras cannot build.
        InputTypeError: no path, or a file of a model that is not a VAE.
    """
    if str(path).startswith("hf://") and safe_mode:
        from tfvae import sharing  # above the models; only where one is asked for

        return sharing.from_pretrained(path, custom_objects=custom_objects, compile=compile)

    path = local(path)
    _check(path)
    return built(path, custom_objects=custom_objects, safe_mode=safe_mode, compile=compile)


def built(
    path: Path,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    safe_mode: bool = True,
    compile: bool = True,
) -> VAE:
    """Builds the model of a file or folder of Keras that is known to be whole.

    Args:
        path: the file, or the folder of one that is unpacked.
        custom_objects: as in `load_model`.
        safe_mode: as in `load_model`.
        compile: as in `load_model`.

    Raises:
        InputError: one that Keras cannot build.
        InputTypeError: a model that is not a VAE.
    """
    try:
        model = keras.saving.load_model(
            path, custom_objects=custom_objects, compile=compile, safe_mode=safe_mode
        )
    except Exception as error:  # of Keras, HDF5, or the classes in the file
        raise _not_built(path, error) from error

    if not isinstance(model, VAE):
        raise invalid(
            "a saved tfvae.VAE",
            f"{type(model).__name__} in {path}",
            "load it with Keras",
            InputTypeError,
        )
    return model


def _not_built(path, error):
    """Returns the refusal of what Keras cannot build; that a file is of a later Keras is said."""
    version = _version_of_writer(path)
    if _numbers(version) > _numbers(keras.__version__):
        return invalid(
            f"{path} to be written by Keras {keras.__version__}, which is installed, or an earlier",
            f"a file of Keras {version}",
            f"pip install 'keras>={version}'",
        )

    fix = "save it again with vae.save(path), and give your own classes as custom_objects"
    return _refused(path, error, fix)


def _version_of_writer(path):
    """Returns the version of Keras that a file or folder names, or "" if it names none."""
    try:
        if path.is_dir():
            text = (path / _METADATA).read_bytes()
        else:
            with zipfile.ZipFile(path) as archive:
                text = archive.read(_METADATA)
        return str(json.loads(text)["keras_version"])
    except Exception:  # of a file that is refused for another reason
        return ""


def _numbers(version):
    """Returns the first two numbers of a version, as (3, 15), or () if it has none."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return tuple(map(int, found.groups())) if found else ()


def _check(path):
    """Refuses what is no whole `.keras` file."""
    try:
        if path.suffix != ".keras":
            raise ValueError(f"its name ends in {path.suffix!r}")
        with zipfile.ZipFile(readers.regular(path)) as archive:
            members = archive.infolist()
            packed = sum(member.compress_size for member in members)
            readers.check_unpacked(sum(member.file_size for member in members), packed)
            missing = _MEMBERS - {member.filename for member in members}
            damaged = sorted(missing) or archive.testzip()
        if damaged:
            raise ValueError(f"{damaged} in it missing or damaged")
    except Exception as error:  # of zipfile, zlib or the disk
        raise _refused(path, error, "save it again with vae.save('NAME.keras')") from error


def _refused(path: Path, error, fix):
    reason = f"{type(error).__name__}: {str(error).strip()[:_LONGEST]}"
    return invalid(f"{path} to be a whole .keras file of tfvae", reason, fix)
