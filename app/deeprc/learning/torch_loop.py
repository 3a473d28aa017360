"""The PyTorch training loop of one process."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from deeprc.learning.finite import refuse_not_finite


@dataclass(frozen=True)
class History:
    """What happened in a training.

    Attributes
    ----------
    train
        (step, mean training loss since the last entry).
    validation
        (step, validation loss); the weights that are left in the module are those of the smallest.
    best_step
        The step of the smallest validation loss.
    """

    train: list[tuple[int, float]]
    validation: list[tuple[int, float]]
    best_step: int


def make_deterministic(seed: int, threads: int) -> None:
    """Seed every source of chance and fix the number of threads: same seed and threads, same weights, bit by bit."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # asked for by deterministic CUDA kernels
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)


def fit(
    module: torch.nn.Module,
    loss: Callable[[int], torch.Tensor],
    validate: Callable[[], float],
    *,
    steps: int,
    learning_rate: float,
    name: str = "the model",
    usual: float | None = None,
    checks: int = 6,
    clip: float = 1.0,
    report: Callable[[str], None] = print,
) -> History:
    """Train `module` by AdamW with a one-cycle learning rate (Smith and Topin 2019, arXiv:1708.07120).

    Parameters
    ----------
    loss
        Draws the batch of a step (0, 1, …) and returns its loss.
    validate
        The validation loss of the module as it is; called `checks` times, evenly spread.
    name, usual
        What the model is called, and its own learning rate: told where the training diverges.
    clip
        Largest norm of the gradient.

    Returns
    -------
    History
        The module holds the weights of the smallest validation loss.

    Raises
    ------
    NotFiniteError
        At the first training loss, gradient or validation loss that is not finite.
    """

    def refuse(value: float, what: str) -> None:
        when = f"step {step} of {steps}"
        refuse_not_finite(value, what, model=name, when=when, learning_rate=learning_rate, usual=usual)

    optimizer = torch.optim.AdamW(module.parameters(), lr=learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=learning_rate, total_steps=max(steps, 2))
    due = {round(steps * (i + 1) / checks) for i in range(checks)}
    history = History([], [], 0)
    best, best_weights, best_step, running = float("inf"), None, 0, []
    for step in range(1, steps + 1):
        module.train()
        value = loss(step - 1)
        running.append(value.item())
        refuse(running[-1], "training loss")
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        refuse(float(torch.nn.utils.clip_grad_norm_(module.parameters(), clip)), "gradient")
        optimizer.step()
        schedule.step()
        if step not in due:
            continue
        module.eval()
        with torch.inference_mode():
            current = validate()
        refuse(current, "validation loss")
        history.train.append((step, float(np.mean(running))))
        history.validation.append((step, current))
        report(f"step {step:5d} of {steps}: training loss {np.mean(running):.4f}, validation loss {current:.4f}")
        running.clear()
        if current < best:
            best, best_step, best_weights = current, step, copy.deepcopy(module.state_dict())
    module.load_state_dict(best_weights)
    return History(history.train, history.validation, best_step)
