"""Checkpoints of a training: sharded over ranks, written beside the training, valid as soon as they are committed."""

from deeprc.learning.checkpoints.store import Checkpoint, CheckpointStore

__all__ = ["Checkpoint", "CheckpointStore"]
