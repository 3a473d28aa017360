"""The PyTorch training loop: one for one process and for many, which differ in how a step gets its gradient."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from deeprc.learning.config import Schedule
from deeprc.learning.curve import Curve
from deeprc.learning.finite import refuse_not_finite
from deeprc.learning.saving import Saving
from deeprc.learning.torch import state
from deeprc.learning.torch.precision import Scale
from deeprc.learning.torch.stopping import Stop
from deeprc.learning.torch.together import Together
from deeprc.learning.torch.training import TrainingState


@dataclass(frozen=True)
class History:
    """What happened in a training.

    Attributes
    ----------
    train
        (step, mean training loss since the last entry).
    validation
        (step, validation loss); the weights that are left in the module are those of the smallest. Empty where nothing
        is held out.
    best_step
        The step of the smallest validation loss, or the last one.
    steps
        The steps that were done.
    """

    train: list[tuple[int, float]]
    validation: list[tuple[int, float]]
    best_step: int
    steps: int


def make_deterministic(seed: int, threads: int, *, strict: bool = True) -> None:
    """Seed every source of chance and fix the number of threads: same seed and threads, same weights, bit by bit.

    Some operations of CUDA have no such form: torch raises an error for them; where not `strict`, it warns.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # asked for by deterministic CUDA kernels
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=not strict)


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
    validate: Callable[[], float] | None,
    *,
    steps: int,
    learning_rate: float,
    name: str = "the model",
    usual: float | None = None,
    checks: int = 6,
    clip: float = 1.0,
    schedule: Schedule = "one_cycle",
    saving: Saving | None = None,
    report: Callable[[str], None] = print,
    stop: Stop = lambda validations: None,
    curve: Curve | None = None,
    scale: Scale | None = None,
) -> History:
    """Train `module` by AdamW.

    Parameters
    ----------
    gradient
        Leaves the gradient of a step (0, 1, …) in the module and returns the loss of its batch; where several ranks
        train, it is what they do with each other (`Together`).
    validate
        The validation loss of the module as it is; called `checks` times, evenly spread. None where nothing is held
        out.
    name, usual
        What the model is called, and its own learning rate: told where the training diverges.
    clip
        Largest norm of the gradient.
    schedule
        Of the learning rate, whose largest is `learning_rate`.
    saving
        Where it is saved; a training that was saved there goes on.
    curve
        Told of losses and the learning rate.
    stop
        Asked after each validation, with all of them: why the training is to end now; on all ranks alike.
    scale
        Of losses, where the network is computed in float16 and `gradient` is a `Together`.

    Returns
    -------
    History
        The module holds the weights of the smallest validation loss, or without `validate` those of the last step.

    Raises
    ------
    NotFiniteError
        At the first training loss, gradient or validation loss that is not finite.
    """
    ranks = gradient if isinstance(gradient, Together) else Together()
    run = TrainingState(module, ranks, learning_rate, steps, schedule, scale)
    if saving:
        run.resume(saving, report)
    due = {round(steps * (i + 1) / checks) for i in range(checks)}

    def refuse(value: float, what: str) -> None:
        when = f"step {step} of {steps}"
        refuse_not_finite(value, what, model=name, when=when, learning_rate=learning_rate, usual=usual)

    why = None  # to end; a training that was killed right after its last validation is asked once more
    if run.validation and run.validation[-1][0] == run.step < steps:
        why = stop(run.validation)
    for step in range(run.step + 1, steps + 1 if why is None else 0):
        module.train()
        loss, norm = run.compute(gradient, step - 1, clip)
        run.losses.append(loss)
        refuse(loss, "training loss")
        refuse(norm, "gradient")
        rate = run.optimizer.param_groups[0]["lr"]
        run.advance(step)
        values = {}
        if curve and (step in due or curve.due(step)):
            values = {"training_loss": run.recent(step - curve.before(step, run.train)), "learning_rate": rate}
        if step in due:
            module.eval()
            with ranks.looked_at():
                current = None
                if validate:
                    with torch.inference_mode():
                        current = ranks.call(validate)
                    refuse(current, "validation loss")
                mean = run.note(current)
            judged = f", validation loss {current:.4f}" if validate else ""
            report(f"step {step:5d} of {steps}: training loss {mean:.4f}{judged}")
            values |= {"validation_loss": current} if values and validate else {}
        if values:
            curve.add(step, said=step in due, **values)
        if saving:
            if step in due or (saving.every and step % saving.every == 0):
                run.save(saving)
            saving.store.poll()
            if step < steps and saving.ending():
                run.save(saving)
                saving.end(step, steps)
        if step in due and step < steps and validate and (why := stop(run.validation)):
            break
    if why:
        report(f"ends after step {run.step} of {steps}: {why}")
    if saving:
        saving.store.finish()
    state.load_module(module, run.best_weights)
    return History(run.train, run.validation, run.best_step, run.step)
