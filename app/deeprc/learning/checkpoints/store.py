"""A folder of checkpoints.

`step-00000300/` holds a safetensors file of each rank and, written last, `commit.json`: the files with their bytes and
SHA-256, and the state that is no tensor. Without it, or where a file is not as it says, the folder is no checkpoint.

A save copies this rank's share of the tensors (the training waits for that alone), writes the copy from a thread of the
lowest priority, and tells the others on a group of its own. The first rank commits when all are done.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deeprc.core import spent
from deeprc.core.errors import DeepRCError
from deeprc.core.files import sha256, storage_error, write_text
from deeprc.learning.checkpoints import tensors as files
from deeprc.learning.checkpoints.saved import OWN, Checkpoint, SavedArrays
from deeprc.learning.checkpoints.share import ShareCopy, share
from deeprc.learning.peers import Peers, Pending

COMMIT = "commit.json"
LOWEST = 19  # of priorities, in the words of `nice`
POLL = 0.002  # seconds between two checks, where there is nothing else to do


class CheckpointError(DeepRCError):
    """A checkpoint that could not be written."""


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
        self._writing = _Writing(self, self.folder / f"step-{step:08d}", copies, json.dumps(about, allow_nan=False))
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
            about = self.peers.allgather(_commit_of(folder) if self.peers.rank == 0 else None)[0]
            if about is None:
                self._tell(step, f"not committed, or its {COMMIT} is damaged")
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
            about = _commit_of(folder)
            if about is None:
                if step < committed:
                    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
                continue
            best = about["best"] and not best_seen
            best_seen = best_seen or about["best"]
            kept += 1
            if kept > self.keep and not best:
                # What makes it valid goes first: a kill in between leaves no half of one.
                (folder / COMMIT).unlink(missing_ok=True)
                shutil.rmtree(folder, ignore_errors=True)


class _Writing:
    """One save: the thread that writes, then the gathering of what each rank wrote, then the commit."""

    def __init__(self, store: CheckpointStore, folder: Path, copies: dict[str, np.ndarray], about: str) -> None:
        self.store, self.folder, self.about = store, folder, about
        self.error: Exception | None = None
        self.record: np.ndarray | None = None
        self.pending: Pending | None = None
        self.thread = self._start(self._write, copies)
        self.committing = False

    def _start(self, work: Callable[..., None], *arguments: Any) -> threading.Thread:
        thread = threading.Thread(target=self._run, args=(work, *arguments), daemon=True)
        thread.start()
        return thread

    def _run(self, work: Callable[..., None], *arguments: Any) -> None:
        try:
            # On Linux a thread has a priority of its own: the training goes first wherever both want a core.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST)
            work(*arguments)
        except Exception as error:  # told by the training, at its next look
            self.error = error

    def _write(self, copies: dict[str, np.ndarray]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / COMMIT).unlink(missing_ok=True)  # this step's, from before a restart: no longer of these files
        size, digest = files.write(self.folder / self._name(self.store.peers.rank), copies)
        self.record = np.concatenate(
            [np.array([size], "<i8").view(np.uint8), np.frombuffer(bytes.fromhex(digest), "u1")]
        )

    def _name(self, rank: int) -> str:
        return f"rank-{rank}-of-{self.store.peers.size}.safetensors"

    def advance(self) -> bool:
        """Go on as far as is possible without waiting; whether it is over."""
        if self.thread.is_alive():
            return False
        if self.pending is None:
            failed = np.full(40, 255, np.uint8)  # a size of -1
            self.pending = self.store.peers.later(failed if self.record is None else self.record)
        if self.committing:
            self._refuse(self.error)
            return True
        rows = self.pending.rows()
        if rows is None:
            return False
        sizes = [int(row[:8].view("<i8")[0]) for row in np.ascontiguousarray(rows)]
        bad = [rank for rank, size in enumerate(sizes) if size < 0]
        if bad:
            self._refuse(self.error)
            raise CheckpointError(f"rank {bad[0]} could not write its share of the checkpoint", where=self.folder)
        if self.store.peers.rank:
            return True
        self.committing = True
        written = {
            self._name(rank): {"bytes": size, "sha256": bytes(row[8:]).hex()}
            for rank, (size, row) in enumerate(zip(sizes, rows, strict=True))
        }
        self.thread = self._start(self._commit, written)
        return False

    def _commit(self, written: dict[str, dict]) -> None:
        about = json.loads(self.about)
        about["files"] |= written
        _sync(self.folder)  # the names of the files are on the disk before what vouches for them
        write_text(self.folder / COMMIT, json.dumps(about | {"check": _check(about)}))
        _sync(self.folder)
        _sync(self.folder.parent)
        self.store._prune(about["step"])

    def _refuse(self, error: Exception | None) -> None:
        if error is not None:
            raise (storage_error(error, self.folder) if isinstance(error, OSError) else error) from error


def _check(about: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _commit_of(folder: Path) -> dict[str, Any] | None:
    """What the marker of a folder says; None where there is none, or one that is not as it was written."""
    try:
        about = json.loads((folder / COMMIT).read_text(encoding="utf-8"))
        return about if about.pop("check") == _check(about) else None
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None


def _damaged(path: Path, about: Mapping[str, Any]) -> bool:
    try:
        return path.stat().st_size != about["bytes"] or sha256(path) != about["sha256"]
    except OSError:
        return True


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
