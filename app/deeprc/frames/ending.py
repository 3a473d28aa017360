"""How one of several ranks ends, so that the others do not wait for it for ever."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from deeprc.core.ending import BEFORE, abort
from deeprc.core.errors import DeepRCError
from deeprc.frames import watcher
from deeprc.frames.place import place

if TYPE_CHECKING:
    from deeprc.frames.communicator import Communicator


def watch(world: Communicator) -> None:
    """End all ranks at an error that nobody catches, and when one rank exits (`os._exit(0)`, too) while others go on.

    This is for the caller's own code, between two steps: within a step, `Communicator.together` keeps the ranks
    together. A session at a prompt goes on, and so do processes that a rank started.
    """
    # Of the executor's hook, which ends all ranks as this one does, what it shows alone.
    process, shown, at_once = os.getpid(), getattr(sys.excepthook, "tell", sys.excepthook), os._exit
    say = _watched(world)
    BEFORE.append(lambda: say(watcher.ALL))

    def ours() -> bool:
        return os.getpid() == process and not (sys.flags.interactive or hasattr(sys, "ps1"))

    def uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        shown(kind, error, trace)
        if ours():
            print(f"rank {world.rank} of {world.size} ends all ranks", file=sys.stderr)
            abort(130 if issubclass(kind, KeyboardInterrupt) else 1)

    def leave() -> None:
        if os.getpid() == process and os._exit is leave_at_once:
            os._exit = at_once  # the end that all agree upon: how each of them leaves after it is its own affair
        if ours() and not sys.modules["mpi4py.MPI"].Is_finalized():
            try:
                with world.together("the end of its program"):
                    pass
                say(world.rank)
            except DeepRCError as error:
                print(f"error: {error}", file=sys.stderr)
                abort(1)

        elif os.getpid() == process:
            say(world.rank)

    def leave_at_once(status: int) -> NoReturn:
        if os.getpid() == process and sys.modules["mpi4py.MPI"].Is_finalized():
            say(world.rank)
        elif os.getpid() == process and status == 0:  # which Hydra takes for a good end, and kills the others
            print(
                f"error: rank {world.rank} of {world.size} left by os._exit(0) amid the work: all ranks end\n"
                "  fix: let the program end by itself, or call MPI.Finalize() on all ranks before",
                file=sys.stderr,
            )
            abort(1)
        at_once(status)

    sys.excepthook, os._exit = uncaught, leave_at_once
    atexit.register(leave)


def _watched(world: Communicator) -> Callable[[int], None]:
    """Have a process of this node look at its ranks (see `watcher`): a rank that is killed can say nothing itself.

    Returns
    -------
    What tells it that a rank ends by itself, or `watcher.ALL`; it never fails.
    """
    topology = world.topology
    local, pipe = topology.local, -1
    if local.rank == 0:
        try:
            ear, pipe = os.pipe()
            ranks = zip(topology.processes, topology.nodes[topology.here], strict=True)
            told = [ear, world.size, len(topology.nodes), place(), *(f"{pid}:{rank}" for pid, rank in ranks)]
            subprocess.Popen(
                [sys.executable, "-IS", watcher.__file__, *map(str, told)],
                pass_fds=(ear,),
                start_new_session=True,  # a launcher that ends this rank lets it be
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            os.close(ear)
        except OSError:  # no room for a process: then nobody looks
            pipe = -1
    mine, pipe = pipe, local.bcast(pipe)
    if local.rank and pipe >= 0:
        try:
            mine = os.open(topology.path(0, pipe), os.O_WRONLY)
        except OSError:  # a container cannot see another one's processes
            mine = -1

    def say(word: int) -> None:
        try:
            if mine >= 0:
                os.write(mine, watcher.RANK.pack(word))
        except OSError:  # nobody looks any more
            pass

    return say
