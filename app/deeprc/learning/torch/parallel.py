"""Gradients by torch's DistributedDataParallel: the fast way, with the same bits on the same number of ranks only."""

from __future__ import annotations

import numpy as np
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from deeprc.learning import chance, tree
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
    """

    def __init__(self, problem: Problem, peers: Peers, sampler, *, batch: int, seed: int) -> None:
        self.problem, self.peers, self.sampler, self.batch, self.seed = problem, peers, sampler, batch, seed
        self.statistics, _ = statistics(problem.module)
        self.loss = DistributedDataParallel(
            _Loss(problem), static_graph=True, gradient_as_bucket_view=True, broadcast_buffers=False
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
        return sum(self.peers.allgather(value.item())) / self.peers.size


class _Loss(torch.nn.Module):
    """The loss as a module's forward pass, which is what DistributedDataParallel looks after."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.module, self._problem = problem.module, problem

    def forward(self, samples: np.ndarray) -> torch.Tensor:
        return self._problem.loss(samples)
