"""How one of several ranks ends, so that the others do not wait for it for ever."""

from __future__ import annotations

import atexit
import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING

from deeprc.core.ending import abort
from deeprc.core.errors import DeepRCError

if TYPE_CHECKING:
    from deeprc.frames.communicator import Communicator


def watch(world: Communicator) -> None:
    """End all ranks at an error that nobody catches, and when one rank exits while the others go on.

    This is for the caller's own code, between two steps: within a step, `Communicator.together` keeps the ranks
    together. A session at a prompt goes on, and so do processes that a rank started.
    """
    process, shown = os.getpid(), sys.excepthook

    def ours() -> bool:
        return os.getpid() == process and not (sys.flags.interactive or hasattr(sys, "ps1"))

    def uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        shown(kind, error, trace)
        if ours():
            print(f"rank {world.rank} of {world.size} ends all ranks", file=sys.stderr)
            abort(130 if issubclass(kind, KeyboardInterrupt) else 1)

    def leave() -> None:
        if ours() and not sys.modules["mpi4py.MPI"].Is_finalized():
            try:
                with world.together("the end of its program"):
                    pass
            except DeepRCError as error:
                print(f"error: {error}", file=sys.stderr)
                abort(1)

    sys.excepthook = uncaught
    atexit.register(leave)
