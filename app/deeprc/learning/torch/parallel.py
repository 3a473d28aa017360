"""Gradients added over all ranks in each step, by torch's DistributedDataParallel: whole, or compressed."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import torch
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, powerSGD_hook
from torch.nn.parallel import DistributedDataParallel

from deeprc.learning import tree
from deeprc.learning.synchronisation import Synchronisation, Traffic
from deeprc.learning.torch import device
from deeprc.learning.torch.elastic import Problem
from deeprc.learning.torch.rank import RankGradient

ONE_BUCKET = 1 << 20  # MB: PowerSGD's messages of two buckets would overtake each other


class Parallel(RankGradient):
    """The gradient of a global batch, of which each rank computes its part."""

    def __init__(self, *given, how: Synchronisation, traffic: Traffic, **options) -> None:
        super().__init__(*given, **options)
        self.how, self.traffic = how, traffic
        self.loss = DistributedDataParallel(
            Loss(self.problem), static_graph=True, gradient_as_bucket_view=True, forward_sync_buffers=False,
            bucket_cap_mb=ONE_BUCKET if how.kind == "powersgd" else None,
        )  # fmt: skip
        self.power = powerSGD_hook.PowerSGDState(
            None, how.rank or 1, start_powerSGD_iter=max(2, how.warmup or 2), random_seed=self.seed % 2**32
        )
        self._settled = False
        self.loss.register_comm_hook(None, self._send)
        self._settle()

    def _settle(self) -> None:
        """Go through one step that counts nowhere: DDP puts its buckets into another order after the first one.

        What is added up, and kept of it, would else depend on whether a step is the first of a process.
        """
        buffers = [(one, one.clone()) for one in self.problem.module.buffers()]
        on = device.of(self.problem.module)
        chance = device.chance(on)
        for _ in range(2):
            mine = tree.part(np.arange(min(self.batch, len(self.problem.rows))), self.peers.rank, self.peers.size)
            self.loss(mine).backward()
        device.set_chance(chance, on)
        for one, value in buffers:
            one.copy_(value)
        self._settled = True

    def __call__(self, step: int) -> float:
        """Leave the gradient of step `step` (from 0) in the module; the loss of the whole batch."""
        return self.agreed(self.compute(step), self.traffic)

    def backward(self, mine: np.ndarray, total: int, last: bool = True) -> float:
        """As of any rank; gradients are sent with the last of a step's parts."""
        with nullcontext() if last else self.loss.no_sync():
            return super().backward(mine, total, last)

    def _send(self, _, bucket):  # DDP compares annotations, where there are any, with its own
        size = bucket.buffer().nbytes
        if self._settled and self.how.kind == "fp16":
            self.traffic.ring(size // 2)
            return default_hooks.fp16_compress_hook(None, bucket)
        if self._settled and self.how.kind == "powersgd":
            before, whole = self.power.total_numel_after_compression, self.power.iter < self.power.start_powerSGD_iter
            sent = powerSGD_hook.powerSGD_hook(self.power, bucket)
            compressed = self.power.total_numel_after_compression - before
            sizes = (size, 1) if whole else (compressed * bucket.buffer().itemsize, 3)  # what stays whole, P, and Q
            self.traffic.ring(sizes[0], messages=sizes[1])
            return sent
        if self._settled:
            self.traffic.ring(size)
        return default_hooks.allreduce_hook(None, bucket)

    def own_arrays(self) -> dict[str, np.ndarray]:
        """What PowerSGD has not sent yet, and the matrices that it goes on with."""
        memory = {"error": self.power.error_dict, "p": self.power.p_memory_dict, "q": self.power.q_memory_dict}
        return {f"power.{name}": of[0].cpu().numpy() for name, of in memory.items() if of}

    def load(self, named: dict[str, np.ndarray], own: dict[str, np.ndarray]) -> None:
        """Put it back."""
        memory = {"error": self.power.error_dict, "p": self.power.p_memory_dict, "q": self.power.q_memory_dict}
        like = next(self.problem.module.parameters())
        for name, of in memory.items():
            if f"power.{name}" in own:
                of[0] = torch.from_numpy(np.array(own[f"power.{name}"])).to(like.device)

    def state(self) -> dict:
        """Steps that PowerSGD has counted, and what was sent."""
        return {"steps": self.power.iter, "traffic": self.traffic.state()}

    def load_state(self, state: dict) -> None:
        """Put it back; a training that was on one rank until now has nothing of it."""
        if state:
            self.power.iter = state["steps"]
            self.traffic.load(state["traffic"])


class Loss(torch.nn.Module):
    """The loss as a module's forward pass, which is what torch's wrappers look after."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.module, self._problem = problem.module, problem

    def forward(self, samples: np.ndarray) -> torch.Tensor:
        return self._problem.loss(samples)
