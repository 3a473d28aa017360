"""Weights that no rank holds whole: torch's fully_shard (FSDP2), for networks that do not fit.

Each rank keeps its part of every weight, gradient and moment; a block's weights are gathered when it is computed, and
let go after it. Source: Zhao et al. 2023, arXiv:2304.11277.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from deeprc.core.errors import ConfigError
from deeprc.learning.checkpoints import Checkpoint
from deeprc.learning.synchronisation import Synchronisation, Traffic
from deeprc.learning.torch.rank import RankGradient

CONTAINERS = (torch.nn.ModuleList, torch.nn.ModuleDict, torch.nn.Sequential)


class Sharded(RankGradient):
    """The gradient of a global batch; each rank computes its part, and keeps its part of what comes of it."""

    apart = divided = True

    def __init__(self, *given, how: Synchronisation, traffic: Traffic, **options) -> None:
        super().__init__(*given, **options)
        self.traffic = traffic
        module = self.problem.module
        mesh = init_device_mesh(next(module.parameters()).device.type, (self.peers.size,))
        self.sizes = [_bytes(block) for block in blocks(module)]
        whole, scalars = _bytes(module), constants(module)
        for block in blocks(module):
            fully_shard(block, mesh=mesh, ignored_params=scalars)
        self.root = fully_shard(_Called(module), mesh=mesh, ignored_params=scalars)
        self.sizes.append(whole - sum(self.sizes))
        self.loss = lambda samples: self.root(self.problem.loss, samples)

    def call(self, function: Callable[[], float]) -> float:
        """What a function of the module gives; within it the weights are there."""
        return self.root(function)

    def __call__(self, step: int) -> float:
        """Leave the gradient of step `step` (from 0) in the module; the loss of the whole batch."""
        value = self.compute(step)
        for size in self.sizes:
            self.traffic.ring(size, messages=2)  # its weights for the loss, and its gradients
        for size in self.sizes[:-1]:
            self.traffic.ring(size / 2)  # a block's weights once more, for the gradients
        return self.agreed(value, self.traffic)

    def backward(self, mine: np.ndarray, total: int, last: bool = True) -> float:
        """As of any rank; gradients are dealt out after the last of a step's parts."""
        self.root.set_requires_gradient_sync(last)
        return super().backward(mine, total, last)

    def own_of(self, found: Checkpoint) -> Mapping[str, np.ndarray]:
        """This rank's part of what was saved by any number of ranks."""
        if found.ranks == self.peers.size:
            return found.own(self.peers.rank)
        each = [found.own(rank) for rank in range(found.ranks)]
        parameters = self.problem.module.named_parameters()
        sharded = {name: str(number) for number, (name, one) in enumerate(parameters) if isinstance(one, DTensor)}
        return Dealt(each, sharded, (self.peers.rank, self.peers.size))

    def state(self) -> dict[str, Any]:
        """What was sent."""
        return {"traffic": self.traffic.state()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on counting."""
        self.traffic.load(state["traffic"])


def blocks(module: torch.nn.Module) -> list[torch.nn.Module]:
    """The parts of a network that are gathered one at a time: what its lists hold, else its children.

    Each once: a network may have one under several names (a convolution of TCN also stands in a list).
    """
    return list(dict.fromkeys(_blocks(module)))


def constants(module: torch.nn.Module) -> set[torch.nn.Parameter]:
    """Its parameters that are one number and are not learned (of PatchTST's attention): every rank keeps them whole.

    Raises
    ------
    ConfigError
        Where one is learned: torch deals out no single number, and its gradients would stay apart.
    """
    scalars = {name: one for name, one in module.named_parameters() if one.ndim == 0}
    if learned := [name for name, one in scalars.items() if one.requires_grad]:
        raise ConfigError(
            "synchronisation fsdp cannot train this network: a weight of it is a single number",
            found=", ".join(learned),
            expected="weights of one dimension at least",
            fix="leave out `kind: fsdp`",
        )
    return {*scalars.values()}


def _blocks(module: torch.nn.Module) -> Iterator[torch.nn.Module]:
    for child in module.children():
        if any(isinstance(one, CONTAINERS) for one in child.modules()):
            yield from _blocks(child)
        elif any(True for _ in child.parameters()):
            yield child


def _bytes(module: torch.nn.Module) -> int:
    return sum(one.nbytes for one in module.parameters())


class Dealt(Mapping[str, np.ndarray]):
    """What `each` of the ranks of a checkpoint had, as one of another number of ranks has it."""

    def __init__(self, each: list[Mapping[str, np.ndarray]], sharded: Mapping[str, str], seat: tuple[int, int]) -> None:
        self.each, self.sharded, self.numbers, self.seat = each, sharded, set(sharded.values()), seat

    def __getitem__(self, name: str) -> np.ndarray:
        arrays = [one[name] for one in self.each]
        kind, _, rest = name.partition(".")
        number = kind == "optimizer" and rest.partition(".")[0] in self.numbers and arrays[0].ndim > 0
        if not number and not (kind in ("model", "best") and rest in self.sharded):
            return arrays[0]
        whole = np.concatenate(arrays)
        rank, ranks = self.seat
        chunk = -(-len(whole) // ranks)  # as torch.chunk cuts
        return whole[rank * chunk : (rank + 1) * chunk]

    def __iter__(self) -> Iterator[str]:
        return iter(self.each[0])

    def __len__(self) -> int:
        return len(self.each[0])


class _Called(torch.nn.Module):
    """Computes a function of the module as its forward pass, which is where weights are gathered."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)
