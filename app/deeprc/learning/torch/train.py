"""A whole training in PyTorch, on as many ranks as there are: what the applications' stages call."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from deeprc.learning.config import How, Optimisation, Precision, Reproducible
from deeprc.learning.peers import Peers
from deeprc.learning.sampler import Sampler
from deeprc.learning.synchronisation import Synchronisation, Traffic, nodes
from deeprc.learning.torch import device, memory, state
from deeprc.learning.torch.elastic import Elastic, Problem
from deeprc.learning.torch.group import group
from deeprc.learning.torch.local import LocalSteps
from deeprc.learning.torch.loop import History, fit
from deeprc.learning.torch.parallel import Parallel
from deeprc.learning.torch.precision import Scale
from deeprc.learning.torch.rank import RankGradient
from deeprc.learning.torch.sharded import Sharded
from deeprc.learning.torch.stopping import Stop, Validations, patient
from deeprc.learning.torch.together import Together
from deeprc.learning.trained import SavedTraining


class Trainer(SavedTraining):
    """One training of a problem.

    Parameters
    ----------
    batch
        Samples of a step, on all ranks together.
    facts
        What the result of a training depends on: a checkpoint with other facts belongs to another training.
    checkpoints
        The folder that they are written to; None writes none.
    synchronisation
        How ranks come to one set of weights, where it is not by adding gradients along one tree.
    optimisation
        How a step is made of its gradient, and that of its samples.
    curves, name
        As of `SavedTraining`.
    precision
        What the problem's network is computed in, on the device that it is on.
    rivals
        Other trainings that decide with this one whether it goes on; made on the first rank alone.

    Attributes
    ----------
    halved
        Whether rivals ended it.
    weights
        After `run`, on the first rank: the weights and buffers of the smallest validation loss, or of the last step
        where nothing is held out, whole.
    traffic
        What the ranks have sent each other.
    """

    def __init__(
        self, problem: Problem, peers: Peers, *, steps: int, batch: int, seed: int, reproducible: Reproducible,
        shards: int | None, how: How, facts: dict[str, Any], checkpoints: Path | None,
        synchronisation: Synchronisation | None = None, optimisation: Optimisation | None = None,
        rivals: Callable[[], Stop] | None = None, curves: Path | None = None, name: str = "training",
        precision: Precision = "float32",
    ) -> None:  # fmt: skip
        memory.keep_freed()
        self.problem, self.seed, self.elastic = problem, seed, reproducible == "elastic"
        self.optimisation, self.weights = optimisation or Optimisation(), {}
        self.synchronisation, self.halved = synchronisation or Synchronisation(), False
        self._rivals = rivals() if rivals and peers.rank == 0 else None
        self.traffic = Traffic(nodes(self.synchronisation, peers))
        self.device, self._scale = device.of(problem.module), Scale() if precision == "float16" else None
        here = {"torch": torch.__version__, "threads": torch.get_num_threads(), "device": device.called(self.device)}
        here |= {} if self.elastic else {"nodes": self.traffic.nodes}
        super().__init__(
            problem.rows, peers, Sampler(len(problem.rows), seed), steps=steps, batch=batch,
            shards=shards if self.elastic else None, how=how, here=here, facts=facts, folder=checkpoints, curves=curves,
            name=name,
        )  # fmt: skip

    def run(self, validate: Callable[[], float] | None, **options: Any) -> History:
        """Train, or go on where a training was ended; `options` as of `fit`.

        Raises
        ------
        AskedToEnd
            Where a signal asks the job of any rank to end: all ranks have saved the same step.
        """
        several = not self.elastic and self.peers.size > 1
        listening = self.notice if self.saving else nullcontext()
        between = group(self.peers, self.how.backend, self.device.type) if several else nullcontext()
        with between, listening, self.curve or nullcontext():
            gradient = self.gradient()
            if self.saving:
                self.saving.ending = lambda: gradient.ending
            history = fit(
                self.problem.module, gradient, validate, steps=self.steps, saving=self.saving, report=self.say,
                clip=self.optimisation.clip, schedule=self.optimisation.schedule, stop=self.stop, curve=self.curve,
                scale=self._scale, **{"checks": self.optimisation.validations, **options},
            )  # fmt: skip
            self.steps = history.steps
            for name, value in self.problem.module.state_dict().items():
                tensor = state.whole(value)
                self.weights |= state.arrays("", {name: tensor}) if self.peers.rank == 0 else {}
        if several and len(set(self.traffic.nodes)) > 1:
            self.say(f"{self.synchronisation.kind}: {self.traffic}")
        return history

    def stop(self, validations: Validations) -> str | None:
        """Why the training is to end after these validations; the first rank says it for all."""
        why, halved = patient(validations, self.optimisation.patience), False
        if why is None and self._rivals:
            halved = (why := self._rivals(validations)) is not None
        why, self.halved = self.peers.allgather((why, halved))[0]
        return why

    def gradient(self) -> Together:
        """How a step gets its gradient."""
        given = (self.problem, self.peers, self.sampler, self.ledger)
        common = {"batch": self.batch, "seed": self.seed, "notice": self.notice}
        if self.elastic:
            return Elastic(*given, shards=self.shards, **common)
        common["accumulate"] = self.optimisation.accumulate
        if self.peers.size == 1:
            return RankGradient(*given, **common)
        between = {"how": self.synchronisation, "traffic": self.traffic}
        if self.synchronisation.kind == "fsdp":
            return Sharded(*given, **between, **common)
        if self.synchronisation.local:
            return LocalSteps(*given, steps=self.steps, **between, **common)
        return Parallel(*given, **between, **common)
