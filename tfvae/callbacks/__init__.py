"""Keras callbacks for training: checkpoints from which it goes on as if it had never stopped."""

from tfvae.callbacks.checkpoint import Checkpoint as Checkpoint
from tfvae.callbacks.interrupt import Interrupted as Interrupted

__all__ = ["Checkpoint", "Interrupted"]
