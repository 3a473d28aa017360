"""Steps that no rank leaves alone: a failure on one rank is the same failure on all."""

from __future__ import annotations

import pickle
import sys
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar

import numpy as np

from deeprc.core.ending import abort
from deeprc.core.errors import DeepRCError
from deeprc.frames import topology
from deeprc.frames.agreement import CALL, Account, verdict
from deeprc.frames.topology import SHARED, Topology

Made = TypeVar("Made")


class Agreeing:
    """What ranks agree upon: the part of a `Communicator` that does it."""

    comm: Any
    rank: int
    size: int
    topology: Topology | None

    def __init__(self) -> None:
        self._pending: BaseException | None = None
        self._unsettled = False
        self._open: list[BinaryIO] = []

    @property
    def shared(self) -> bool:
        """Whether all ranks can read what one of them writes to the memory of their node."""
        return self.topology is not None and self.topology.way == SHARED

    @contextmanager
    def together(
        self, call: str | None = None, counts: np.ndarray | None = None, most: np.ndarray | None = None
    ) -> Iterator[dict[str, str]]:
        """Make a failure of the body on one rank the same failure of every rank, instead of an endless wait for it.

        The body itself must not communicate. It costs one reduction of five numbers where nothing is wrong.

        Parameters
        ----------
        call
            The method that all ranks must be in.
        counts
            Whole numbers (ranks × n); the body fills in its rank's row. Afterwards those of all ranks stand there. Only
            where all ranks are sure to be in the same method: it is another message than without.
        most
            Two whole numbers above 0, if the body fills them in; afterwards the largest of all ranks stand there.

        Yields
        ------
        A dictionary to which the body may add what else has to be the same, by its name in `agreement`.

        Raises
        ------
        DeepRCError
            When a rank failed (the class is that of its own error, if that is one of ours), or does something else. An
            error that is the same on all ranks is passed on as it is.
        """
        same = {} if call is None else {CALL: call}
        before, self._open = self._open, []  # what is opened within the body is for others to read after it
        failure: BaseException | None = None
        try:
            yield same
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            failure = error
            if not isinstance(error, Exception | SystemExit):  # a panic of Polars, which no program expects
                failure = DeepRCError(str(error) or repr(error))
                failure.__cause__ = error
        if self.size == 1:
            if failure is not None:
                raise failure
            return
        failure = self._pending or failure
        check = zlib.crc32("\n".join(f"{what} {text}" for what, text in same.items()).encode(errors="replace"))
        if counts is None:
            said = (0, 0) if most is None else most
            mine, told = np.array([failure is not None, check, -check, *said], np.int64), np.empty(5, np.int64)
            self.comm.Allreduce(mine, told, op=self._operation("max"))
            fine = not told[0] and told[1] == -told[2]
            if most is not None:
                most[:] = told[3:]
        else:
            told = np.empty((self.size, 2 + counts.shape[1]), np.int64)
            self.comm.Allgather(np.array([failure is not None, check, *counts[self.rank]], np.int64), told)
            counts[:] = told[:, 2:]
            fine = not told[:, 0].any() and (told[:, 1] == check).all()
        self._pending, self._unsettled = None, False
        for file in before:
            file.close()
        if fine:
            return
        accounts = self.allgather(Account.of(failure, same))
        if failure is not None and all(account == accounts[0] for account in accounts):
            raise failure
        raise verdict(accounts) from failure

    def later(self, work: Callable[[], Made], otherwise: Callable[[], Made]) -> Made:
        """What a local step gives; a failure of it is told in the next agreement, and until then something else stands
        for it, with which the rank goes on as the others do.

        After it `settle` or `together` must follow before anybody sees what it gave.
        """
        if self.size == 1:
            return work()
        self._unsettled = True
        if self._pending is None:
            try:
                return work()
            except (KeyboardInterrupt, GeneratorExit):
                raise
            except BaseException as error:
                self._pending = error
        return otherwise()

    def settle(self) -> None:
        """Agree that no rank has failed since the last agreement, if there was a step that may have (`later`)."""
        if self._unsettled:
            with self.together():
                pass

    def forget(self) -> None:
        """No failure is left to be told, and no file to be kept open for other ranks."""
        self._pending, self._unsettled = None, False
        while self._open:
            self._open.pop().close()

    def keep_open(self, file: BinaryIO) -> None:
        """Close a file after the next agreement: until then other ranks may open it, too, by its place here."""
        self._open.append(file)

    @contextmanager
    def all_or_none(self) -> Iterator[None]:
        """End all ranks when this one fails in the body: amid an exchange the others can no longer be told."""
        try:
            yield
        except BaseException:
            if self.size > 1:
                print(
                    f"rank {self.rank} of {self.size} failed amid an exchange:\n{traceback.format_exc()}",
                    file=sys.stderr,
                    flush=True,
                )
                abort(1)
            raise

    def told(self, call: str, work: Callable[[dict[str, str]], Any]) -> Any:
        """What the first rank finds, on every rank, in one agreement where they share a node.

        Parameters
        ----------
        call, work
            The method; `work` is given what `together` yields, on every rank. A failure of it is one of every rank.
        """
        where = np.zeros(2, np.int64)
        with self.together(call, most=where) as same:
            found = work(same)
            if self.shared and self.rank == 0:
                file = topology.segment()
                self.keep_open(file)
                file.write(pickle.dumps(found))
                file.flush()
                where[:] = file.fileno(), file.tell()
        if not self.shared:
            return found if self.size == 1 else self.bcast(found)
        with self.all_or_none():
            path = self.topology.path(0, int(where[0]))
            return found if self.rank == 0 else pickle.loads(topology.mapped(path))
