"""Gives models to the Hugging Face hub and takes them from it, through `huggingface_hub`."""

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

from tfvae.errors import invalid

SCHEME = "hf://"
# What the hub allows for the name of a user and of a model.
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def is_name(text: str) -> bool:
    """Returns True for a text such as `user/name`."""
    return _NAME.fullmatch(text) is not None


def upload(folder: Path, name: str, private: bool, token: str | None, message: str) -> str:
    """Uploads a folder as one commit, and returns the address of the commit.

    Args:
        folder: the folder.
        name: `user/name`. It is made if it is not there.
        private: True to make it private, if it is made.
        token: a token, or None for the one that is kept.
        message: the message of the commit.

    Raises:
        InputError: a hub that refuses it or is not reached.
        ModuleNotFoundError: `huggingface_hub` is not installed.
    """
    library = _library()
    with _told(name):
        api = library.HfApi(token=token, library_name="tfvae")
        made = api.create_repo(name, private=private, exist_ok=True)
        done = api.upload_folder(repo_id=made.repo_id, folder_path=folder, commit_message=message)
    return str(done.commit_url)


def download(name: str, files: Sequence[str], revision: str | None, token: str | None) -> Path:
    """Downloads files of a model, those that are there, and returns the folder.

    Args:
        name: `user/name`.
        files: the names of the files. Nothing else is downloaded.
        revision: a branch, tag or commit, or None for the newest.
        token: a token, or None for the one that is kept.

    Raises:
        InputError: no such model, or a hub that is not reached.
        ModuleNotFoundError: `huggingface_hub` is not installed.
    """
    name = checked(name)
    library = _library()
    with _told(name):
        found = library.snapshot_download(
            name, revision=revision, token=token, allow_patterns=list(files)
        )
    return Path(found)


def _library():
    """Imports huggingface_hub."""
    try:
        import huggingface_hub
    except ModuleNotFoundError as error:
        words = "huggingface_hub is not installed; pip install 'tfvae[hub]'"
        raise ModuleNotFoundError(words, name="huggingface_hub") from error
    return huggingface_hub


def checked(name: str) -> str:
    """Returns a name without the scheme.

    Raises:
        InputError: a text that is no name.
    """
    text = str(name).removeprefix(SCHEME)
    if not is_name(text):
        raise invalid("the name of a model on the hub", repr(name), "write 'user/name'")
    return text


@contextlib.contextmanager
def _told(name):
    """Turns what the hub and its client raise into a refusal that names the model."""
    try:
        yield
    except Exception as error:  # of HTTP, the connection, the hub or the disk
        reason = str(error).strip().split("\n")[0][:300] or type(error).__name__
        fix = "check the name, the connection, and `hf auth login` for what is private"
        raise invalid(f"the model {name} on the hub", reason, fix) from error
