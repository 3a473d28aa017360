"""What each rank says about itself, before it waits for any other."""

from __future__ import annotations

import os
import socket

from deeprc.doctor.probe.say import say

# Variables by which launchers tell ranks of their world: which of them are there says what the launcher speaks.
TELLING = (
    "PMI_RANK", "PMI_SIZE", "PMI_FD", "PMIX_RANK", "PALS_RANKID", "OMPI_COMM_WORLD_SIZE", "SLURM_PROCID",
    "SLURM_NTASKS",
)  # fmt: skip


def introduce(world) -> None:
    """Print number, world, host, MPI, and what the launcher has told."""
    from mpi4py import MPI

    library = " ".join(MPI.Get_library_version().split())[:120]
    told = {name: os.environ[name] for name in TELLING if name in os.environ}
    say(kind="rank", rank=world.rank, size=world.size, host=socket.gethostname(), library=library, told=told)
