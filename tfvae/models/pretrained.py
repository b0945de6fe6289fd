"""The methods of a model that give it to others and take one: see `tfvae.sharing`."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfvae.models.vae import VAE


class Pretrained:
    """Adds `save_pretrained`, `push_to_hub` and `from_pretrained` to a model.

    This is a mixin for `VAE`. The functions lie above the models, and are imported when used.
    """

    def save_pretrained(self, folder: str | os.PathLike[str], **options: Any) -> None:
        """Writes the model into a folder with a model card, see `sharing.save_pretrained`.

        Args:
            folder: the folder.
            **options: `report`, `license` and `files`.

        Raises:
            InputError: as `sharing.save_pretrained`.
        """
        from tfvae import sharing

        sharing.save_pretrained(self, folder, **options)  # type: ignore[arg-type]

    def push_to_hub(self, name: str, **options: Any) -> str:
        """Uploads the model with a model card to a hub, see `sharing.push_to_hub`.

        Args:
            name: `"user/name"`.
            **options: `private`, `token`, `message`, `report`, `license` and `files`.

        Returns:
            The address of the commit.

        Raises:
            InputError: as `sharing.push_to_hub`.
        """
        from tfvae import sharing

        return sharing.push_to_hub(self, name, **options)  # type: ignore[arg-type]

    @classmethod
    def from_pretrained(cls, name_or_folder: str | os.PathLike[str], **options: Any) -> "VAE":
        """Loads a model from a folder or a hub, see `sharing.from_pretrained`.

        Args:
            name_or_folder: a folder, or `"user/name"`.
            **options: `revision`, `token`, `custom_objects` and `compile`.

        Returns:
            The model.

        Raises:
            InputError: as `sharing.from_pretrained`.
        """
        from tfvae import sharing

        return sharing.from_pretrained(name_or_folder, **options)
