"""A checkpoint as it is written: by a thread beside the training, or by the training where it waits for it."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from deeprc.core.errors import DeepRCError
from deeprc.core.files import storage_error
from deeprc.learning.checkpoints import commit
from deeprc.learning.checkpoints import tensors as files
from deeprc.learning.peers import Peers, Pending


class CheckpointError(DeepRCError):
    """A checkpoint that could not be written."""


class Writing:
    """One save: the thread that writes, then the gathering of what each rank wrote, then the commit.

    Parameters
    ----------
    folder, peers, copies
        Where this rank and its peers write, and what.
    about
        JSON of what the commit says beside the files.
    committed
        Called on the first rank with the step, once it is committed.
    """

    def __init__(
        self, folder: Path, peers: Peers, copies: dict[str, np.ndarray], about: str, committed: Callable[[int], None]
    ) -> None:
        self.folder, self.peers, self.about, self.committed = folder, peers, about, committed
        self.error: Exception | None = None
        self.record: np.ndarray | None = None
        self.pending: Pending | None = None
        self.committing, self.hurried = False, threading.Event()
        self._begin(self._write(copies))

    def _begin(self, work: Iterator[None]) -> None:
        self.work = work
        if self.hurried.is_set():
            self._work()
        else:
            self.thread = threading.Thread(target=self._beside, daemon=True)
            self.thread.start()

    def _beside(self) -> None:
        # On Linux a thread has a scheduling policy of its own. Beside others that are busy, this one gets some 0.3 % of
        # a core; the lowest priority, 1.5 %, made steps 7 % slower on two cores.
        if hasattr(os, "SCHED_IDLE"):
            with contextlib.suppress(PermissionError):  # of a container that allows no call of the kind
                os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        self._work(self.hurried.is_set)

    def _work(self, given_over: Callable[[], bool] = lambda: False) -> None:
        try:
            for _ in self.work:
                if given_over():
                    return
        except Exception as error:  # told by the training, at its next look
            self.error = error

    def hurry(self) -> None:
        """Do what is left in the thread that waits for it: on cores that others keep busy, ours would take minutes."""
        if not self.hurried.is_set():
            self.hurried.set()
            self.thread.join()
            self._work()

    def _write(self, copies: dict[str, np.ndarray]) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        # This step's, from before a restart, is not of these files.
        (self.folder / commit.FILE).unlink(missing_ok=True)
        size, digest = yield from files.written(self.folder / self._name(self.peers.rank), copies)
        self.record = np.concatenate(
            [np.array([size], "<i8").view(np.uint8), np.frombuffer(bytes.fromhex(digest), "u1")]
        )

    def _name(self, rank: int) -> str:
        return f"rank-{rank}-of-{self.peers.size}.safetensors"

    def advance(self) -> bool:
        """Go on as far as is possible without waiting; whether it is over."""
        if self.thread.is_alive():
            return False
        if self.pending is None:
            failed = np.full(40, 255, np.uint8)  # a size of -1
            self.pending = self.peers.later(failed if self.record is None else self.record)
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
        if self.peers.rank:
            return True
        self.committing = True
        written = {
            self._name(rank): {"bytes": size, "sha256": bytes(row[8:]).hex()}
            for rank, (size, row) in enumerate(zip(sizes, rows, strict=True))
        }
        self._begin(self._commit(written))
        return False

    def _commit(self, written: dict[str, dict]) -> Iterator[None]:
        yield
        about = json.loads(self.about)
        about["files"] |= written
        commit.write(self.folder, about)
        self.committed(about["step"])

    def _refuse(self, error: Exception | None) -> None:
        if error is not None:
            raise (storage_error(error, self.folder) if isinstance(error, OSError) else error) from error
