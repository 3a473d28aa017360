"""Gradients by torch's DistributedDataParallel: the fast way, with the same bits on the same number of ranks only."""

from __future__ import annotations

import numpy as np
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from deeprc.learning import chance, tree
from deeprc.learning.notice import Notice
from deeprc.learning.peers import Peers
from deeprc.learning.torch.elastic import Problem, statistics


class Parallel:
    """The gradient of a global batch, of which each rank computes its part.

    Parameters
    ----------
    sampler
        Deals out the global batch (`take`): the same on each rank.
    batch
        Samples of a step, on all ranks together.
    seed
        Of what the network draws, together with step and rank.
    notice
        Of the end of this rank's job; `ending` is then true on all ranks in one step.
    """

    def __init__(
        self, problem: Problem, peers: Peers, sampler, *, batch: int, seed: int, notice: Notice | None = None
    ) -> None:
        self.notice, self.ending = notice, False
        self.problem, self.peers, self.sampler, self.batch, self.seed = problem, peers, sampler, batch, seed
        self.statistics, _ = statistics(problem.module)
        self.loss = DistributedDataParallel(
            _Loss(problem), static_graph=True, gradient_as_bucket_view=True, forward_sync_buffers=False
        )

    def __call__(self, step: int) -> float:
        """Leave the gradient of step `step` (from 0) in the module; the loss of the whole batch."""
        samples = self.sampler.take(self.batch).samples
        mine = tree.part(samples, self.peers.rank, self.peers.size)
        seed = chance.shard_seed(self.seed, step, self.peers.rank)
        chance.seed_python(seed)
        torch.manual_seed(seed)
        self.problem.module.zero_grad(set_to_none=True)
        weight = self.problem.weight(mine) / max(1, self.problem.weight(samples))
        value = self.loss(mine) * (weight * self.peers.size)  # DDP divides by the ranks
        value.backward()
        for one in self.statistics:
            dist.all_reduce(one)
            one /= self.peers.size
        given = bool(self.notice and self.notice.given)
        losses, notices = zip(*self.peers.allgather((value.item(), given)), strict=True)
        self.ending = any(notices)
        return sum(losses) / self.peers.size


class _Loss(torch.nn.Module):
    """The loss as a module's forward pass, which is what DistributedDataParallel looks after."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.module, self._problem = problem.module, problem

    def forward(self, samples: np.ndarray) -> torch.Tensor:
        return self._problem.loss(samples)
