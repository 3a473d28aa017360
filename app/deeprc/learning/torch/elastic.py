"""Gradients that are the same bits on any number of ranks: `reproducible: elastic`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch

from deeprc.core.errors import ConfigError
from deeprc.learning import chance, tree
from deeprc.learning.ledger import Ledger
from deeprc.learning.notice import Notice
from deeprc.learning.peers import Peers
from deeprc.learning.sampler import Sampler
from deeprc.learning.torch import device
from deeprc.learning.torch.state import flat, unflat
from deeprc.learning.torch.together import Together


class Problem(Protocol):
    """What is to be learned.

    Attributes
    ----------
    module
        The network.
    rows
        The row of the data that each sample is known by, int64 [samples].
    """

    module: torch.nn.Module
    rows: np.ndarray

    def loss(self, samples: np.ndarray) -> torch.Tensor:
        """The mean loss of these samples (numbers into `rows`) over all that counts in them."""

    def weight(self, samples: np.ndarray) -> int:
        """How much counts in them: the loss of a batch is the mean of its parts' losses, weighed by this."""


class Elastic(Together):
    """The gradient of a global batch, computed shard by shard and summed along one tree.

    Parameters
    ----------
    batch, shards
        Samples of a step, on all ranks together, and the virtual shards that they are dealt to.
    seed
        Of what the network draws, together with step and shard.
    notice
        Of the end of this rank's job; it travels with the gradient, so that `ending` is true on all ranks in one step.
    """

    def __init__(
        self, problem: Problem, peers: Peers, sampler: Sampler, ledger: Ledger, *, batch: int, shards: int, seed: int,
        notice: Notice | None = None,
    ) -> None:  # fmt: skip
        self.notice, self.ending = notice, False
        self.problem, self.peers, self.sampler, self.ledger = problem, peers, sampler, ledger
        self.batch, self.shards, self.seed = batch, shards, seed
        self.mine = tree.shards_of(peers.rank, peers.size, shards)
        self.parameters = [one for one in problem.module.parameters() if one.requires_grad]
        self.sizes = [one.numel() * (1 + one.is_complex()) for one in self.parameters]
        if odd := {str(one.dtype) for one in self.parameters} - {"torch.float32", "torch.complex64"}:
            raise ConfigError(
                "`reproducible: elastic` adds gradients of single precision",
                found=f"weights of {', '.join(sorted(odd))}",
                expected="torch.float32, or torch.complex64",
                fix="leave out `reproducible: elastic`",
            )
        self.statistics, self.counters = statistics(problem.module)
        self.device = device.of(problem.module)
        self.sizes += [one.numel() for one in self.statistics]
        self._free: list[np.ndarray] = []

    def __call__(self, step: int) -> float:
        """Leave the gradient of step `step` (from 0) in the module; the loss of the whole batch."""
        if not self.again:
            self.dealt = self.sampler.take(self.batch)
        batch = self.dealt
        total = max(1, self.problem.weight(batch.samples))
        before = {name: value.clone() for name, value in self.problem.module.named_buffers()} if step == 0 else {}
        counted = [one + 1 for one in self.counters]
        with np.errstate(over="ignore", invalid="ignore"):  # what is no number is told, or computed once more
            mine = tree.fold(self._leaves(step, batch, total), self._free.append)
        for one, value in zip(self.counters, counted, strict=True):  # batches, not shards that this rank has seen
            one.copy_(value)
        self._refuse_memory(before)
        with np.errstate(over="ignore", invalid="ignore"):
            result = tree.over_ranks(mine, self.peers)
        at = 0
        for parameter, size in zip([*self.parameters, *self.statistics], self.sizes, strict=True):
            part = unflat(result[at : at + size], parameter)
            if isinstance(parameter, torch.nn.Parameter):
                parameter.grad = part
            else:
                parameter.copy_(part / self.shards)
            at += size
        self._free.append(mine)
        self.ending = bool(result[-1] > 0)
        return float(result[-2])

    def _leaves(self, step: int, batch, total: int) -> Iterator[np.ndarray]:
        """For each shard of this rank the gradient of its part of the mean loss, and that part, as one vector."""
        places = np.arange(len(batch.samples))
        start = [one.clone() for one in self.statistics]
        for shard in self.mine:
            here = tree.part(places, shard, self.shards)
            samples = batch.samples[here]
            leaf = self._free.pop() if self._free else np.empty(sum(self.sizes) + 2, np.float32)
            leaf[-1] = bool(self.notice and self.notice.given)
            for one, value in zip(self.statistics, start, strict=True):
                one.copy_(value)
            if not len(samples):
                leaf[:-1] = 0
                flat([*[None] * len(self.parameters), *self.statistics], self.sizes, leaf[:-2])
                yield leaf
                continue
            seed = chance.shard_seed(self.seed, step, shard)
            chance.seed_python(seed)
            device.seed(seed, self.device)
            for parameter in self.parameters:
                parameter.grad = None
            value = self.problem.loss(samples) * (self.problem.weight(samples) / total)
            (value * self.scale if self.scale != 1 else value).backward()
            flat([*(one.grad for one in self.parameters), *self.statistics], self.sizes, leaf[:-2])
            leaf[-2] = value.item()
            if not self.again:
                self.ledger.note(batch.epoch[here], step + 1, shard, self.problem.rows[samples])
            yield leaf

    def _refuse_memory(self, before: dict[str, torch.Tensor]) -> None:
        """Refuse a network that a loss changes in a way that is not known: each rank would have another one."""
        known = {id(one) for one in self.statistics}
        for name, value in self.problem.module.named_buffers():
            odd = value.is_floating_point() and id(value) not in known
            if name in before and odd and not torch.equal(value, before[name]):
                raise ConfigError(
                    f"`reproducible: elastic` cannot train this network: a loss changes its {name!r}",
                    found="a network that keeps account of what it is trained on",
                    expected="one that keeps nothing, or the statistics of torch's normalisation layers",
                    fix="leave out `reproducible: elastic`",
                )


def statistics(module: torch.nn.Module) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Of batch normalisation, the running means and variances, and the counts of batches.

    A step leaves in the former their mean over shards or ranks, each of which begins with what the last step has left.
    """
    layers = [layer for layer in module.modules() if getattr(layer, "track_running_stats", False)]
    buffers = [value for layer in layers for value in layer.buffers(recurse=False)]
    return [one for one in buffers if one.is_floating_point()], [one for one in buffers if not one.is_floating_point()]
