"""Deep RC: `by_deeprc.py FOLDER RUN MODE`, on MPI ranks."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from deeprc.bench.resume.engines import task
from deeprc.learning.config import How, Optimisation
from deeprc.learning.peers import join
from deeprc.learning.torch.loop import make_deterministic
from deeprc.learning.torch.train import Trainer


class Known:
    """The task as a problem of `Trainer`, which says what it is asked to compute."""

    def __init__(self, notes: task.Notes) -> None:
        self.x, self.y = task.data()
        self.module, self.rows, self.notes = task.network(), np.arange(task.SAMPLES), notes
        self.at = 0, 0

    def loss(self, samples: np.ndarray) -> torch.Tensor:
        """Of samples of a step."""
        if self.module.training and self.at[0]:
            self.notes.used(*self.at, samples.tolist())
        return task.loss(self.module, self.x[samples], self.y[samples])

    def weight(self, samples: np.ndarray) -> int:
        """Each counts alike."""
        return len(samples)


def main(folder: Path, run: int, mode: str) -> None:
    """Train to the end, from wherever an earlier run was killed."""
    make_deterministic(task.SEED, 1)
    peers = join()
    problem = Known(task.Notes(folder, run, peers.rank))
    trainer = Trainer(
        problem, peers, steps=task.STEPS, batch=task.BATCH, seed=task.SEED, reproducible=mode, shards=4,
        how=How(checkpoint_steps=task.EVERY), facts={}, checkpoints=folder / "checkpoints",
        optimisation=Optimisation(schedule="constant"),
    )  # fmt: skip
    take = trainer.sampler.take

    def watched(count: int):
        epoch, position = trainer.sampler.epoch, trainer.sampler.position
        problem.at = (epoch * task.SAMPLES + position) // count + 1, epoch
        return take(count)

    trainer.sampler.take = watched
    trainer.run(lambda: 0.0, learning_rate=task.RATE, checks=1)
    problem.notes.done(problem.module)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
