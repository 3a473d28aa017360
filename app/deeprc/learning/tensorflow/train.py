"""A whole training in TensorFlow, on as many ranks as there are: what the applications' stages call."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from deeprc.core.errors import ConfigError
from deeprc.learning.config import How, Reproducible
from deeprc.learning.peers import Peers
from deeprc.learning.sampler import Sampler
from deeprc.learning.tensorflow.backend import keras, tf
from deeprc.learning.tensorflow.gradient import KerasGradient, KerasProblem
from deeprc.learning.tensorflow.loop import Epochs, ends, fit
from deeprc.learning.trained import SavedTraining


class KerasTraining(SavedTraining):
    """One training of a problem.

    Parameters
    ----------
    epochs
        At most so many; see `fit`.
    batch
        Samples of a step, on all ranks together: at most all that there are.
    facts
        What the result of a training depends on: a checkpoint with other facts belongs to another training.
    checkpoints
        The folder that they are written to; None writes none.
    curves, name
        As of `SavedTraining`.
    device
        What it is computed on (`backend.start`).

    Raises
    ------
    ConfigError
        For more ranks than a batch has samples: some would have nothing to do.
    """

    def __init__(
        self, problem: KerasProblem, peers: Peers, *, epochs: int, batch: int, seed: int, reproducible: Reproducible,
        shards: int | None, how: How, facts: dict[str, Any], checkpoints: Path | None, curves: Path | None = None,
        name: str = "training", device: str = "cpu",
    ) -> None:  # fmt: skip
        self.problem, self.seed, batch = problem, seed, min(batch, len(problem.rows))
        shards = shards if reproducible == "elastic" else None
        if (parts := shards or peers.size) > batch:
            raise ConfigError(
                f"a batch has fewer samples than the training has {'shards' if shards else 'ranks'}",
                found=f"{batch} samples, {parts} {'shards' if shards else 'ranks'}",
                fix="start fewer ranks (key 'training'), or give a larger 'batch_size'",
            )
        self.due = ends(len(problem.rows), batch, epochs)
        here = {"tensorflow": tf.__version__, "threads": tf.config.threading.get_intra_op_parallelism_threads()}
        here["device"] = device
        super().__init__(
            problem.rows, peers, Sampler(len(problem.rows), seed), steps=self.due[-1], batch=batch, shards=shards,
            how=how, here=here, facts=facts, folder=checkpoints, curves=curves, name=name,
        )  # fmt: skip

    def run(self, validate: Callable[[], float], optimizer: keras.optimizers.Optimizer, **options: Any) -> Epochs:
        """Train, or go on where a training was ended; `options` as of `fit`.

        Raises
        ------
        AskedToEnd
            Where a signal asks the job of any rank to end: all ranks have saved the same step.
        """
        gradient = KerasGradient(
            self.problem, self.peers, self.sampler, self.ledger, batch=self.batch, shards=self.shards, seed=self.seed,
            notice=self.notice,
        )  # fmt: skip
        if self.saving:
            self.saving.ending = lambda: gradient.ending
        with self.notice if self.saving else nullcontext(), self.curve or nullcontext():
            done = fit(
                self.problem.model, gradient, validate, optimizer, due=self.due, saving=self.saving, report=self.say,
                curve=self.curve,
                **options,
            )  # fmt: skip
        self.steps = done.steps
        return done
