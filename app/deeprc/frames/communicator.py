"""The ranks of a world and what they say to each other."""

from __future__ import annotations

import functools
import os
import sys
from typing import Any

import numpy as np

from deeprc.core.errors import DeepRCError, InputError
from deeprc.frames import topology
from deeprc.frames.agreeing import Agreeing
from deeprc.frames.alone import OneRank
from deeprc.frames.ending import watch
from deeprc.frames.engine import agreed, word
from deeprc.frames.topology import Topology

# MPI before version 4 counts in 32 bits. A larger message travels in pieces of this many bytes, whatever the version.
PIECE = 2**30


def _pickled_safely(value: Any) -> Any:
    """What pickling `value` cannot hang on.

    Polars pickles a frame with Python's lock held, and joins its chunks in its own threads meanwhile; the end of a
    chunk that Arrow had from Python waits for that lock there. `rechunk` does the same without it.
    """
    polars = sys.modules.get("polars")
    whole = polars is not None and isinstance(value, polars.DataFrame | polars.Series)
    return value.rechunk() if whole else value


def check_same(call: str, one: Communicator, other: Communicator) -> None:
    """Refuse frames of different ranks in one call: the rows that each rank has of one would be taken for all.

    Raises
    ------
    InputError
        When the communicators have not the same ranks in the same order.
    """
    if one is other or (one.size == 1 and other.size == 1):
        return
    if not isinstance(one.comm, OneRank) and not isinstance(other.comm, OneRank):
        from mpi4py import MPI

        if MPI.Comm.Compare(one.comm, other.comm) in (MPI.IDENT, MPI.CONGRUENT):
            return
    raise InputError(
        f"{call}: the frames are of different communicators",
        found=" and ".join(_described(each) for each in (one, other)),
        expected="frames of the same ranks",
        fix="give both the same communicator; of rows that every rank has, take them on one: "
        "Frame(rows if comm.rank == 0 else rows.clear(), comm)",
    )


def _described(comm: Communicator) -> str:
    if isinstance(comm.comm, OneRank):
        return "Communicator.alone() (1 rank)"
    return f"{comm.comm.Get_name() or 'a communicator'} ({comm.size} rank{'s' if comm.size > 1 else ''})"


