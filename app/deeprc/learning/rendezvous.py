"""Where ranks meet that have a launcher but no MPI between them: an address and a port that each can tell by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from deeprc.learning.world import WorldError

FIRST_PORT, PORTS = 20_000, 10_000  # below what Linux gives out by itself (32768-60999)


def address(environment: Mapping[str, str]) -> tuple[str, int]:
    """Host of the first rank, and a port there that comes of the job's number.

    MASTER_ADDR and MASTER_PORT, where they are set; else the first node of Slurm's step, or of PBS's or LSF's file.

    Raises
    ------
    WorldError
        Where nothing tells the first node.
    """
    host = environment.get("MASTER_ADDR") or _first_host(environment)
    if not host:
        raise WorldError(
            "nothing tells the ranks where the first one is",
            found="no SLURM_STEP_NODELIST, PBS_NODEFILE or LSB_DJOB_HOSTFILE, and no MPI between the ranks",
            fix="start the ranks with a PMI that the image's MPI speaks (`srun --mpi=…`), or set MASTER_ADDR",
        )
    return host, int(environment.get("MASTER_PORT") or port(environment))


def port(environment: Mapping[str, str]) -> int:
    """A port of the job's own: neighbours of one node have other job or step numbers."""
    job = next(
        (
            environment[name]
            for name in ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "PALS_APID")
            if environment.get(name)
        ),
        "0",
    )
    digits = int(re.sub(r"\D", "", job.partition(".")[0]) or 0)
    step = environment.get("SLURM_STEP_ID", "0")
    return FIRST_PORT + (digits * 31 + (int(step) if step.isdigit() else 0)) % PORTS


def _first_host(environment: Mapping[str, str]) -> str | None:
    if nodes := environment.get("SLURM_STEP_NODELIST"):
        return first_of(nodes)
    for name in ("PBS_NODEFILE", "LSB_DJOB_HOSTFILE"):
        if path := environment.get(name):
            lines = Path(path).read_text().split()
            return lines[0] if lines else None
    return None


def first_of(nodes: str) -> str:
    """The first node of Slurm's short form: `nid[001-004,007],gpu1` begins with `nid001`."""
    match = re.match(r"([^\[,]+)(?:\[([^\],-]+)[^\]]*\]([^,]*))?", nodes)
    if not match:
        raise WorldError("this list of nodes cannot be read", found=nodes, expected="names as Slurm writes them")
    return "".join(part or "" for part in match.groups())
