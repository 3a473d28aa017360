"""The PyTorch training loop: one for one process and for many, which differ in how a step gets its gradient."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from deeprc.learning.finite import refuse_not_finite
from deeprc.learning.saving import Saving
from deeprc.learning.torch import state


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


def by_loss(module: torch.nn.Module, loss: Callable[[int], torch.Tensor]) -> Callable[[int], float]:
    """The gradient of one process: of the loss of the batch that `loss` draws for a step (0, 1, …)."""

    def gradient(step: int) -> float:
        value = loss(step)
        module.zero_grad(set_to_none=True)
        value.backward()
        return value.item()

    return gradient


def fit(
    module: torch.nn.Module,
    gradient: Callable[[int], float],
    validate: Callable[[], float],
    *,
    steps: int,
    learning_rate: float,
    name: str = "the model",
    usual: float | None = None,
    checks: int = 6,
    clip: float = 1.0,
    saving: Saving | None = None,
    report: Callable[[str], None] = print,
) -> History:
    """Train `module` by AdamW with a one-cycle learning rate (Smith and Topin 2019, arXiv:1708.07120).

    Parameters
    ----------
    gradient
        Leaves the gradient of a step (0, 1, …) in the module and returns the loss of its batch.
    validate
        The validation loss of the module as it is; called `checks` times, evenly spread.
    name, usual
        What the model is called, and its own learning rate: told where the training diverges.
    clip
        Largest norm of the gradient.
    saving
        Where it is saved; a training that was saved there goes on.

    Returns
    -------
    History
        The module holds the weights of the smallest validation loss.

    Raises
    ------
    NotFiniteError
        At the first training loss, gradient or validation loss that is not finite.
    """
    run = _Run(module, learning_rate, steps)
    if saving:
        run.resume(saving, report)
    due = {round(steps * (i + 1) / checks) for i in range(checks)}

    def refuse(value: float, what: str) -> None:
        when = f"step {step} of {steps}"
        refuse_not_finite(value, what, model=name, when=when, learning_rate=learning_rate, usual=usual)

    for step in range(run.step + 1, steps + 1):
        module.train()
        run.losses.append(gradient(step - 1))
        refuse(run.losses[-1], "training loss")
        refuse(float(torch.nn.utils.clip_grad_norm_(module.parameters(), clip)), "gradient")
        run.advance(step)
        if step in due:
            module.eval()
            with torch.inference_mode():
                current = validate()
            refuse(current, "validation loss")
            mean = run.note(current)
            report(f"step {step:5d} of {steps}: training loss {mean:.4f}, validation loss {current:.4f}")
        if saving:
            if step in due or (saving.every and step % saving.every == 0):
                run.save(saving)
            saving.store.poll()
            if step < steps and saving.ending():
                run.save(saving)
                saving.end(step, steps)
    if saving:
        saving.store.finish()
    module.load_state_dict(run.best_weights)
    return History(run.train, run.validation, run.best_step)


class _Run:
    """All that a training is at a step."""

    def __init__(self, module: torch.nn.Module, learning_rate: float, steps: int) -> None:
        self.module, self.step = module, 0
        self.optimizer = torch.optim.AdamW(module.parameters(), lr=learning_rate, weight_decay=1e-4)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, max_lr=learning_rate, total_steps=max(steps, 2)
        )
        self.train: list[tuple[int, float]] = []
        self.validation: list[tuple[int, float]] = []
        self.losses: list[float] = []
        self.best, self.best_step, self.best_weights = float("inf"), 0, None

    def advance(self, step: int) -> None:
        """Change the weights by the gradient that is in the module."""
        self.optimizer.step()
        self.schedule.step()
        self.step = step

    def note(self, validation: float) -> float:
        """Keep a validation loss, and the weights if it is the smallest; the mean training loss since the last one."""
        mean = float(np.mean(self.losses))
        self.train.append((self.step, mean))
        self.validation.append((self.step, validation))
        self.losses.clear()
        if validation < self.best:
            self.best, self.best_step = validation, self.step
            self.best_weights = copy.deepcopy(self.module.state_dict())
        return mean

    def save(self, saving: Saving) -> None:
        """Begin a checkpoint."""
        named = state.arrays("model", self.module.state_dict()) | state.optimizer_arrays(self.optimizer)
        named |= state.arrays("best", self.best_weights or {})
        named |= state.arrays("chance", {"torch": torch.get_rng_state()})
        about = {
            "param_groups": [state.plain(group) for group in self.optimizer.state_dict()["param_groups"]],
            "schedule": state.plain(self.schedule.state_dict()),
            "history": [self.train, self.validation, self.losses, self.best_step],
        }
        saving.save(self.step, named, about, best=self.best_step == self.step)

    def resume(self, saving: Saving, report: Callable[[str], None]) -> None:
        """Go on from the last checkpoint, if there is one of the same training."""
        found = saving.resume(report)
        if found is None:
            return
        about = found.state
        self.step = found.step
        self.module.load_state_dict(state.tensors("model", found.tensors))
        state.load_optimizer(self.optimizer, found.tensors, about["param_groups"])
        self.schedule.load_state_dict(about["schedule"])
        train, validation, self.losses, self.best_step = about["history"]
        self.train, self.validation = [tuple(one) for one in train], [tuple(one) for one in validation]
        self.best = min((value for _, value in self.validation), default=float("inf"))
        self.best_weights = state.tensors("best", found.tensors) or None
        torch.set_rng_state(state.tensors("chance", found.tensors)["torch"])
