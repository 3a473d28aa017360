"""The TensorFlow training loop: the same for one rank and for many, and for all ways to the gradient of a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deeprc.learning.curve import Curve
from deeprc.learning.finite import refuse_not_finite
from deeprc.learning.saving import Saving
from deeprc.learning.tensorflow import state
from deeprc.learning.tensorflow.backend import keras, tf


@dataclass(frozen=True)
class Epochs:
    """What happened in a training.

    Attributes
    ----------
    losses
        Of each epoch: the mean loss of its steps (`train`) and the loss of the validation part after it (`val`).
    best
        The epoch (from 0) with the smallest validation loss, whose weights are left in the network.
    steps
        How many there were: fewer than planned where patience had ended.
    """

    losses: list[dict[str, float]]
    best: int
    steps: int


def ends(samples: int, batch: int, epochs: int) -> list[int]:
    """The step (from 1) after which all samples of each epoch were used; batches are whole and know no epochs."""
    return [-(-epoch * samples // batch) for epoch in range(1, epochs + 1)]


def fit(
    model: keras.Model,
    gradient: Callable[[int], tuple[np.ndarray, float]],
    validate: Callable[[], float],
    optimizer: keras.optimizers.Optimizer,
    *,
    due: list[int],
    patience: int,
    name: str,
    learning_rate: float,
    usual: float | None = None,
    saving: Saving | None = None,
    report: Callable[[str], None] = print,
    curve: Curve | None = None,
) -> Epochs:
    """Train `model`; it ends with the weights of the smallest validation loss.

    Parameters
    ----------
    gradient
        Gives for a step (0, 1, …) the gradient of its batch and its loss: see `KerasGradient`.
    validate
        The validation loss of the network as it is, on all ranks the same.
    due
        The last step of each epoch.
    patience
        Epochs without a smaller validation loss that end the training.
    name, learning_rate, usual
        What the network is called, its learning rate, and the one that it usually has: told where it diverges.
    saving
        Where it is saved; a training that was saved there goes on.
    curve
        Told of losses.

    Raises
    ------
    NotFiniteError
        At the first loss that is not finite.
    AskedToEnd
        Where the job is to end: the step is saved.
    """
    run = _Training(model, optimizer, due)
    if saving:
        run.resume(saving, report)

    def refuse(value: float, what: str, when: str = "") -> None:
        when = f"epoch {run.epoch + 1} of {len(due)}{when}"
        refuse_not_finite(value, what, model=name, when=when, learning_rate=learning_rate, usual=usual)

    while run.epoch < len(due) and not run.waited(patience):
        flat, loss = gradient(run.step)
        refuse(loss, "training loss", f", step {len(run.pending) + 1} of {due[run.epoch] - run.began}")
        run.advance(flat, loss)
        is_due = run.step == due[run.epoch]
        values = {}
        if curve and (is_due or curve.due(run.step)):
            since = run.step - curve.before(run.step, [(end, None) for end in due[: run.epoch]])
            values = {"training_loss": float(np.mean(run.pending[-since:]))}
        if is_due:
            with np.errstate(over="ignore", invalid="ignore"):
                value = validate()
            refuse(value, "validation loss")
            train = run.note(value)
            report(f"{name}: epoch {run.epoch}/{len(due)}: training loss {train:.4f}, validation {value:.4f}")
            values |= {"validation_loss": value} if values else {}
        if values:
            curve.add(run.step, said=is_due, **values)
        if saving:
            if is_due or (saving.every and run.step % saving.every == 0):
                run.save(saving)
            saving.store.poll()
            if run.step < due[-1] and saving.ending():
                run.save(saving)
                saving.end(run.step, due[-1])
    if saving:
        saving.store.finish()
    model.set_weights(run.kept)
    return Epochs(run.losses, run.best, run.step)


class _Training:
    """All that a training is at a step."""

    def __init__(self, model: keras.Model, optimizer: keras.optimizers.Optimizer, due: list[int]) -> None:
        self.model, self.optimizer, self.due, self.step = model, optimizer, due, 0
        self.losses: list[dict[str, float]] = []
        self.pending: list[float] = []  # of the steps of this epoch
        self.best, self.kept = 0, model.get_weights()
        self._apply = updates(model, optimizer)

    @property
    def epoch(self) -> int:
        """The current one, from 0."""
        return len(self.losses)

    @property
    def began(self) -> int:
        """Steps before this epoch."""
        return self.due[self.epoch - 1] if self.epoch else 0

    def waited(self, patience: int) -> bool:
        """Whether the validation loss has not become smaller for so many epochs."""
        return bool(self.losses) and self.epoch - 1 - self.best >= patience

    def advance(self, flat: np.ndarray, loss: float) -> None:
        """Change the weights by a gradient."""
        self._apply(flat)
        self.pending.append(loss)
        self.step += 1

    def note(self, validation: float) -> float:
        """Close an epoch, whose weights are kept if it is the best; its mean training loss."""
        mean = float(np.mean(self.pending))
        self.losses.append({"train": mean, "val": validation})
        self.pending = []
        if self.epoch == 1 or validation < self.losses[self.best]["val"]:
            self.best, self.kept = self.epoch - 1, self.model.get_weights()
        return mean

    def save(self, saving: Saving) -> None:
        """Begin a checkpoint."""
        named = state.arrays("model", self.model.get_weights()) | state.arrays("best", self.kept)
        named |= state.arrays("optimizer", self.optimizer.variables)
        about = {"losses": self.losses, "pending": self.pending, "best": self.best}
        is_best = not self.pending and self.best == self.epoch - 1
        saving.save(self.step, named, about, best=is_best)

    def resume(self, saving: Saving, report: Callable[[str], None]) -> None:
        """Go on from the last checkpoint, if there is one of the same training."""
        found = saving.resume(report)
        if found is None:
            return
        self.step = found.step
        self.losses, self.pending, self.best = (found.state[key] for key in ("losses", "pending", "best"))
        self.model.set_weights(state.of("model", found.tensors))
        self.kept = state.of("best", found.tensors)
        state.load(self.optimizer.variables, state.of("optimizer", found.tensors))


def updates(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> tf.types.experimental.GenericFunction:
    """A function that changes a network by a gradient: that of all trainable variables, one after the other."""
    variables = model.trainable_variables
    sizes = [int(np.prod(one.shape)) for one in variables]
    optimizer.build(variables)

    @tf.function(input_signature=[tf.TensorSpec((sum(sizes),), tf.float32)])
    def apply(flat):
        parts = zip(tf.split(flat, sizes), variables, strict=True)
        optimizer.apply_gradients([(tf.reshape(part, one.shape), one) for part, one in parts])

    return apply
