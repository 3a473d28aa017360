"""How the learning rate goes through a training."""

from __future__ import annotations

import math

import torch
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from deeprc.learning.config import Schedule

RISE = 0.05  # of the steps


def scheduled(name: Schedule, optimizer: torch.optim.Optimizer, largest: float, steps: int) -> LRScheduler:
    """The schedule of that name (see `learning.config.Optimisation`), for so many steps."""
    if name == "one_cycle":
        return OneCycleLR(optimizer, max_lr=largest, total_steps=max(steps, 2))
    return LambdaLR(optimizer, lambda step: factor(name, step, steps))


def factor(name: Schedule, step: int, steps: int) -> float:
    """What the largest learning rate is multiplied by in a step (from 0)."""
    if name == "halved":
        return 0.5 ** max(0, 5 * step // steps - 1)
    rise = round(RISE * steps)
    if step < rise:
        return (step + 1) / (rise + 1)
    if name == "constant":
        return 1.0
    done = min(1.0, (step - rise) / max(1, steps - rise))
    return 1 - done if name == "linear" else (1 + math.cos(math.pi * done)) / 2
