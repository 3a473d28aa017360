"""On MPI ranks: a small LSTM with dropout learns sums, saved every eight steps.

`toy.py FOLDER STEPS [RANK STEP]`: that rank kills itself before that step. Each step is begun after $TOY_PAUSE seconds;
what a training says that was asked to end is in the file `FOLDER.saved`.
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch

from deeprc.learning.config import How
from deeprc.learning.notice import AskedToEnd
from deeprc.learning.peers import join
from deeprc.learning.torch import state
from deeprc.learning.torch.loop import make_deterministic
from deeprc.learning.torch.train import Trainer


class Sums:
    """Each sample is a series of 6 steps; its sum is to be learned."""

    def __init__(self) -> None:
        self.data = torch.randn(100, 6, 3, generator=torch.Generator().manual_seed(5))
        self.lstm, self.head = torch.nn.LSTM(3, 8, batch_first=True), torch.nn.Linear(8, 1)
        self.drop, self.norm = torch.nn.Dropout(0.2), torch.nn.BatchNorm1d(8)
        self.module = torch.nn.ModuleList([self.lstm, self.head, self.drop, self.norm])
        self.rows = np.arange(100, 200)

    def loss(self, samples: np.ndarray) -> torch.Tensor:
        """Mean squared error."""
        x = self.data[samples]
        hidden = self.norm(self.drop(self.lstm(x)[0][:, -1]))
        return ((self.head(hidden)[:, 0] - x.sum((1, 2))) ** 2).mean()

    def weight(self, samples: np.ndarray) -> int:
        """Each counts alike."""
        return len(samples)


def train(folder: Path, steps: int, peers, before=lambda step: None, say=print, mode="elastic", **options) -> str:
    """The SHA-256 of the weights; the ledger is written to `folder`."""
    return state.digest(trained(folder, steps, peers, before, say, mode, **options)[0].problem.module)


def trained(
    folder: Path, steps: int, peers, before, say, mode: str, every: int = 8, rates=None, validation=None, **options
) -> tuple:
    """The trainer, and the history of its training; `before` is called with each step, from 0, before it is made.

    `validation`: another than that of all samples; False for none.
    """
    make_deterministic(1, 1)
    problem = Sums()
    trainer = Trainer(
        problem, peers, steps=steps, batch=32, seed=1, reproducible=mode, shards=4, how=How(checkpoint_steps=every),
        facts={"of": "sums"}, checkpoints=folder / "checkpoints", curves=folder / "curve", **options,
    )  # fmt: skip
    trainer.say = trainer.saving.store.report = lambda line: say(line) if peers.rank == 0 else None
    take = trainer.sampler.take

    def watched(count: int):
        before((trainer.sampler.epoch * trainer.sampler.samples + trainer.sampler.position) // count)
        return take(count)

    trainer.sampler.take = watched
    usual = validation or (lambda: float(problem.loss(np.arange(100))))
    history = trainer.run(None if validation is False else usual, **(rates or {"learning_rate": 3e-3}))
    if peers.rank == 0:
        trainer.write_ledger(folder)
    return trainer, history


if __name__ == "__main__":
    ranks = join()
    rank, last = [int(text) for text in sys.argv[3:5]] or (-1, -1)

    def kill(step: int) -> None:
        time.sleep(float(os.environ.get("TOY_PAUSE", 0)))
        if (ranks.rank, step) == (rank, last):
            print(f"rank {rank} is killed before step {step}", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    place = Path(sys.argv[1])
    try:
        print(train(place, int(sys.argv[2]), ranks, kill), ranks.world, flush=True)
    except AskedToEnd as asked:
        if ranks.rank == 0:
            place.with_suffix(".saved").write_text(asked.problem)
        sys.exit(asked.exit_code)
