"""A folder of checkpoints.

`step-00000300/` holds a safetensors file of each rank and, written last, `commit.json`: the files with their bytes and
SHA-256, and the state that is no tensor. Without it, or where a file is not as it says, the folder is no checkpoint.

A save copies this rank's share of the tensors (the training waits for that alone), writes the copy beside the training
(`writing.py`), and tells the others on a group of its own. The first rank commits when all are done.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deeprc.core import spent
from deeprc.core.files import sha256
from deeprc.learning.checkpoints import commit
from deeprc.learning.checkpoints.saved import OWN, Checkpoint, SavedArrays
from deeprc.learning.checkpoints.share import ShareCopy, share
from deeprc.learning.checkpoints.writing import Writing
from deeprc.learning.peers import Peers

POLL = 0.002  # seconds between two checks, where there is nothing else to do


class CheckpointStore:
    """The checkpoints of one training, and the one that is being written.

    Parameters
    ----------
    folder
        On a file system that all ranks see.
    keep
        How many of the last are kept, beside the best.
    staging
        Storage of the node where copies wait; memory, if not given.
    report
        What is told of checkpoints that are damaged.
    """

    def __init__(
        self, folder: Path, peers: Peers, *, keep: int = 2, staging: Path | None = None,
        report: Callable[[str], None] = print,
    ) -> None:  # fmt: skip
        self.folder, self.peers, self.keep, self.report = folder, peers, keep, report
        self.blocked = 0.0  # seconds that the training has waited for its checkpoints
        self._stage, self._writing = ShareCopy(staging), None
        self._beside: dict[Path, dict[str, Any]] = {}

    def save(
        self, step: int, tensors: Mapping[str, np.ndarray], state: Mapping[str, Any], *, best: bool = False,
        beside: Iterable[str] = (), own: Mapping[str, np.ndarray] | None = None,
    ) -> None:  # fmt: skip
        """Begin to save what is the same on all ranks; the tensors may be changed as soon as it returns.

        Where the last save is still being written, it is waited for.

        Parameters
        ----------
        best
            Whether this one is kept whatever follows, until another one is the best.
        beside
            Paths below the store's folder of files that stand there already and that the checkpoint needs: it is valid
            only as long as they are as they were.
        own
            Tensors that each rank has others of.
        """
        began = time.perf_counter()
        self._settle()
        names = share({name: array.nbytes for name, array in tensors.items()}, self.peers.size)[self.peers.rank]
        own = {OWN.format(self.peers.rank) + name: array for name, array in (own or {}).items()}
        copies = self._stage.copy({name: tensors[name] for name in names} | own)
        beside = {f"../{name}": self._known(self.folder / name) for name in beside if self.peers.rank == 0}
        about = {"step": step, "best": best, "state": dict(state), "ranks": self.peers.size, "files": beside}
        self._writing = Writing(
            self.folder / f"step-{step:08d}", self.peers, copies, json.dumps(about, allow_nan=False), self._prune
        )
        self._waited(time.perf_counter() - began)

    def _waited(self, seconds: float) -> None:
        self.blocked += seconds
        spent.checkpoint(seconds)

    def _known(self, path: Path) -> dict[str, Any]:
        if path not in self._beside:
            self._beside[path] = {"bytes": path.stat().st_size, "sha256": sha256(path)}
        return self._beside[path]

    def poll(self) -> None:
        """Let a save go on: called once a step, on every rank. It never waits.

        Raises
        ------
        CheckpointError
            Where a rank could not write its share.
        """
        if self._writing is not None and self._writing.advance():
            self._writing = None

    @property
    def busy(self) -> bool:
        """Whether a save goes on, as far as this rank has to do with it."""
        return self._writing is not None

    def finish(self) -> None:
        """Wait until the save that goes on is committed."""
        if self._writing is not None:
            began = time.perf_counter()
            self._settle()
            self._waited(time.perf_counter() - began)

    def _settle(self) -> None:
        while self._writing is not None:
            self._writing.hurry()
            self.poll()
            if self._writing is not None:
                time.sleep(POLL)

    def steps(self) -> list[int]:
        """Steps of the folders that are there, whole or not, the last first."""
        found = [path.name.removeprefix("step-") for path in self.folder.glob("step-*") if path.is_dir()]
        return sorted((int(text) for text in found if text.isdigit()), reverse=True)

    def latest(self) -> Checkpoint | None:
        """The last checkpoint that is whole, on every rank the same; None where there is none. Ranks share the reading.

        What a killed or damaged save has left beyond it is removed: the training comes by these steps again.
        """
        found = self._whole()
        if self.peers.rank == 0:
            for step in self.steps():
                if found is None or step > found.step:
                    shutil.rmtree(self.folder / f"step-{step:08d}", ignore_errors=True)
        self.peers.allgather(None)  # nobody writes before all has gone
        return found

    def _whole(self) -> Checkpoint | None:
        for step in self.peers.allgather(self.steps())[0]:
            folder = self.folder / f"step-{step:08d}"
            about = self.peers.allgather(commit.read(folder) if self.peers.rank == 0 else None)[0]
            if about is None:
                self._tell(step, f"not committed, or its {commit.FILE} is damaged")
                continue
            mine = sorted(about["files"])[self.peers.rank :: self.peers.size]
            wrong = [name for name in mine if _damaged(folder / name, about["files"][name])]
            wrong = [name for names in self.peers.allgather(wrong) for name in names]
            if not wrong:
                shares = [folder / name for name in about["files"] if not name.startswith("../")]
                return Checkpoint(step, SavedArrays(shares), about["state"], about["ranks"])
            self._tell(step, f"damaged ({', '.join(wrong)})")
        return None

    def _tell(self, step: int, how: str) -> None:
        if self.peers.rank == 0:
            self.report(f"the checkpoint of step {step} is {how}: the one before is used")

    def set_aside(self) -> Path:
        """Rename the folder, so that a new training can begin; the new name."""
        aside = self.folder.with_name(f"{self.folder.name}.previous")
        if self.peers.rank == 0:
            shutil.rmtree(aside, ignore_errors=True)
            self.folder.rename(aside)
        self.peers.allgather(None)
        return aside

    def _prune(self, committed: int) -> None:
        kept = 0
        best_seen = False
        for step in self.steps():
            folder = self.folder / f"step-{step:08d}"
            about = commit.read(folder)
            if about is None:
                if step < committed:
                    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
                continue
            best = about["best"] and not best_seen
            best_seen = best_seen or about["best"]
            kept += 1
            if kept > self.keep and not best:
                # What makes it valid goes first: a kill in between leaves no half of one.
                (folder / commit.FILE).unlink(missing_ok=True)
                shutil.rmtree(folder, ignore_errors=True)


def _damaged(path: Path, about: Mapping[str, Any]) -> bool:
    try:
        return path.stat().st_size != about["bytes"] or sha256(path) != about["sha256"]
    except OSError:
        return True
