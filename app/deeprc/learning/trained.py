"""What every training has beside its computations: samples in an order, a ledger, checkpoints, notice of the end."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from deeprc.core.files import write_json
from deeprc.learning import audit
from deeprc.learning.backends import refuse_mixed
from deeprc.learning.checkpoints import CheckpointStore
from deeprc.learning.config import How
from deeprc.learning.curve import Curve
from deeprc.learning.ledger import NAME, Ledger
from deeprc.learning.notice import Notice
from deeprc.learning.origin import Origin
from deeprc.learning.peers import Peers
from deeprc.learning.sampler import Sampler
from deeprc.learning.saving import Saving
from deeprc.learning.tracking import Tracking, digest


class SavedTraining:
    """A training that is saved and audited.

    Parameters
    ----------
    rows
        The row of the data that each sample is known by, int64 [samples].
    steps, batch
        How many steps it has, and the samples of each, on all ranks together.
    sampler
        What deals out its batches.
    shards
        The virtual shards of a batch; None where the weights depend on the number of ranks.
    here
        What its bits depend on beside `facts`, the processor and the ranks; `device` among it.
    facts
        What its result depends on: a checkpoint with other facts belongs to another training.
    folder
        Of its checkpoints; None writes none.
    curves
        The folder of its losses while it goes on; None writes none.
    name
        What MLflow calls it.
    """

    def __init__(
        self, rows: np.ndarray, peers: Peers, sampler: Sampler, *, steps: int, batch: int, shards: int | None,
        how: How, here: dict[str, Any], facts: dict[str, Any], folder: Path | None, curves: Path | None = None,
        name: str = "training",
    ) -> None:  # fmt: skip
        refuse_mixed(peers.allgather(here["device"]))
        self.rows, self.peers, self.sampler = rows, peers, sampler
        self.steps, self.batch, self.shards, self.how = steps, batch, shards, how
        self.folder, self.notice = folder, Notice()
        self.ledger = Ledger(folder / "ledger" if folder else None, peers)
        self.curve = self._curve(curves, name, facts) if curves else None
        self.saving = self._saving(facts, here) if folder else None

    def _curve(self, folder: Path, name: str, facts: dict[str, Any]) -> Curve:
        tracking = None
        if self.how.mlflow:
            tracking = Tracking(self.how.mlflow, folder, name=name, of=digest(facts), say=self.say)
        return Curve(folder, self.steps, writes=self.peers.rank == 0, tracking=tracking, say=self.say)

    def _saving(self, facts: dict[str, Any], here: dict[str, Any]) -> Saving:
        staging = Path(self.how.staging) if self.how.staging else None
        store = CheckpointStore(self.folder, self.peers, keep=self.how.keep, staging=staging, report=self.say)
        here |= {"processor": platform.processor()} | ({} if self.shards else {"ranks": self.peers.size})
        parts = {"sampler": self.sampler} | ({"curve": self.curve} if self.curve else {})
        return Saving(store, self.ledger, facts, here, parts, self.how.checkpoint_steps)

    def say(self, line: str) -> None:
        """Print a line, once for all ranks."""
        if self.peers.rank == 0:
            print(line, flush=True)

    def write_ledger(self, folder: Path, origin: Origin | None = None) -> None:
        """Put the ledger into the folder of the model, for `deeprc audit`; and where its rows come from, if known."""
        if self.folder is None:
            return
        self.ledger.join(folder / NAME)
        facts = {"samples": audit.spans(self.rows), "steps": self.steps, "batch": self.batch}
        shards = {"shards": self.shards} if self.shards else {}  # else each rank's part, of however many it had
        write_json(folder / audit.FACTS, facts | shards)
        if origin:
            origin.write(folder)

    def clear(self) -> None:
        """Remove the checkpoints: the model that they protected is written."""
        if self.folder is not None and self.peers.rank == 0:
            shutil.rmtree(self.folder, ignore_errors=True)
