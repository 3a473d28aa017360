"""Which ranks share a node's memory, and whether they can read what one of them writes there."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

# So many ranks in a row are taken for those of one node, whatever node they are on: several nodes on one machine.
MADE_UP = "DEEPRC_FRAMES_RANKS_PER_NODE"
DIRECT, SHARED, TWO_LEVELS = "direct", "shared", "two levels"
WORD = b"deeprc.frames"


@dataclass
class RowTraffic:
    """What this rank has sent since it began: `messages` and `sent` bytes by MPI, `shared` bytes through memory."""

    messages: int = 0
    sent: int = 0
    shared: int = 0


@dataclass(frozen=True)
class Topology:
    """Where the ranks of a communicator are.

    Parameters
    ----------
    way
        How rows go from rank to rank: `SHARED` where all are on one node, `TWO_LEVELS` on several nodes; `DIRECT`, from
        rank to rank by MPI, where no two share a node, or one cannot read what another shares.
    local
        The ranks of this node, as an mpi4py communicator, in the order of their ranks.
    nodes
        The ranks of each node; nodes come in the order of their first ranks.
    here
        Which of them this node is.
    processes
        The process number of each rank of this node.
    """

    way: str
    local: Any
    nodes: list[list[int]]
    here: int
    processes: list[int]
    traffic: RowTraffic = field(default_factory=RowTraffic)

    def path(self, rank: int, descriptor: int) -> str:
        """What a rank of this node has open, by its place there."""
        return f"/proc/{self.processes[rank]}/fd/{descriptor}"

    def partner(self, node: int, other: int) -> int:
        """The rank that speaks for a node with another one: each of its ranks for some of the others."""
        ranks = self.nodes[node]
        return ranks[other % len(ranks)]


def find(comm: Any) -> Topology:
    """Look where the ranks of an mpi4py communicator are; all of them call it."""
    from mpi4py import MPI

    made_up = os.environ.get(MADE_UP, "")
    if made_up.isdecimal() and int(made_up):
        local = comm.Split(comm.rank // int(made_up), comm.rank)
    else:
        local = comm.Split_type(MPI.COMM_TYPE_SHARED, comm.rank)
    firsts = comm.allgather(local.bcast(comm.rank))
    numbers = sorted(set(firsts))
    nodes = [[rank for rank, first in enumerate(firsts) if first == number] for number in numbers]
    processes = local.allgather(os.getpid())
    topology = Topology(DIRECT, local, nodes, numbers.index(firsts[comm.rank]), processes)
    shares = comm.allreduce(_can_share(topology), op=MPI.LAND)
    if len(nodes) == comm.size or not shares:
        return topology
    way = SHARED if len(nodes) == 1 else TWO_LEVELS
    return Topology(way, local, nodes, topology.here, processes)


def segment() -> BinaryIO:
    """A file in memory without a name: it goes when nobody has it open or mapped any more, however they end."""
    return os.fdopen(os.memfd_create("deeprc-frames", os.MFD_CLOEXEC), "r+b")


def mapped(path: str) -> pa.Buffer:
    """What stands in a segment, to be read in place; it stays as long as somebody looks at it."""
    if not Path(path).stat().st_size:
        return pa.py_buffer(b"")
    with pa.memory_map(path) as file:  # unlike an mmap of Python's it keeps no file open
        return file.read_buffer()


def _can_share(topology: Topology) -> bool:
    """Whether this rank can read what each of its node writes: not from one container into another, it may be."""
    local, fine = topology.local, True
    try:
        file = segment()
        file.write(WORD + str(local.rank).encode())
        file.flush()
    except (AttributeError, OSError):
        file = None
    for rank, theirs in enumerate(local.allgather(None if file is None else file.fileno())):
        try:
            fine &= theirs is not None and mapped(topology.path(rank, theirs)).to_pybytes() == WORD + str(rank).encode()
        except OSError:
            fine = False
    local.Barrier()
    return fine
