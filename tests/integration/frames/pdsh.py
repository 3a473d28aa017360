"""The queries of PDS-H; run by every rank: `mpiexec -n R python pdsh.py FOLDER ANSWERS`.

FOLDER holds the tables by scale factor. The smallest go all ways of large ones: no file is read by every rank, no side
of a join sent to every rank. Rank 0 prints what is wrong as JSON, by scale factor and query; and as `agreements` how
often each query at scale factor 0.1 calls what waits for all ranks, files known.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from deeprc.bench.pdsh.answers import difference
from deeprc.bench.pdsh.engines import engine
from deeprc.bench.pdsh.queries import QUERIES
from deeprc.frames import Communicator
from deeprc.frames.lazy import deal, scan

WAITING = (
    "Allgather Allreduce Alltoall Alltoallv Barrier Bcast allgather allreduce alltoall barrier bcast exscan gather"
)


class Counted:
    """An mpi4py communicator that counts the calls which wait for other ranks."""

    calls = 0

    def __init__(self, comm: Any) -> None:
        self.comm = comm

    def __getattr__(self, name: str) -> Any:
        Counted.calls += name in WAITING
        return getattr(self.comm, name)


def counted(comm: Communicator, work: Callable[[], object]) -> int:
    """How often `work` waits for other ranks."""
    usual = comm.comm, comm.topology
    comm.comm, Counted.calls = Counted(comm.comm), 0
    if comm.topology is not None:
        comm.topology = replace(comm.topology, local=Counted(comm.topology.local))
    work()
    comm.comm, comm.topology = usual
    return Counted.calls


if __name__ == "__main__":
    comm, folder = Communicator.world(), Path(sys.argv[1])
    answers = json.loads(Path(sys.argv[2]).read_text())
    usual = scan.SMALL_BYTES, deal.SPREAD_BYTES, deal.LITTLE_BYTES
    told = {}
    for scale in ("0.01", "0.1"):
        small = scale == "0.01"
        scan.SMALL_BYTES, deal.SPREAD_BYTES, deal.LITTLE_BYTES = (0, 0, 0) if small else usual
        answer = engine("arrow", folder / scale, comm)
        found = {number: answer(number) for number in QUERIES}
        if comm.rank == 0:
            told[scale] = {number: difference(df, answers[scale][str(number)]) or True for number, df in found.items()}
    told["agreements"] = {number: counted(comm, lambda number=number: answer(number)) for number in QUERIES}
    if comm.rank == 0:
        print(json.dumps(told))
