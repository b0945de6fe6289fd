"""Gives models to others and takes theirs: folders with a model card, here or on a hub.

A folder holds the model as Keras writes it unpacked (`config.json`, `metadata.json` and
`model.weights.h5`), so that `keras.saving.load_model("hf://user/name")` reads it too, a card,
`README.md`, and `tfvae.json`, which lists the files by their hashes.
"""

from tfvae.sharing.folder import from_pretrained as from_pretrained
from tfvae.sharing.folder import save_pretrained as save_pretrained
from tfvae.sharing.pushing import push_to_hub as push_to_hub
