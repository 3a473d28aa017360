"""What all engines train: data, network and sizes; and where each writes down what it does, whatever it believes of it.

It needs torch and numpy alone.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import numpy as np
import torch

SAMPLES, BATCH, EPOCHS = 1536, 32, 5  # whole batches: no engine has to decide what to do with an odd one
STEPS = SAMPLES // BATCH * EPOCHS
EVERY = 10  # steps between two checkpoints
RANKS = 2
PAUSE = 0.02  # seconds that a step takes at least
SEED, RATE = 7, 1e-3


def data() -> tuple[torch.Tensor, torch.Tensor]:
    """x [SAMPLES, 8] and y [SAMPLES, 1]."""
    chance = torch.Generator().manual_seed(SEED)
    x = torch.randn(SAMPLES, 8, generator=chance)
    return x, x.sin().sum(1, keepdim=True) + 0.1 * torch.randn(SAMPLES, 1, generator=chance)


class NumberedSamples(torch.utils.data.Dataset):
    """Each sample with its number."""

    def __init__(self) -> None:
        self.x, self.y = data()

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, number: int) -> tuple[int, torch.Tensor, torch.Tensor]:
        return number, self.x[number], self.y[number]


def network() -> torch.nn.Module:
    """With dropout, as most have it: what is drawn belongs to the state of a training, too."""
    torch.manual_seed(SEED)
    layers = torch.nn.Linear(8, 64), torch.nn.ReLU(), torch.nn.Dropout(0.1), torch.nn.Linear(64, 1)
    return torch.nn.Sequential(*layers)


def loss(module: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Mean squared error."""
    return torch.nn.functional.mse_loss(module(x), y)


class Notes:
    """What a rank of an engine has computed gradients of: a line for each step, which a kill leaves as it is.

    Parameters
    ----------
    run
        Of how many starts this is one.
    """

    def __init__(self, folder: Path, run: int, rank: int) -> None:
        self.folder, self.rank, self._step = folder, rank, 0
        (folder / "used").mkdir(parents=True, exist_ok=True)
        name = folder / "used" / f"{run:03d}-{rank}"
        self._file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def used(self, step: int, epoch: int, samples: list[int]) -> None:
        """These samples go into the gradient of a step (from 1) of the weights, in an epoch (from 0)."""
        os.write(self._file, f"{step} {epoch} {' '.join(map(str, samples))}\n".encode())
        if step != self._step:  # once, in however many parts it is computed
            time.sleep(PAUSE)
        self._step = step

    def done(self, module: torch.nn.Module) -> None:
        """The training is at its end: these are its weights."""
        found = hashlib.sha256()
        for array in (one.detach().numpy() for one in module.parameters()):
            found.update(np.ascontiguousarray(array).data)
        if self.rank == 0:
            (self.folder / "weights.sha256").write_text(found.hexdigest())
