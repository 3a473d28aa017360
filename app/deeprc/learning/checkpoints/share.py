"""Who writes which tensor, and the memory in which it waits to be written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from socket import gethostname

import numpy as np

from deeprc.core.errors import ConfigError

ALIGN = 64


def share(sizes: Mapping[str, int], ranks: int) -> list[list[str]]:
    """The names that each rank writes, from the bytes of each tensor: whole tensors, as evenly as they allow.

    The largest first, each to who has least: at most a third above the best there is (Graham 1969).
    """
    loads, names = [0] * ranks, [[] for _ in range(ranks)]
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        least = loads.index(min(loads))
        loads[least] += sizes[name]
        names[least].append(name)
    return [sorted(mine) for mine in names]


class ShareCopy:
    """Memory for one copy of a rank's share, made once and used for every checkpoint.

    Parameters
    ----------
    folder
        Of storage on this node; there the copy lies in a file that has no name. In plain memory where none is given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        if folder is not None and not (folder.is_dir() and os.access(folder, os.W_OK)):
            raise ConfigError(
                "key 'training.staging': copies of checkpoints cannot wait there",
                found=f"{folder}: {'cannot be written to' if folder.is_dir() else 'no such folder'} on {gethostname()}",
                expected="a folder of each node's own storage",
                fix="name another one, or leave the key out: then they wait in memory",
            )
        self.folder = folder
        self._memory = np.empty(0, np.uint8)

    def copy(self, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The tensors as they are now: what is done to the originals later does not show in it."""
        places, end = {}, 0
        for name, array in tensors.items():
            places[name] = end
            end += -(-array.nbytes // ALIGN) * ALIGN
        if end > self._memory.size:
            self._memory = self._room(end)
        copies = {}
        for name, array in tensors.items():
            raw = self._memory[places[name] : places[name] + array.nbytes]
            copies[name] = raw.view(array.dtype).reshape(array.shape)
            np.copyto(copies[name], array)
        return copies

    def _room(self, size: int) -> np.ndarray:
        if self.folder is None:
            return np.empty(size, np.uint8)
        import tempfile

        with tempfile.TemporaryFile(dir=self.folder) as file:
            return np.memmap(file, np.uint8, "w+", shape=(size,))
