"""What a checkpoint holds, read when it is asked for: a rank may want little of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

OWN = "rank-{}."  # how the names of a rank's own tensors begin


@dataclass(frozen=True)
class Checkpoint:
    """What was saved at a step by so many ranks: the tensors, and the state beside them (what JSON knows)."""

    step: int
    tensors: Mapping[str, np.ndarray]
    state: dict[str, Any]
    ranks: int = 1

    def own(self, rank: int) -> Mapping[str, np.ndarray]:
        """What that rank alone had."""
        start = OWN.format(rank)
        names = {name.removeprefix(start): name for name in self.tensors if name.startswith(start)}
        return RenamedArrays(self.tensors, names)


class SavedArrays(Mapping[str, np.ndarray]):
    """The arrays of several files of safetensors."""

    def __init__(self, paths: Sequence[Path]) -> None:
        from safetensors import safe_open

        files = [safe_open(path, "numpy") for path in paths]
        self._files = {name: file for file in files for name in file.keys()}  # noqa: SIM118

    def __getitem__(self, name: str) -> np.ndarray:
        return self._files[name].get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


class RenamedArrays(Mapping[str, np.ndarray]):
    """Some arrays of `source`, by other names."""

    def __init__(self, source: Mapping[str, np.ndarray], names: Mapping[str, str]) -> None:
        self._source, self._names = source, names

    def __getitem__(self, name: str) -> np.ndarray:
        return self._source[self._names[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
