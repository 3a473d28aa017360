"""Where a training is saved and from where it goes on, whatever framework it is computed by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

import numpy as np

from deeprc.learning.checkpoints import Checkpoint, CheckpointStore
from deeprc.learning.ledger import Ledger
from deeprc.learning.notice import AskedToEnd


class Part(Protocol):
    """What has a state of its own beside weights and optimiser, such as a sampler: what JSON knows."""

    def state(self) -> dict[str, Any]: ...

    def load(self, state: dict[str, Any]) -> None: ...


@dataclass
class Saving:
    """Where a training is saved, and from where it goes on.

    Attributes
    ----------
    facts
        What the training is of: a checkpoint of anything else is none of its own.
    here
        What its bits depend on beside that. Where a checkpoint was written with something else, that is told.
    parts
        By name: what has a state.
    every
        Steps between two checkpoints, beside those at each validation.
    ending
        Whether the training is to end after this step, which all ranks agree on.
    """

    store: CheckpointStore
    ledger: Ledger
    facts: dict[str, Any]
    here: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    every: int | None = None
    ending: Callable[[], bool] = lambda: False

    def save(
        self, step: int, named: Mapping[str, np.ndarray], about: dict[str, Any], *, best: bool,
        own: Mapping[str, np.ndarray] | None = None,
    ) -> None:  # fmt: skip
        """Begin a checkpoint, and close the part of the ledger that leads to it.

        Parameters
        ----------
        named, about
            The arrays of the training, and what it is beside them (what JSON knows).
        own
            Arrays that each rank has others of.
        """
        self.ledger.close_part()
        about = {
            "facts": self.facts,
            "here": self.here,
            **about,
            "parts": {name: part.state() for name, part in self.parts.items()},
            "ledger": self.ledger.parts,
        }
        beside = [f"{self.ledger.folder.name}/{name}" for name in self.ledger.parts]
        self.store.save(step, named, about, best=best, beside=beside, own=own)

    def end(self, step: int, steps: int) -> NoReturn:
        """Raise AskedToEnd once the last save is committed."""
        self.store.finish()
        self.store.peers.allgather(None)  # the first rank has committed
        raise AskedToEnd(
            f"the job was asked to end: the training is saved after step {step:,} of {steps:,}",
            where=self.store.folder,
            fix="start the workflow again: it goes on from there",
        )

    def resume(self, report: Callable[[str], None]) -> Checkpoint | None:
        """The last checkpoint of the same training, whose ledger and parts are loaded; None where there is none."""
        found = self.store.latest()
        if found is not None and found.state["facts"] != self.facts:
            report(f"the checkpoints are of another training: they are now in {self.store.set_aside()}")
            found = None
        self.ledger.load(found.state["ledger"] if found else [])
        if found is None:
            return None
        for name, part in self.parts.items():
            if name in found.state["parts"]:
                part.load(found.state["parts"][name])
        report(f"goes on after step {found.step:,}")
        was = found.state["here"]
        if changed := [f"{key} {was[key]} → {self.here.get(key)}" for key in was if was[key] != self.here.get(key)]:
            report(f"the same bits are not promised: {', '.join(changed)}")
        return found
