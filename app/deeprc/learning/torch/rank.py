"""A rank's part of each global batch, and the gradient of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch.distributed as dist

from deeprc.learning import chance, tree
from deeprc.learning.checkpoints import Checkpoint
from deeprc.learning.ledger import Ledger
from deeprc.learning.notice import Notice
from deeprc.learning.peers import Peers
from deeprc.learning.sampler import Sampler
from deeprc.learning.synchronisation import Traffic
from deeprc.learning.torch import device
from deeprc.learning.torch.elastic import Problem, statistics
from deeprc.learning.torch.together import Together


class RankGradient(Together):
    """Computes a rank's part of the gradient of a global batch; alone, the whole of it.

    Parameters
    ----------
    sampler
        Deals out the global batch: the same on each rank.
    batch
        Samples of a step, on all ranks together.
    seed
        Of what the network draws, together with step and rank.
    accumulate
        Parts of a rank's part, computed one after the other where memory does not hold more.
    notice
        Of the end of this rank's job; `ending` is then true on all ranks in one step.
    """

    def __init__(
        self, problem: Problem, peers: Peers, sampler: Sampler, ledger: Ledger, *, batch: int, seed: int,
        notice: Notice | None = None, accumulate: int = 1,
    ) -> None:  # fmt: skip
        self.problem, self.peers, self.sampler, self.ledger = problem, peers, sampler, ledger
        self.batch, self.seed, self.notice, self.accumulate = batch, seed, notice, accumulate
        self.loss, self.statistics = problem.loss, statistics(problem.module)[0]

    def own_of(self, found: Checkpoint) -> Mapping[str, np.ndarray]:
        """What this rank had of its own; on another number of ranks each has the mean of all: they go on together."""
        if found.ranks == self.peers.size:
            return found.own(self.peers.rank)
        each = [found.own(rank) for rank in range(found.ranks)]
        return {name: _mean([one[name] for one in each if name in one]) for name in each[0]}

    @property
    def noticed(self) -> bool:
        """Whether this rank's job is asked to end."""
        return bool(self.notice and self.notice.given)

    def __call__(self, step: int) -> float:
        """Leave the gradient of step `step` (from 0) in the module; the loss of the whole batch."""
        value = self.compute(step)
        self.ending = self.noticed
        return value

    def agreed(self, value: float, traffic: Traffic) -> float:
        """The loss of the whole batch, of which `value` is this rank's part; statistics are then those of all ranks."""
        for one in self.statistics:
            dist.all_reduce(one)
            one /= self.peers.size
            traffic.ring(one.nbytes)
        traffic.ring(0)
        losses, notices = zip(*self.peers.allgather((value, self.noticed)), strict=True)
        self.ending = any(notices)
        return sum(losses) / self.peers.size

    def compute(self, step: int) -> float:
        """The same of this rank's part, weighed so that the mean over the ranks is that of the whole batch."""
        here = tree.part(np.arange(self.batch), self.peers.rank, self.peers.size)
        if not self.again:
            self.dealt = self.sampler.take(self.batch)
            rows = self.problem.rows[self.dealt.samples[here]]
            self.ledger.note(self.dealt.epoch[here], step + 1, self.peers.rank, rows)
        batch, mine = self.dealt, self.dealt.samples[here]
        if self.peers.size > 1:
            seed = chance.shard_seed(self.seed, step, self.peers.rank)
            chance.seed_python(seed)
            device.seed(seed, device.of(self.problem.module))
        self.problem.module.zero_grad(set_to_none=True)
        parts = [tree.part(mine, number, self.accumulate) for number in range(self.accumulate)]
        *first, last = [part for part in parts if len(part)] or [mine]
        total = self.problem.weight(batch.samples)
        return sum([*(self.backward(part, total, last=False) for part in first), self.backward(last, total)])

    def backward(self, mine: np.ndarray, total: int, last: bool = True) -> float:
        """Add the gradient of the samples `mine`, of a batch that weighs `total`; their part of its loss."""
        value = self.loss(mine) * (self.problem.weight(mine) / max(1, total) * self.peers.size)
        (value * self.scale if self.scale != 1 else value).backward()
        return value.item()


def _mean(arrays: list[np.ndarray]) -> np.ndarray:
    floating = np.issubdtype(arrays[0].dtype, np.inexact) and all(one.shape == arrays[0].shape for one in arrays)
    return np.mean(arrays, axis=0).astype(arrays[0].dtype) if floating else arrays[0]
