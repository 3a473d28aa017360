"""A world of one rank, without MPI: what a communicator asks of mpi4py, where nobody else is there."""

from __future__ import annotations

from typing import Any


class OneRank:
    """The only rank: what it says to all, it hears."""

    rank, size = 0, 1

    def Get_rank(self) -> int:
        return 0

    def Get_size(self) -> int:
        return 1

    def Barrier(self) -> None: ...

    def bcast(self, value: Any, root: int = 0) -> Any:
        return value

    def allgather(self, value: Any) -> list:
        return [value]

    def gather(self, value: Any, root: int = 0) -> list:
        return [value]

    def scatter(self, values: list, root: int = 0) -> Any:
        return values[0]

    def exscan(self, value: Any) -> None: ...

    def Alltoall(self, sent: Any, received: Any) -> None:
        received[:] = sent

    def Alltoallv(self, sent: list, received: list) -> None:
        received[0][:] = sent[0]
