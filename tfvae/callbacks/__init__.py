"""Keras callbacks for training: checkpoints from which it goes on, and pictures to watch it by."""

from tfvae.callbacks.checkpoint import Checkpoint as Checkpoint
from tfvae.callbacks.interrupt import Interrupted as Interrupted
from tfvae.callbacks.tensorboard import TensorBoardPictures as TensorBoardPictures

__all__ = ["Checkpoint", "Interrupted", "TensorBoardPictures"]
