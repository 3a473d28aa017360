"""Ranks that train by themselves for some steps and then average their weights: post-local SGD, by levels, DiLoCo.

Sources: Lin et al. 2020, arXiv:1808.07217 (post-local SGD, and its hierarchical form); Douillard et al. 2023,
arXiv:2311.08105 (DiLoCo). A rank's AdamW keeps its own moments; weights and the statistics of normalisation travel.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.distributed as dist

from deeprc.learning.synchronisation import Synchronisation, Traffic
from deeprc.learning.torch.rank import RankGradient


class LocalSteps(RankGradient):
    """Ranks with weights of their own between two rounds.

    Parameters
    ----------
    steps
        Of the whole training: its last one is a round.
    """

    apart = True

    def __init__(self, *given, how: Synchronisation, traffic: Traffic, steps: int, **options) -> None:
        super().__init__(*given, **options)
        self.how, self.traffic, self.steps = how, traffic, steps
        self.parameters = list(self.problem.module.parameters())
        self.weights = [*self.parameters, *self.statistics]
        self.groups = _nodes(traffic.nodes) if how.kind == "hierarchical" else []
        self.node = next((group for ranks, group in self.groups if self.peers.rank in ranks), None)
        self.outer = None
        if how.kind == "diloco":
            start = torch.nn.Parameter(self._flat(self.parameters))
            self.outer = torch.optim.SGD(
                [start], how.outer_learning_rate, how.outer_momentum, nesterov=how.outer_momentum > 0
            )

    def __call__(self, step: int) -> float:
        """Leave the gradient of step `step` (from 0) of this rank's part in the module; the loss of that."""
        value = self.compute(step)
        if step < self.how.warmup:
            gradients = [one.grad for one in self.parameters if one.grad is not None]
            self._average([*gradients, *self.statistics])
        return value

    @torch.no_grad()
    def after(self, step: int) -> None:
        """Average weights where a round is due, and ask whether the job of any rank is to end."""
        self.ending = False
        due = self.how.round(step, self.steps)
        if due == "node":
            self._average(self.weights, self.node)
        elif due == "all":
            self._average(self.weights)
            if self.outer:
                self._outer_step()
        if due == "all" or step <= self.how.warmup:
            self.ending = any(self.peers.allgather(self.noticed))

    def _outer_step(self) -> None:
        (start,) = self.outer.param_groups[0]["params"]
        start.grad = start.detach() - self._flat(self.parameters)  # a momentum could make a variance negative
        self.outer.step()
        _put(start.detach(), self.parameters)

    @torch.no_grad()
    def _average(self, tensors: list[torch.Tensor], group=None) -> None:
        mean = self._flat(tensors)
        dist.all_reduce(mean, group=group)
        mean /= dist.get_world_size(group)
        _put(mean, tensors)
        self.traffic.ring(mean.nbytes, None if group is None else [ranks for ranks, _ in self.groups])

    @staticmethod
    def _flat(tensors: list[torch.Tensor]) -> torch.Tensor:
        parts = [torch.view_as_real(one.detach()) if one.is_complex() else one.detach() for one in tensors]
        return torch.cat([one.reshape(-1) for one in parts])

    @contextmanager
    def looked_at(self) -> Iterator[None]:
        """Within it all ranks hold the mean of their weights."""
        before = [one.detach().clone() for one in self.weights]
        self._average(self.weights)
        yield
        with torch.no_grad():
            for one, value in zip(self.weights, before, strict=True):
                one.copy_(value)

    def mean(self, value: float) -> float:
        """The mean of a number over the ranks."""
        return sum(self.peers.allgather(value)) / self.peers.size

    def arrays(self) -> dict[str, np.ndarray]:
        """Where the outer optimiser stands, and its momentum."""
        if self.outer is None:
            return {}
        (start,) = self.outer.param_groups[0]["params"]
        momentum = self.outer.state[start].get("momentum_buffer")
        found = {"outer.weights": start.detach().cpu().numpy()}
        return found if momentum is None else found | {"outer.momentum": momentum.cpu().numpy()}

    def load(self, named: dict[str, np.ndarray], own: dict[str, np.ndarray]) -> None:
        """Put them back."""
        if self.outer is None:
            return
        (start,) = self.outer.param_groups[0]["params"]
        start.data.copy_(torch.from_numpy(named["outer.weights"]))
        if "outer.momentum" in named:
            momentum = torch.from_numpy(np.array(named["outer.momentum"])).to(start.device)
            self.outer.state[start]["momentum_buffer"] = momentum

    def state(self) -> dict:
        """What was sent."""
        return {"traffic": self.traffic.state()}

    def load_state(self, state: dict) -> None:
        """Go on counting."""
        self.traffic.load(state["traffic"])


def _put(flat: torch.Tensor, tensors: list[torch.Tensor]) -> None:
    at = 0
    for one in tensors:
        real = torch.view_as_real(one.detach()) if one.is_complex() else one.detach()
        real.copy_(flat[at : at + real.numel()].view_as(real))
        at += real.numel()


def _nodes(nodes: list[int]) -> list[tuple[list[int], dist.ProcessGroup]]:
    """The ranks of each node, and their group: every rank makes all of them, in the same order."""
    found = [[rank for rank, node in enumerate(nodes) if node == each] for each in dict.fromkeys(nodes)]
    return [(ranks, dist.new_group(ranks)) for ranks in found]
