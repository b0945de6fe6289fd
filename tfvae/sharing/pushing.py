"""Uploads a model with its card to a hub."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfvae.sharing import hub
from tfvae.sharing.folder import save_pretrained

if TYPE_CHECKING:
    from tfvae.models.vae import VAE


def push_to_hub(
    vae: "VAE",
    name: str,
    *,
    private: bool = False,
    token: str | None = None,
    message: str = "Add a model of tfvae",
    report: Any = None,
    license: str | None = None,
    files: Sequence[str | os.PathLike[str]] = (),
) -> str:
    """Uploads the folder that `save_pretrained` writes, as one commit.

    Args:
        vae: the model.
        name: `"user/name"`, also `"hf://user/name"`. It is made if it is not there.
        private: True to make it private, if it is made.
        token: a token that may write; by default the one that `hf auth login` has kept.
        message: the message of the commit.
        report: as in `save_pretrained`.
        license: as in `save_pretrained`.
        files: as in `save_pretrained`.

    Returns:
        The address of the commit.

    Raises:
        InputError: no such name, or a hub that refuses it or is not reached.
        ModuleNotFoundError: `huggingface_hub` is not installed.
        InputTypeError: as `save_pretrained`.
    """
    name = hub.checked(name)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "model")
        save_pretrained(vae, folder, report=report, license=license, files=files)
        return hub.upload(folder, name, private, token, message)
