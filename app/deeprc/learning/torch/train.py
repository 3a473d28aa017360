"""A whole training in PyTorch, on as many ranks as there are: what the applications' stages call."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from deeprc.core.files import write_json
from deeprc.learning import audit
from deeprc.learning.checkpoints import CheckpointStore
from deeprc.learning.config import How, Reproducible
from deeprc.learning.draws import Draws
from deeprc.learning.ledger import NAME, Ledger
from deeprc.learning.notice import Notice
from deeprc.learning.peers import Peers
from deeprc.learning.sampler import Sampler
from deeprc.learning.torch.elastic import Elastic, Problem
from deeprc.learning.torch.group import group
from deeprc.learning.torch.loop import History, Saving, by_loss, fit
from deeprc.learning.torch.parallel import Parallel


class Trainer:
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
        self.problem, self.peers, self.steps, self.batch, self.seed = problem, peers, steps, batch, seed
        self.how, self.elastic, self.shards = how, reproducible == "elastic", shards
        self.sampler = (Sampler if self.elastic else Draws)(len(problem.rows), seed)
        self.folder, self.notice = checkpoints, Notice()
        self.ledger = Ledger(checkpoints / "ledger", peers) if checkpoints else Ledger(None, peers)
        self.saving = self._saving(facts) if checkpoints else None

    def _saving(self, facts: dict[str, Any]) -> Saving:
        staging = Path(self.how.staging) if self.how.staging else None
        store = CheckpointStore(self.folder, self.peers, keep=self.how.keep, staging=staging, report=self.say)
        here = {"torch": torch.__version__, "threads": torch.get_num_threads(), "processor": platform.processor()}
        here |= {} if self.elastic else {"ranks": self.peers.size}
        return Saving(store, self.ledger, facts, here, {"sampler": self.sampler}, self.how.checkpoint_steps)

    def say(self, line: str) -> None:
        """Print a line, once for all ranks."""
        if self.peers.rank == 0:
            print(line, flush=True)

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

    def write_ledger(self, folder: Path) -> None:
        """Put the ledger of an elastic training into the folder of its model, for `deeprc audit`."""
        if not self.elastic or self.folder is None:
            return
        self.ledger.join(folder / NAME)
        facts = {"samples": audit.spans(self.problem.rows), "steps": self.steps, "batch": self.batch}
        write_json(folder / audit.FACTS, facts | {"shards": self.shards})

    def clear(self) -> None:
        """Remove the checkpoints: the model that they protected is written."""
        if self.folder is not None and self.peers.rank == 0:
            shutil.rmtree(self.folder, ignore_errors=True)
