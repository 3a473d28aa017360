"""TensorFlow, imported in one place: quiet, with a fixed number of threads, and the same numbers at every run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from deeprc.core.errors import ConfigError
from deeprc.learning.config import Device, Precision

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import tensorflow as tf

TENSOR_CORES = (8, 0)  # the first of NVIDIA's compute capabilities with TF32 (Ampere)

__all__ = ["half", "keras", "start", "tf"]


@contextmanager
def half() -> Iterator[None]:
    """Within it layers that are made compute in bfloat16, with weights in float32, unless they say otherwise."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


def start(*, threads: int, seed: int, device: Device = "cpu", precision: Precision = "float32") -> str:
    """Fix threads, seeds, device and precision; call it before the first operation.

    The first accelerator that this rank sees is its own (`deeprc plan`); its memory is taken as it is needed. What is
    float32 is computed as such there: TensorFlow's own choice is TF32.

    Parameters
    ----------
    threads
        Threads within an operation; operations run one after the other.
    precision
        What is to be had there; for `bfloat16` see `half`.

    Returns
    -------
    The device, for people and records.

    Raises
    ------
    ConfigError
        Where the device is not here, or does not compute in that precision.
    """
    found = tf.config.list_physical_devices("GPU")
    if device not in ("auto", "cpu") and not (found and device == "cuda"):
        raise ConfigError(
            f"the device {device} is not here",
            found=f"TensorFlow {tf.__version__}, which sees {len(found)} GPUs",
            expected="a GPU of NVIDIA or AMD that the job was given, and a TensorFlow built for it",
            fix="give the key 'training.device' auto or cpu; or an image, or a TensorFlow, for these accelerators",
        )
    mine = [] if device == "cpu" else found[:1]
    if found:
        tf.config.set_visible_devices(mine, "GPU")
    about = tf.config.experimental.get_device_details(mine[0]) if mine else {}
    if precision not in ("float32", "bfloat16") and about.get("compute_capability", (0, 0)) < TENSOR_CORES:
        raise ConfigError(
            f"precision {precision} cannot be had here", found=about.get("device_name", "the processor alone"),
            expected="a GPU of NVIDIA, of Ampere (A100) or later",
            fix="give the key 'training.precision' float32 or bfloat16",
        )  # fmt: skip
    for one in mine:
        tf.config.experimental.set_memory_growth(one, True)
    tf.config.experimental.enable_tensor_float_32_execution(precision == "tf32")
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
    return f"cuda ({about.get('device_name', 'unknown')})" if mine else "cpu"
