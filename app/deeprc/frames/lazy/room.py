"""Whether a plan's rows have room: in memory, on the node's disk, or nowhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from weakref import WeakSet

from deeprc.core.files import StorageError, free_megabytes
from deeprc.frames.communicator import Communicator
from deeprc.frames.cylon import asked_of_a_plan
from deeprc.frames.lazy.budget import budget, ranks_here
from deeprc.frames.lazy.held import HeldRows
from deeprc.frames.lazy.nodes import Aggregate, Node, Sort, Source, bottom_up
from deeprc.frames.lazy.ranks import Ranks
from deeprc.frames.lazy.several import Join
from deeprc.frames.lazy.spilling import IN_MEMORY_PART, Spilling
from deeprc.frames.lazy.step import amount
from deeprc.frames.lazy.store import RowStore, opened
from deeprc.frames.place import in_memory, told

BY_ENGINE = {Aggregate: "groupby", Join: "join", Sort: None}  # what an engine may be asked for; sorts it is, below
_SAID: WeakSet[Communicator] = WeakSet()


@contextmanager
def carried_out(comm: Communicator, plan: Node, memory: int | str | None) -> Iterator[Ranks]:
    """The ranks that carry out a plan: with a budget where there is one and the plan's rows may not be in it.

    Raises
    ------
    StorageError
        On every rank, before anything is read, when a node has no room for the rows.
    """
    steps = {type(node) for node in bottom_up(plan)}
    asked_of_a_plan([name for kind, name in BY_ENGINE.items() if kind in steps], comm)
    try:
        with _with_room(comm, plan, memory) as ranks:
            yield ranks
            comm.settle()
    except BaseException:
        comm.forget()
        raise


@contextmanager
def _with_room(comm: Communicator, plan: Node, memory: int | str | None) -> Iterator[Ranks]:
    allowed = budget(memory, comm)
    total = _read(plan)
    if memory is not None:
        total += comm.allreduce(_held(plan))
    if allowed is None or (memory is None and total / comm.size <= allowed * IN_MEMORY_PART):
        yield Ranks(comm)
        return
    with ExitStack() as stack:
        with comm.together():
            store = stack.enter_context(opened(told()))
        _check_room(total, allowed, comm, store)
        _say_where(comm, store)
        yield Spilling(comm, allowed, store, total)


def _say_where(comm: Communicator, store: RowStore) -> None:
    """Say once that the place for rows is none, where it is in memory itself."""
    if comm.allreduce(in_memory(store.folder), "max") and comm not in _SAID:
        _SAID.add(comm)
        if comm.rank == 0:
            print(
                f"warning: {store.folder.parent} is in memory itself (tmpfs): what rows take there, they take of the "
                "memory that they have no room in; set TMPDIR to a disk of the node",
                file=sys.stderr,
            )


def _read(root: Node) -> float:
    """Bytes of all rows that a plan reads, about."""
    sources = [node for node in bottom_up(root) if isinstance(node, Source) and hasattr(node.rows, "size")]
    return sum(node.rows.size(node.columns).bytes for node in sources)


def _held(root: Node) -> float:
    """Bytes of the rows of frames on this rank."""
    frames = [node for node in bottom_up(root) if isinstance(node, Source) and isinstance(node.rows, HeldRows)]
    return sum(node.rows.frame.local.select(node.columns).estimated_size() for node in frames)


def _check_room(total: float, budget: int, comm: Communicator, store: RowStore) -> None:
    here = ranks_here(comm)
    with comm.together():
        needed = total / comm.size * here
        free = free_megabytes(store.folder) * 10**6
        if total / comm.size > budget and needed > free:
            raise StorageError(
                "the rows have room neither in memory nor on the disk",
                where=store.folder.parent,
                found=f"{amount(free)} available on the disk, {amount(budget)} in the memory of each of {here} ranks",
                expected=f"{amount(needed)} needed",
                fix="set TMPDIR to a larger disk of the node, take more nodes, or give the ranks more memory (memory=)",
            )
