"""How much memory a rank may use for rows."""

from __future__ import annotations

import os
import re
from pathlib import Path
from weakref import WeakKeyDictionary

import polars as pl

from deeprc.core.errors import InputError
from deeprc.frames.communicator import Communicator
from deeprc.frames.lazy.store import LEAST, size_of

ROWS = 0.5  # of the memory that a rank has is for rows; the rest for what is computed with them, and for the program
JOB = "DEEPRC_MEM_MB"
NO_LIMIT = 2**60  # bytes: beyond it a cgroup says that there is none
_KNOWN: WeakKeyDictionary[Communicator, int] = WeakKeyDictionary()


def budget(memory: int | str | None, comm: Communicator) -> int | None:
    """Bytes that each rank may use for rows: as asked for, or of what the job or the cgroup allows; the same on all.

    Returns
    -------
    None where there is no limit.

    Raises
    ------
    InputError
        On every rank, when what a job is told of its memory is no number.
    """
    if memory is not None:
        with comm.together():
            size = size_of(memory)
        return comm.allreduce(size, "min")
    if comm not in _KNOWN:
        share = comm.allreduce(_share(comm), "min")
        if share < 0:
            raise InputError(
                f"{JOB}: the memory of the job is no whole number of MB",
                found=os.environ.get(JOB, ""),
                expected="a number such as 4000, or nothing",
                fix="leave it to the executor, which sets it by mem_mb",
            )
        _KNOWN[comm] = share
    return None if _KNOWN[comm] >= NO_LIMIT else max(_KNOWN[comm], LEAST)


def crowded(comm: Communicator, *held: pl.DataFrame) -> int | None:
    """The budget, where rows in memory are more than it on some rank, so that no others have room beside them."""
    allowed = budget(None, comm)
    if allowed is None:
        return None
    return allowed if comm.allreduce(sum(rows.estimated_size() for rows in held), "max") > allowed else None


def _share(comm: Communicator) -> int:
    job, group = _of_job(), _of_cgroup()
    if comm.allreduce(group, "min") < NO_LIMIT:
        here = ranks_here(comm)  # all ranks ask, also one without a limit
        group = group if group >= NO_LIMIT else group // here
    if job < 0:
        return job
    limit = min(job, group)
    return limit if limit >= NO_LIMIT else int(limit * ROWS)


def ranks_here(comm: Communicator) -> int:
    """The number of ranks on this node."""
    if comm.size == 1:
        return 1
    from mpi4py import MPI

    node = comm.comm.Split_type(MPI.COMM_TYPE_SHARED)
    size = node.Get_size()
    node.Free()
    return size


def _of_job() -> int:
    """This rank's part of what the job asked for (its `mem_mb`), which the executor tells; below 0 for no number."""
    said = os.environ.get(JOB, "").strip()
    if said and not re.fullmatch("[0-9]+", said):
        return -1
    return int(said or 0) * 10**6 or NO_LIMIT


def _of_cgroup(root: Path = Path("/")) -> int:
    """The least limit of this process's cgroup and of those that it is in."""
    found = NO_LIMIT
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        top, name = ("", "memory.max") if controllers == "" else ("memory", "memory.limit_in_bytes")
        inside = Path(group.lstrip("/"))
        for folder in (inside, *inside.parents):
            for base in (root / "sys/fs/cgroup" / top, root / "sys/fs/cgroup/unified" / top):
                try:
                    said = (base / folder / name).read_text().strip()
                except OSError:
                    continue
                found = min(found, int(said)) if said.isdigit() else found
    return found
