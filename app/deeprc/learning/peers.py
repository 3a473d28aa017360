"""What the ranks of a training say to each other, over MPI."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from deeprc.learning.world import World, WorldError, node_name, placed, told


class Pending(Protocol):
    """An exchange that goes on by itself."""

    def rows(self) -> np.ndarray | None:
        """What each rank gave, in rank order [ranks, …]; None while one of them is still awaited. It never waits."""


class Peers(Protocol):
    """The ranks of a world, as one of them sees them. Every method is collective: all ranks call it, in one order."""

    world: World
    rank: int
    size: int

    def allgather(self, value: Any) -> list:
        """The values of all ranks, in rank order."""

    def exchange(self, mine: np.ndarray, other: int) -> np.ndarray:
        """Send a contiguous array to the rank `other` and take one like it from there."""

    def total(self, mine: np.ndarray) -> None:
        """Add up a contiguous array over all ranks, in place; the order of the sum is MPI's own."""

    def later(self, mine: np.ndarray) -> Pending:
        """Begin to gather a small array of every rank, on a group of its own: in the way of nothing else."""


class Alone:
    """A world of one."""

    rank, size = 0, 1

    def __init__(self) -> None:
        self.world = World()

    def allgather(self, value: Any) -> list:
        return [value]

    def exchange(self, mine: np.ndarray, other: int) -> np.ndarray:
        raise ValueError("there is no other rank")

    def total(self, mine: np.ndarray) -> None:
        pass

    def later(self, mine: np.ndarray) -> Pending:
        return Done(mine[None].copy())


class Done:
    """What has arrived already."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def rows(self) -> np.ndarray:
        return self.values


class MpiPeers:
    """The ranks of an MPI communicator; `world` is as the launcher placed them."""

    def __init__(self, comm: Any, world: World) -> None:
        self.comm, self.world, self.rank, self.size = comm, world, world.rank, world.size
        self._aside = comm.Dup()
        self._received = np.empty(0)

    def allgather(self, value: Any) -> list:
        return self.comm.allgather(value)

    def exchange(self, mine: np.ndarray, other: int) -> np.ndarray:
        if (self._received.size, self._received.dtype) != (mine.size, mine.dtype):
            self._received = np.empty_like(mine)
        self.comm.Sendrecv(mine, other, recvbuf=self._received, source=other)
        return self._received

    def total(self, mine: np.ndarray) -> None:
        from mpi4py import MPI

        self.comm.Allreduce(MPI.IN_PLACE, mine)

    def later(self, mine: np.ndarray) -> Pending:
        return _Gathering(self._aside, mine, self.size)


class _Gathering:
    def __init__(self, comm: Any, mine: np.ndarray, size: int) -> None:
        self._mine = mine.copy()  # MPI reads and writes both until it is done
        self._all = np.empty((size, *mine.shape), mine.dtype)
        self._request = comm.Iallgather(self._mine, self._all)

    def rows(self) -> np.ndarray | None:
        return self._all if self._request.Test() else None


def join(environment: Mapping[str, str] = os.environ) -> Peers:
    """The world that the launcher has made of this process and others.

    Raises
    ------
    WorldError
        Where the launcher, MPI and DEEPRC_RANKS do not agree on it; so, too, where a launcher gives ranks numbers but
        no MPI between them (`srun` without a PMI).
    """
    known = told(environment)
    if known is None:
        return Alone()
    from mpi4py import MPI  # importing it opens the world

    comm = MPI.COMM_WORLD
    if (comm.Get_rank(), comm.Get_size()) != (known.rank, known.size):
        library = MPI.Get_library_version().splitlines()[0].strip("\x00 ")
        raise WorldError(
            "MPI and the launcher see different worlds",
            found=f"rank {comm.Get_rank()} of {comm.Get_size()} by {library}; {known}",
            expected="one world",
            fix="start the ranks with the launcher of this MPI library; `deeprc plan` shows which one fits",
        )
    return MpiPeers(comm, placed(known, comm.allgather((node_name(environment), known.local_rank))))
