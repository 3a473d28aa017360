"""A whole training in PyTorch, on as many ranks as there are: what the applications' stages call."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from deeprc.learning.config import How, Reproducible
from deeprc.learning.draws import Draws
from deeprc.learning.peers import Peers
from deeprc.learning.sampler import Sampler
from deeprc.learning.torch.elastic import Elastic, Problem
from deeprc.learning.torch.group import group
from deeprc.learning.torch.loop import History, by_loss, fit
from deeprc.learning.torch.parallel import Parallel
from deeprc.learning.trained import SavedTraining


class Trainer(SavedTraining):
    """One training of a problem.

    Parameters
    ----------
    batch
        Samples of a step, on all ranks together.
    facts
        What the result of a training depends on: a checkpoint with other facts belongs to another training.
    checkpoints
        The folder that they are written to; None writes none.
    """

    def __init__(
        self, problem: Problem, peers: Peers, *, steps: int, batch: int, seed: int, reproducible: Reproducible,
        shards: int | None, how: How, facts: dict[str, Any], checkpoints: Path | None,
    ) -> None:  # fmt: skip
        self.problem, self.seed, self.elastic = problem, seed, reproducible == "elastic"
        sampler = (Sampler if self.elastic else Draws)(len(problem.rows), seed)
        here = {"torch": torch.__version__, "threads": torch.get_num_threads()}
        super().__init__(
            problem.rows, peers, sampler, steps=steps, batch=batch, shards=shards if self.elastic else None, how=how,
            here=here, facts=facts, folder=checkpoints,
        )  # fmt: skip

    def run(self, validate: Callable[[], float], **options: Any) -> History:
        """Train, or go on where a training was ended; `options` as of `fit`.

        Raises
        ------
        Ended
            Where a signal asks the job of any rank to end: all ranks have saved the same step.
        """
        several = not self.elastic and self.peers.size > 1
        listening = self.notice if self.saving else nullcontext()
        with group(self.peers, self.how.backend) if several else nullcontext(), listening:
            return fit(
                self.problem.module, self._gradient(), validate, steps=self.steps, saving=self.saving, report=self.say,
                **options,
            )  # fmt: skip

    def _gradient(self) -> Callable[[int], float]:
        gradient = self._computed()
        if self.saving:
            self.saving.ending = lambda: self.notice.given if self.peers.size == 1 else gradient.ending
        return gradient

    def _computed(self) -> Callable[[int], float]:
        if self.elastic:
            return Elastic(
                self.problem, self.peers, self.sampler, self.ledger, batch=self.batch, shards=self.shards,
                seed=self.seed, notice=self.notice,
            )  # fmt: skip
        if self.peers.size > 1:
            common = {"batch": self.batch, "seed": self.seed, "notice": self.notice}
            return Parallel(self.problem, self.peers, self.sampler, **common)
        return by_loss(self.problem.module, lambda step: self.problem.loss(self.sampler.take(self.batch).samples))
