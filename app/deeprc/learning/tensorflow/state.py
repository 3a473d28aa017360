"""The weights of a network as named arrays, and back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from deeprc.learning.tensorflow.backend import keras


def arrays(prefix: str, variables: Sequence[keras.Variable | np.ndarray]) -> dict[str, np.ndarray]:
    """Copies of variables, called `prefix.number` (or `number`): Keras' own names count all networks of a process."""
    start = f"{prefix}." if prefix else ""
    return {f"{start}{number}": np.array(one) for number, one in enumerate(variables)}


def of(prefix: str, named: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Those of `named` that `arrays` has called by `prefix`, in their order."""
    start = f"{prefix}." if prefix else ""
    return [named[f"{start}{number}"] for number in range(sum(name.startswith(start) for name in named))]


def load(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> None:
    """Put values into variables."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def digest(model: keras.Model) -> str:
    """The SHA-256 of a network's weights: types, shapes and bits."""
    found = hashlib.sha256()
    for array in model.get_weights():
        found.update(f"{array.dtype.str} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
