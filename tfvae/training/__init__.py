"""How steps run: see README.md in this folder for the way of a batch."""
