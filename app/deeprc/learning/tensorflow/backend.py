"""TensorFlow, imported in one place: quiet, with a fixed number of threads, and the same numbers at every run."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import tensorflow as tf

__all__ = ["keras", "start", "tf"]


def start(*, threads: int, seed: int) -> None:
    """Fix threads and seeds; call it before the first operation.

    Parameters
    ----------
    threads
        Threads within an operation; operations run one after the other.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
