"""Files of tensors in the form of safetensors, written from memory that stands already.

The library's own writer copies every tensor once more; a training whose state fills the memory has no room for that.
Its reader is used as it is. The form: 8 bytes of length, a JSON header, the numbers
(github.com/huggingface/safetensors).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Generator, Mapping
from pathlib import Path

import numpy as np

# By numpy's names; what numpy has no type for (bfloat16) travels as the bytes of another, see `torch.state`.
CODES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8",
    "uint8": "U8", "bool": "BOOL", "complex64": "C64",
}  # fmt: skip
CHUNK = 1 << 20  # bytes hashed and written at a time


def write(path: Path, tensors: Mapping[str, np.ndarray], notes: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Write contiguous arrays to `path`, to the disk itself; bytes and SHA-256 of the file."""
    work = written(path, tensors, notes)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def written(
    path: Path, tensors: Mapping[str, np.ndarray], notes: Mapping[str, str] | None = None
) -> Generator[None, None, tuple[int, str]]:
    """The same, a piece at a time: it can be gone on with by another thread."""
    header: dict[str, object] = {"__metadata__": dict(notes)} if notes else {}
    begin = 0
    for name, array in tensors.items():
        end = begin + array.nbytes
        header[name] = {"dtype": CODES[array.dtype.name], "shape": array.shape, "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # so that the numbers lie on their own boundaries
    digest, size = hashlib.sha256(), 0
    with path.open("wb", buffering=0) as file:
        for piece in (len(text).to_bytes(8, "little") + text, *map(_bytes, tensors.values())):
            for start in range(0, len(piece), CHUNK):
                part = piece[start : start + CHUNK]
                digest.update(part)
                done = 0
                while done < len(part):
                    done += file.write(part[done:])
                size += len(part)
                yield
        os.fsync(file.fileno())
    return size, digest.hexdigest()


def _bytes(array: np.ndarray) -> memoryview | bytes:
    return memoryview(array.reshape(-1).view(np.uint8)) if array.nbytes else b""


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file."""
    from safetensors.numpy import load_file

    return load_file(path)