class Communicator(Agreeing):
    """A group of MPI ranks.

    Parameters
    ----------
    comm
        An mpi4py communicator. Every method but `rank` and `size` is collective, also to make one: all its ranks call
        it, in the same order.

    Raises
    ------
    ConfigError
        On every rank, when DEEPRC_FRAMES_ENGINE is no engine, or not the same on all.
    """

    def __init__(self, comm: Any) -> None:
        self.comm = comm
        self.rank: int = comm.Get_rank()
        self.size: int = comm.Get_size()
        self.topology: Topology | None = topology.find(comm) if self.size > 1 else None
        super().__init__()
        agreed(comm.allgather(word()))

    @classmethod
    @functools.cache
    def world(cls) -> Communicator:
        """All ranks that the launcher started; a world of one without a launcher.

        From then on an error that one of several ranks does not catch ends them all, as does a rank that ends while the
        others go on.

        Raises
        ------
        DeepRCError
            When there are not as many ranks as DEEPRC_RANKS says (the executor sets it).
        """
        from mpi4py import MPI  # importing it starts MPI: not before a communicator is asked for

        world = cls(MPI.COMM_WORLD)
        expected = os.environ.get("DEEPRC_RANKS")
        if expected and int(expected) != world.size:
            library = MPI.Get_library_version().splitlines()[0].strip("\x00 ")
            alone = world.size == 1
            raise DeepRCError(
                "each rank is a world of its own" if alone else "the world has another size than the task",
                found=f"{world.size} of the {expected} ranks, with {library}",
                expected=f"{expected} ranks (DEEPRC_RANKS)",
                fix="start the ranks with the launcher of this MPI library"
                + (": another family's launcher starts them one by one" if alone else "")
                + "; `deeprc plan` shows which one fits",
            )
        if world.size > 1:
            watch(world)
        return world

    @classmethod
    @functools.cache
    def alone(cls) -> Communicator:
        """This process alone, whatever others there are: MPI is not even started."""
        return cls(OneRank())

    def barrier(self) -> None:
        """Wait until every rank is here."""
        self.comm.Barrier()

    def bcast(self, value: Any = None, root: int = 0) -> Any:
        """The value that `root` passes, on every rank."""
        return self.comm.bcast(_pickled_safely(value), root=root)

    def allgather(self, value: Any) -> list:
        """The values of all ranks, in rank order, on every rank."""
        return self.comm.allgather(_pickled_safely(value))

    def gather(self, value: Any) -> list | None:
        """The values of all ranks, in rank order, on the first rank."""
        return self.comm.gather(_pickled_safely(value), root=0)

    def scatter(self, values: list | None) -> Any:
        """Of the values that the first rank has, one for each rank, this rank's."""
        return self.comm.scatter(_pickled_safely(values), root=0)

    def allreduce(self, value: Any, op: str = "sum") -> Any:
        """The `sum`, `min` or `max` of a number over all ranks; an array can be summed, element by element."""
        return value if self.size == 1 else self.comm.allreduce(value, op=self._operation(op))

    def exscan(self, value: Any) -> Any:
        """The sum of the values of the ranks before this one; 0 on the first."""
        before = self.comm.exscan(value)
        return value * 0 if self.rank == 0 else before

    def alltoall(self, values: np.ndarray) -> np.ndarray:
        """Send row `i` of an array (ranks × n) to rank `i`; row `i` of the result came from rank `i`."""
        received = np.empty_like(values)
        self.comm.Alltoall(np.ascontiguousarray(values), received)
        return received

    def needs_pieces(self, size: int) -> bool:
        """Whether any rank has a buffer of more bytes than MPI may count; `size` is this rank's largest."""
        return self.allreduce(size, "max") > PIECE

    def alltoallv(self, values: np.ndarray, counts: np.ndarray, incoming: np.ndarray, in_pieces: bool) -> np.ndarray:
        """Send consecutive runs of an array to the ranks.

        Parameters
        ----------
        values
            One-dimensional and contiguous: the elements for rank 0, then those for rank 1, …
        counts, incoming
            How many elements go to each rank, and how many come from each.
        in_pieces
            What `needs_pieces` says of `values` and of the result; the same on every rank.

        Returns
        -------
        The elements from rank 0, then those from rank 1, …
        """
        received = np.empty(int(incoming.sum()), dtype=values.dtype)
        if in_pieces:
            self._alltoallv_in_pieces(values, counts, received, incoming)
        else:
            self.comm.Alltoallv([values, counts.astype(np.int32)], [received, incoming.astype(np.int32)])
        return received

    def _alltoallv_in_pieces(
        self, values: np.ndarray, counts: np.ndarray, received: np.ndarray, incoming: np.ndarray
    ) -> None:
        piece = max(1, PIECE // values.dtype.itemsize)
        start, stop = np.cumsum(counts) - counts, np.cumsum(counts)
        into, end = np.cumsum(incoming) - incoming, np.cumsum(incoming)
        received[into[self.rank] : end[self.rank]] = values[start[self.rank] : stop[self.rank]]
        for step in range(1, self.size):
            to, source = (self.rank + step) % self.size, (self.rank - step) % self.size
            requests = [
                self.comm.Irecv(received[at : min(at + piece, end[source])], source=source)
                for at in range(into[source], end[source], piece)
            ]
            requests += [
                self.comm.Isend(values[at : min(at + piece, stop[to])], dest=to)
                for at in range(start[to], stop[to], piece)
            ]
            for request in requests:
                request.Wait()

    @staticmethod
    def _operation(name: str) -> Any:
        from mpi4py import MPI

        return {"sum": MPI.SUM, "min": MPI.MIN, "max": MPI.MAX}[name]
