"""How one rank ends them all: the others do not wait for it for ever."""

from __future__ import annotations

import sys
import time

LAST_WORDS = 0.5  # seconds for the launcher to pass on what was said: Hydra drops what it has not read at an abort


def abort(code: int) -> None:
    """End all ranks, when there are several; what was said until now is seen."""
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is not None and mpi.Is_initialized() and not mpi.Is_finalized() and mpi.COMM_WORLD.Get_size() > 1:
        sys.stdout.flush(), sys.stderr.flush()
        time.sleep(LAST_WORDS)
        mpi.COMM_WORLD.Abort(code)
