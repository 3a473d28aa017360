"""Checkpoints of a training: sharded over ranks, written beside the training, valid as soon as they are committed."""

from deeprc.learning.checkpoints.saved import Checkpoint
from deeprc.learning.checkpoints.store import CheckpointStore

__all__ = ["Checkpoint", "CheckpointStore"]
