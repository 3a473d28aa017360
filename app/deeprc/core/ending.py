"""How one rank ends them all: the others do not wait for it for ever."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

LAST_WORDS = 0.5  # seconds for the launcher to pass on what was said: Hydra drops what it has not read at an abort
BEFORE: list[Callable[[], None]] = []  # what is done before this rank ends them all


def abort(code: int) -> None:
    """End all ranks, when there are several; what was said until now is seen."""
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is not None and mpi.Is_initialized() and not mpi.Is_finalized() and mpi.COMM_WORLD.Get_size() > 1:
        for each in BEFORE:
            each()
        sys.stdout.flush(), sys.stderr.flush()
        time.sleep(LAST_WORDS)
        mpi.COMM_WORLD.Abort(code)
