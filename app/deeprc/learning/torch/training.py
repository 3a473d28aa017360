"""All that a training is at a step, how it is saved, and how it goes on."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.utils import deterministic

from deeprc.learning.config import Schedule
from deeprc.learning.saving import Saving
from deeprc.learning.torch import device, state
from deeprc.learning.torch.precision import Scale
from deeprc.learning.torch.schedules import scheduled
from deeprc.learning.torch.together import Together


class TrainingState:
    """A training: weights, optimiser, learning rate, and what has happened.

    Parameters
    ----------
    ranks
        What the ranks do with each other, and have of their own.
    scale
        Of the losses of a network that is computed in float16.
    """

    def __init__(
        self, module: torch.nn.Module, ranks: Together, learning_rate: float, steps: int, schedule: Schedule,
        scale: Scale | None = None,
    ) -> None:  # fmt: skip
        self.module, self.ranks, self.step, self.scale = module, ranks, 0, scale
        weights = [*module.parameters()]
        fused = all(map(_fusible, weights)) or None
        self.optimizer = torch.optim.AdamW(weights, lr=learning_rate, weight_decay=1e-4, fused=fused)
        self.schedule = scheduled(schedule, self.optimizer, learning_rate, steps)
        self.train: list[tuple[int, float]] = []
        self.validation: list[tuple[int, float]] = []
        self.losses: list[float] = []
        self.best, self.best_step, self.best_weights = float("inf"), 0, None
        self._first = True

    def compute(self, gradient: Callable[[int], float], step: int, clip: float) -> tuple[float, float]:
        """Leave the gradient of a step (from 0) in the module, shortened to `clip`; the loss and the gradient's norm.

        With a scale, one that is too large is computed once more with a smaller one.
        """
        first, self._first = self._first, False
        with _filled(first):
            return self._compute(gradient, step, clip)

    def _compute(self, gradient: Callable[[int], float], step: int, clip: float) -> tuple[float, float]:
        before = [one.clone() for one in self.module.buffers()] if self.scale else []
        chance = device.chance(device.of(self.module)) if self.scale else {}
        while True:
            if self.scale:
                self.ranks.scale = self.scale.value
            loss = gradient(step)
            parameters = [*self.module.parameters()]
            if self.scale:
                self.scale.undo(parameters)
            norm = float(state.whole(torch.nn.utils.clip_grad_norm_(parameters, clip)))
            if not self.scale or math.isfinite(norm) or not math.isfinite(loss) or not self.scale.smaller():
                break
            device.set_chance(chance, device.of(self.module))
            for one, value in zip(self.module.buffers(), before, strict=True):
                one.copy_(value)
            self.ranks.again = True
        self.ranks.again = False
        if self.scale:
            self.scale.done()
        return loss, norm

    def advance(self, step: int) -> None:
        """Change the weights by the gradient that is in the module."""
        self.optimizer.step()
        self.schedule.step()
        self.step = step
        self.ranks.after(step)

    def recent(self, steps: int) -> float:
        """The mean training loss of the last steps, on all ranks."""
        return self.ranks.mean(float(np.mean(self.losses[-steps:])))

    def note(self, validation: float | None) -> float:
        """Keep a validation loss, and the weights if it is the smallest; the mean training loss since the last one.

        Where nothing is held out, the newest weights are the best.
        """
        mean = self.ranks.mean(float(np.mean(self.losses)))
        self.train.append((self.step, mean))
        self.losses.clear()
        if validation is not None:
            self.validation.append((self.step, validation))
        if validation is None or validation < self.best:
            self.best, self.best_step = self.best if validation is None else validation, self.step
            self.best_weights = copy.deepcopy(self.module.state_dict())
        return mean

    def save(self, saving: Saving) -> None:
        """Begin a checkpoint."""
        mine = state.arrays("model", self.module.state_dict()) | state.optimizer_arrays(self.optimizer)
        mine |= state.arrays("chance", device.chance(device.of(self.module)))
        mine |= {"scale": self.scale.array()} if self.scale else {}
        same, own = self.ranks.arrays(), self.ranks.own_arrays()
        best = state.arrays("best", self.best_weights or {})
        same, own = (same, own | best) if self.ranks.divided else (same | best, own)
        if self.ranks.apart:
            own = mine | own | {"losses": np.array(self.losses)}
        else:
            same |= mine
        about = {
            "param_groups": [state.plain(group) for group in self.optimizer.state_dict()["param_groups"]],
            "schedule": state.plain(self.schedule.state_dict()),
            "history": [self.train, self.validation, self.losses, self.best_step],
            "ranks": self.ranks.state(),
        }
        saving.save(self.step, same, about, best=self.best_step == self.step, own=own)

    def resume(self, saving: Saving, report: Callable[[str], None]) -> None:
        """Go on from the last checkpoint, if there is one of the same training."""
        found = saving.resume(report)
        if found is None:
            return
        about, own = found.state, self.ranks.own_of(found)
        mine = own if self.ranks.apart else found.tensors
        self.step = found.step
        state.load_module(self.module, state.tensors("model", mine))
        state.load_optimizer(self.optimizer, mine, about["param_groups"])
        self.schedule.load_state_dict(about["schedule"])
        train, validation, self.losses, self.best_step = about["history"]
        self.losses = mine["losses"].tolist() if self.ranks.apart else self.losses
        self.train, self.validation = [tuple(one) for one in train], [tuple(one) for one in validation]
        self.best = min((value for _, value in self.validation), default=float("inf"))
        self.best_weights = state.tensors("best", own if self.ranks.divided else found.tensors) or None
        device.set_chance(state.tensors("chance", mine), device.of(self.module))
        if self.scale:
            self.scale.load(mine["scale"])
        self.ranks.load(found.tensors, own)
        self.ranks.load_state(about["ranks"])


@contextmanager
def _filled(whether: bool) -> Iterator[None]:
    """Whether torch fills memory with what is no number before it is written, where it is to be deterministic.

    In the first step of a process it does, so that a network that reads what nobody has written is found out. To do so
    in all of them takes a tenth of an LSTM's step.
    """
    before = deterministic.fill_uninitialized_memory
    deterministic.fill_uninitialized_memory = before and whether
    try:
        yield
    finally:
        deterministic.fill_uninitialized_memory = before


def _fusible(weight: torch.Tensor) -> bool:
    """Whether one kernel may do a whole step of AdamW: it knows no complex numbers, and is tried on processors only."""
    return weight.is_floating_point() and weight.device.type == "cpu" and not hasattr(weight, "to_local")
